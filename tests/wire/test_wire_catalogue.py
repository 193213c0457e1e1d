"""Projects, functions and tasks on the wire: rows 1 to 13 of the contract's table of facts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from wire_client import API, BOTH, Wire, go, ids

both = pytest.mark.parametrize("profile", BOTH)


@both
def test_what_clients_read_first(profile: str) -> None:
    async def steps(wire: Wire) -> None:
        response = await wire.http.get("/.well-known/configuration")  # row 1
        found = response.json()
        assert found["dhcore_endpoint"] == wire.endpoint
        assert found["dhcore_api_level"] == "16"
        assert "max-age=900" in response.headers["cache-control"]
        for method in ("GET", "POST"):  # row 2
            who = await wire.ask(method, "/api/auth")
            assert who["username"] == "anonymous"
            assert "ROLE_ADMIN" in who["permissions"]
        text = await wire.refusal("GET", "/.well-known/openid-configuration", 500)
        assert "authentication is off" in text

    go(steps, profile)


@both
def test_a_project(profile: str) -> None:
    async def steps(wire: Wire) -> None:
        made = await wire.post(f"{API}/projects", {"name": "demo"})  # row 3
        assert made["id"] == made["name"] == "demo"
        assert made["key"] == "store://demo"
        assert list(made) == sorted(made)
        again = await wire.post(f"{API}/projects", {"name": "demo"}, 400)  # row 4
        assert again["message"] == "Duplicated entity project:demo."
        missing = await wire.get(f"{API}/projects/nope", 404)  # row 6
        assert missing == {"status": 404, "message": "No such project.", "errorCode": None}
        assert await wire.get(f"{API}/projects/demo") == made
        other = await wire.post(f"{API}/projects", {"name": "two", "id": "one"}, 400)
        assert other["message"] == "project id must match name"
        change = {"name": "demo", "metadata": {"description": "what it is for", "labels": ["x"]}}
        await wire.put(f"{API}/projects/demo", change)
        read = await wire.get(f"{API}/projects/demo")
        assert read["metadata"]["description"] == "what it is for"
        assert read["metadata"]["labels"] == ["x"]
        for _ in range(2):  # an absent project is well
            assert await wire.delete(f"{API}/projects/demo?cascade=true") is None
        await wire.get(f"{API}/projects/demo", 404)

    go(steps, profile)


@pytest.mark.parametrize("name", ["Bad_Name", "a", "x" * 39, "", None, "ä" * 3, "a b"])
def test_a_name_that_no_project_can_have(name: str | None) -> None:  # row 5
    async def steps(wire: Wire) -> None:
        found = await wire.post(f"{API}/projects", {"name": name}, 400)
        assert found["message"].startswith("name: ")
        assert repr(name or None) in found["message"]

    go(steps)


@both
def test_a_function_and_its_versions(profile: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.post(f"{API}/projects", {"name": "demo"})
        path = wire.at("functions")
        body = {"kind": "container", "name": "f", "spec": {"image": "a:1", "nonsense": 1}}
        made = await wire.post(path, body)  # rows 7 and 8
        assert made["status"]["state"] == "CREATED"
        assert re.fullmatch(r"[0-9a-f]{32}", made["id"])
        assert made["key"] == f"store://demo/function/container/f:{made['id']}"
        assert made["spec"] == {"image": "a:1"}  # an unknown property is dropped
        assert made["metadata"]["version"]
        newer = await wire.post(path, {**body, "id": "second", "spec": {"image": "a:2"}})
        latest = await wire.get(path, params={"name": "f"})  # row 9
        assert (latest["totalElements"], ids(latest)) == (1, ["second"])
        every = await wire.get(path, params={"name": "f", "versions": "all"})
        assert ids(every) == ["second", made["id"]]
        unknown = await wire.post(path, {"kind": "nokind", "name": "f"}, 404)  # row 10
        assert unknown["message"].startswith("No such spec.")
        change = {**newer, "spec": {"image": "a:3"}, "metadata": {"description": "anew"}}
        changed = await wire.put(wire.at("functions", "second"), change)  # row 11
        assert changed["spec"]["image"] == "a:2"
        assert changed["metadata"]["description"] == "anew"
        assert changed["metadata"]["version"] == newer["metadata"]["version"]
        assert await wire.get(wire.at("functions", "second") + "/relationships") == []
        again = await wire.post(path, {**body, "id": "second"}, 400)
        assert again["message"] == "Duplicated entity function:second."
        shown = await wire.get(f"{API}/projects/demo")
        (embedded,) = shown["spec"]["functions"]
        assert embedded["id"] == "second"
        assert "spec" not in embedded
        assert embedded["metadata"]["ref"] == wire.endpoint + wire.at("functions", "second")
        await wire.delete(path + "?name=f")
        assert (await wire.get(path, params={"versions": "all"}))["totalElements"] == 0
        assert "name" in await wire.refusal("DELETE", path, 400)

    go(steps, profile)


@both
def test_a_task(profile: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.post(f"{API}/projects", {"name": "demo"})
        await wire.make_function()
        made = await wire.make_task()
        assert made["key"] == "store://demo/task/container+serve/tid"
        assert "metadata" not in made
        assert "status" not in made
        path = wire.at("tasks")
        body = {"kind": "container+serve", "spec": {"function": wire.function}}
        second = await wire.post(path, body, 400)  # row 12
        assert second["message"].startswith("Duplicated entity task:")
        body = {"kind": "container+serve", "spec": {"function": "container://demo/f:nobody"}}
        nobody = await wire.post(path, body, 400)  # row 13
        assert nobody["message"] == "invalid executable entity"
        await wire.post(path, {"kind": "container+job", "spec": {}}, 404)
        wish = {"spec": {"function": "container://demo/f:other", "replicas": 3}}
        changed = await wire.put(wire.at("tasks", "tid"), wish)
        assert changed["spec"] == {"function": wire.function, "replicas": 3}
        assert [each["id"] for each in await wire.get(wire.at("functions", "fid") + "/tasks")] == [
            "tid"
        ]
        for kind in ("container+serve", "container%2Bserve"):
            assert ids(await wire.get(f"{path}?kind={kind}")) == ["tid"]
        # 0.15 of the SDK asks for the action's name: an empty page, not a refusal
        assert ids(await wire.get(path, params={"kind": "serve"})) == []
        assert ids(await wire.get(path, params={"function": wire.function})) == ["tid"]
        await wire.delete(wire.at("tasks", "tid"))
        missing = await wire.get(wire.at("tasks", "tid"), 404)
        assert missing["message"] == "No such task."

    go(steps, profile)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("f", "spec.function"),
        ("container://demo/f", "spec.function"),
        ("container://other/f:fid", "invalid executable entity"),
        ("://demo/f:fid", "spec.function"),
        (5, "spec.function"),
        (None, "spec.function"),
        (["container://demo/f:fid"], "spec.function"),
    ],
)
def test_a_malformed_reference_to_a_function(reference: Any, said: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.post(f"{API}/projects", {"name": "demo"})
        await wire.make_function()
        body = {"kind": "container+serve", "spec": {"function": reference}}
        assert said in (await wire.post(wire.at("tasks"), body, 400))["message"]

    go(steps)


def test_nothing_crosses_the_border_of_a_project() -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run()
        await wire.post(f"{API}/projects", {"name": "other"})
        for kind, identifier in (("functions", "fid"), ("tasks", "tid"), ("runs", "rid")):
            there = wire.at(kind, identifier, "other")
            assert (await wire.get(there, 400))["message"].strip() == "invalid project"
            assert (await wire.delete(there, 400))["message"].strip() == "invalid project"
            assert ids(await wire.get(wire.at(kind, project="other"))) == []
            assert ids(await wire.get(f"{API}/{kind}")) == [identifier]
        taken = {"kind": "container", "name": "g", "id": "fid"}
        found = await wire.post(wire.at("functions", project="other"), taken, 400)
        assert found["message"] == "Duplicated entity function:fid."
        stray = {"kind": "container", "name": "g", "project": "other"}
        found = await wire.post(wire.at("functions"), stray, 400)
        assert found["message"] == "invalid project"
        await wire.post(wire.at("functions", project="nowhere"), {"kind": "container"}, 400)

    go(steps)


def test_a_cascade_goes_down_to_the_runs() -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.running_run()
        await wire.delete(wire.at("functions", "fid") + "?cascade=true")
        await wire.get(wire.at("tasks", "tid"), 404)
        assert (await wire.read_run())["status"]["state"] == "DELETING"
        await wire.advance("1m")
        await wire.get(wire.at("runs", "rid"), 404)
        await wire.make_function("again")
        await wire.make_task("task", "again")
        await wire.delete(wire.at("functions", "again"))  # without cascade the task stays
        assert ids(await wire.get(wire.at("tasks"))) == ["task"]

    go(steps)
