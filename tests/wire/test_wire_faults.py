"""Faults over the emulator's own API, and live calls under them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any

import pytest
from wire_client import Wire, go

from emulator.cluster.faults import KINDS
from emulator.domain.workload import Request, Response
from emulator.platform import Route

FAULTS = "/_emulator/faults"


def test_a_fault_is_started_shown_and_healed() -> None:
    async def steps(wire: Wire) -> None:
        assert await wire.get(FAULTS) == []
        await wire.set_up()
        run = await wire.running_run("rid", replicas=2)
        asked = {"fault": "crash-loop", "target": "run/rid", "attributes": {"code": 3}}
        made = await wire.post(FAULTS, asked)
        assert (made["name"], made["state"], made["for"]) == ("crash-loop", "active", None)
        assert made["target"] == "run/rid"
        assert made["attributes"] == {"after": 0, "code": 3}
        assert await wire.get(FAULTS) == [made]
        await wire.advance("20s")
        (shown,) = await wire.get("/_emulator/services")
        assert shown["health"] == "unhealthy"
        assert "exited with code 3" in shown["message"]
        assert await wire.delete(f"{FAULTS}/crash-loop") == {"healed": ["crash-loop"]}
        await wire.advance("10m")
        (shown,) = await wire.get("/_emulator/services")
        assert shown["health"] == "healthy"
        assert (await wire.read_run("rid"))["id"] == run["id"]
        assert await wire.get(FAULTS) == []

    go(steps)


def test_a_fault_begins_later_and_ends_by_itself() -> None:
    async def steps(wire: Wire) -> None:
        asked = {"fault": "api-latency", "name": "late", "after": "10s", "for": "1m"}
        made = await wire.post(FAULTS, asked)
        assert (made["state"], made["for"]) == ("waiting", 60.0)
        assert made["start"] == (await wire.get("/_emulator/time"))["now"] + 10
        await wire.advance("11s")
        (shown,) = await wire.get(FAULTS)
        assert (shown["state"], shown["start"]) == ("active", made["start"])
        assert wire.world.cluster.extra_lag == 10**9
        await wire.advance("1m")
        assert await wire.get(FAULTS) == []
        assert wire.world.cluster.extra_lag == 0

    go(steps)


def test_all_are_healed_at_once() -> None:
    async def steps(wire: Wire) -> None:
        for kind in ("hang", "oom", "node-down"):
            await wire.post(FAULTS, {"fault": kind})
        assert [each["name"] for each in await wire.get(FAULTS)] == ["hang", "oom", "node-down"]
        assert await wire.delete(FAULTS) == {"healed": ["hang", "oom", "node-down"]}
        assert await wire.get(FAULTS) == []
        assert await wire.delete(FAULTS) == {"healed": []}

    go(steps)


def test_the_kinds_are_listed() -> None:
    async def steps(wire: Wire) -> None:
        found = await wire.get(f"{FAULTS}/kinds")
        assert [each["fault"] for each in found] == list(KINDS)
        (loop,) = [each for each in found if each["fault"] == "crash-loop"]
        assert loop["attributes"]["code"] == {"form": "a whole number from 1 to 255", "default": 1}

    go(steps)


def test_a_run_is_named_as_everywhere() -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.running_run("first-run")
        for word in ("first-run", "first", "f", "s-containerserve-first-run"):
            made = await wire.post(FAULTS, {"fault": "hang", "target": f"run/{word}"})
            assert made["target"] == "run/first-run"
        assert (await wire.post(FAULTS, {"fault": "oom", "target": "function/f"}))["name"] == "oom"

    go(steps)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"fault": "crash-lop"}, "did you mean crash-loop?"),
        ({"fault": "oom", "target": "run/nobody"}, "target: 'nobody' is no run"),
        ({"fault": "oom", "target": "function/nobody"}, "target: 'nobody' is no function"),
        ({"fault": "oom", "target": "node/node-9"}, "target: 'node-9' is no node"),
        ({"fault": "oom", "target": "everyone"}, "target: 'everyone' is not a target"),
        ({"fault": "oom", "for": "2"}, "for: '2' is not a duration"),
        ({"fault": "oom", "for": "0s"}, "duration: 0 is out of bounds"),
        ({"fault": "oom", "after": "soon"}, "after: 'soon' is not a duration"),
        ({"fault": "oom", "name": "a/b"}, "name: 'a/b' is no name of a fault"),
        ({"fault": "oom", "attributes": {"code": 1}}, "code: 1 is for an attribute"),
        ({"fault": "oom", "attributes": []}, "attributes"),
        ({"fault": "oom", "duration": "2m"}, "duration"),
        ({"fault": 5}, "fault"),
        ({}, "fault"),
        ([], "object"),
        (None, "object"),
    ],
)
def test_a_fault_that_cannot_be(asked: Any, said: str) -> None:
    async def steps(wire: Wire) -> None:
        assert said in (await wire.post(FAULTS, asked, 400))["message"]
        assert await wire.get(FAULTS) == []

    go(steps)


def test_a_fault_that_is_not_there_cannot_be_healed() -> None:
    async def steps(wire: Wire) -> None:
        assert "the faults are: none" in await wire.refusal("DELETE", f"{FAULTS}/oom", 404)
        await wire.post(FAULTS, {"fault": "oom", "name": "a"})
        assert (
            "choose another name"
            in (await wire.post(FAULTS, {"fault": "hang", "name": "a"}, 400))["message"]
        )

    go(steps)


# -- live calls --------------------------------------------------------------------------------


def call(wire: Wire) -> asyncio.Task[Response]:
    """A call of the gateway's to the run `rid`, under way."""
    route = wire.world.route("s-containerserve-rid", 8080)
    assert isinstance(route, Route)
    made: Response | Awaitable[Response] = route.target(
        Request("GET", "/", (("host", "x"),), b"", "x", 8080)
    )

    async def wait() -> Response:
        return made if isinstance(made, Response) else await made

    return asyncio.get_running_loop().create_task(wait())


async def breathe() -> None:
    """Lets everything that is ready happen."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_live_call_waits_for_simulated_time() -> None:
    """Time is paused: the answer comes when time has been moved far enough, and not before."""

    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.running_run("rid")
        await wire.post(FAULTS, {"fault": "network-delay", "attributes": {"delay": "10s"}})
        under_way = call(wire)
        await breathe()
        await wire.advance("15s")
        await breathe()
        assert not under_way.done()
        await wire.advance("5s")
        assert (await under_way).status == 200

    go(steps)


def test_a_live_call_that_hears_nothing_ends_when_its_patience_does() -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.running_run("rid")
        await wire.post(FAULTS, {"fault": "network-partition", "for": "1m"})
        under_way = call(wire)
        await breathe()
        await wire.advance("2m")
        await breathe()
        assert not under_way.done()
        assert (await call(wire)).status == 200
        await wire.advance("20s")
        with pytest.raises(ConnectionError):
            await under_way

    go(steps)


def test_a_caller_that_goes_away_leaves_no_timer() -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.running_run("rid")
        await wire.advance("1m")
        assert wire.world.kernel.peek() == float("inf")
        await wire.post(FAULTS, {"fault": "hang"})
        under_way = call(wire)
        await breathe()
        assert wire.world.kernel.peek() < float("inf")
        under_way.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await under_way
        assert wire.world.kernel.peek() == float("inf")

    go(steps)
