"""What a run must be to come in, and what it tells beside its state: rows 14 and 15 of the table."""

from __future__ import annotations

from typing import Any

import pytest
from wire_client import BOTH, Wire, go, ids

both = pytest.mark.parametrize("profile", BOTH)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"function": Wire.function}, "spec.task"),  # row 14
        ({"task": Wire.task}, "spec.function"),  # row 15
        ({"task": "container+serve://demo/nobody", "function": Wire.function}, "no task 'nobody'"),
        ({"task": "container+serve://other/tid", "function": Wire.function}, "invalid project"),
        ({"task": "tid", "function": Wire.function}, "spec.task: 'tid' is no task"),
        ({"task": "container://demo/tid", "function": Wire.function}, "is no task"),
        ({"task": Wire.task, "function": "container://demo/f"}, "spec.function"),
        ({"task": Wire.task, "function": 5}, "spec.function"),
        ({"task": Wire.task, "function": Wire.function, "replicas": "two"}, "spec.replicas"),
        ({"task": Wire.task, "function": Wire.function, "args": "-v"}, "spec.args"),
        ({"task": Wire.task, "function": Wire.function, "args": [{}]}, "spec.args[0]"),
        (
            {"task": Wire.task, "function": Wire.function, "service_ports": [{"port": "x"}]},
            "spec.service_ports[0].port",
        ),
        (
            {"task": Wire.task, "function": Wire.function, "service_type": "Headless"},
            "spec.service_type",
        ),
        (
            {"task": Wire.task, "function": Wire.function, "envs": [{"value": "x"}]},
            "spec.envs[0].name",
        ),
        (["task"], "spec: must be an object"),
    ],
)
def test_a_run_that_cannot_be(spec: Any, said: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        body = {"kind": "container+serve:run", "spec": spec}
        assert said in (await wire.post(wire.at("runs"), body, 400))["message"]
        assert ids(await wire.get(wire.at("runs"))) == []

    go(steps)


@both
def test_ids_are_unique_over_all_projects(profile: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run()
        spec = {"task": wire.task, "function": wire.function}
        body = {"kind": "container+serve:run", "id": "rid", "spec": spec}
        again = await wire.post(wire.at("runs"), body, 400)
        assert again["message"] == "Duplicated entity run:rid."
        await wire.post("/api/v1/projects", {"name": "other"})
        there = await wire.post(wire.at("runs", project="other"), body, 400)
        assert there["message"] == "Duplicated entity run:rid."
        stray = await wire.post(wire.at("runs"), {**body, "id": "x", "project": "other"}, 400)
        assert stray["message"] == "invalid project"
        for wrong in ("", "a/b", "a b", "ü", "x" * 256):
            told = await wire.post(wire.at("runs"), {**body, "id": wrong}, 400)
            assert told["message"].startswith("id: ")
        unknown = await wire.post(wire.at("runs"), {**body, "kind": "nokind"}, 404)
        assert unknown["message"].startswith("No such spec.")

    go(steps, profile)


@both
def test_what_else_a_run_tells(profile: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.running_run()
        at = wire.at("runs", "rid")
        (link,) = await wire.get(f"{at}/relationships")
        assert (link["type"], link["dest"]) == ("run_of", wire.function)
        assert await wire.get(f"{at}/metrics") == {}
        assert await wire.get(f"{at}/extensions") == []
        (log,) = await wire.get(f"{at}/logs")
        assert log["run"] == "rid"
        assert isinstance(log["content"], str)
        assert ("name" in log, "spec" in log) == ((profile == "documented"),) * 2
        everything = await wire.get(wire.at("logs"), params={"run": "rid"})
        assert ids(everything) == [log["id"]]
        assert await wire.get(wire.at("logs", log["id"])) == log
        await wire.get(wire.at("logs", "nobody"), 404)
        assert ids({"content": await wire.get(wire.at("tasks", "tid") + "/runs")}) == ["rid"]

    go(steps, profile)
