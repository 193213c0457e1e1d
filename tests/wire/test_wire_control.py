"""The emulator's own API: health, time, services; and the hold of a run on its way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from wire_client import BOTH, Wire, go

from emulator.api import runs

TIME = "/_emulator/time"
SERVICES = "/_emulator/services"


@pytest.mark.parametrize("profile", BOTH)
def test_health(profile: str) -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run("one")
        await wire.running_run("two")
        await wire.advance("11s")
        found = await wire.get("/_emulator/health")
        assert found["status"] == "ok"
        assert found["endpoint"] == wire.endpoint
        assert (found["platform"], found["profile"]) == ("simulated", profile)
        assert found["services"]["healthy"] == 2
        assert found["time"]["mode"] == "paused"
        await wire.make_run("three")
        assert (await wire.get("/_emulator/health"))["services"]["starting"] == 1

    go(steps, profile)


def test_time_stands_still_and_moves_when_told() -> None:
    async def steps(wire: Wire) -> None:
        at = await wire.get(TIME)
        assert (at["mode"], at["rate"]) == ("paused", 0.0)
        assert (await wire.get(TIME))["now_ns"] == at["now_ns"]
        later = await wire.post(TIME, {"advance": "1m30.5s"})
        assert later["now_ns"] - at["now_ns"] == 90_500_000_000
        assert later["iso"] > at["iso"]
        for mode in ("1000", 1000, 1000.0):
            faster = await wire.post(TIME, {"mode": mode})
            assert (faster["mode"], faster["rate"]) == ("1000", 1000.0)
        response = await wire.http.get(TIME)
        assert "time=1000" in response.headers["x-emulator"]
        auto = await wire.post(TIME, {"mode": "auto"})
        assert (auto["mode"], auto["rate"]) == ("auto", 1.0)
        stopped = await wire.post(TIME, {"mode": "paused", "advance": "1s"})
        assert stopped["now_ns"] >= auto["now_ns"] + 1_000_000_000
        assert (await wire.get(TIME))["now_ns"] == stopped["now_ns"]
        assert await wire.post(TIME, {}) == stopped

    go(steps)


def test_time_moves_to_a_condition() -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run()
        assert (await wire.get(TIME))["next_event"] is not None
        for state in ("PENDING", "RUNNING", "RUNNING"):
            run = await wire.until(state)
            assert run["status"]["state"] == state
        asked = {"until": {"run": "rid", "state": "STOPPED"}, "limit": "30s"}
        before = (await wire.get(TIME))["now_ns"]
        refused = await wire.post(TIME, asked, 400)
        assert refused["message"].startswith(
            "run rid is RUNNING, not STOPPED, after 30 s of simulated time: give a longer limit"
        )
        assert (await wire.get(TIME))["now_ns"] - before <= 30_000_000_000
        await wire.post(TIME, {"until": {"run": "nobody", "state": "RUNNING"}}, 404)

    go(steps)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mode": "slow"}, "'slow' is no speed"),
        ({"mode": "0"}, "'0' is no speed"),
        ({"mode": "nan"}, "'nan' is no speed"),
        ({"mode": -5}, "'-5' is no speed"),
        ({"mode": [5]}, "mode"),
        ({"advance": "soon"}, "'soon' is not a duration"),
        ({"advance": "-1s"}, "'-1s' is not a duration"),
        ({"advance": "25h"}, "at most 24h"),
        ({"limit": "25h"}, "at most 24h"),
        ({"until": {"run": "rid", "state": "DANCING"}}, "until.state"),
        ({"until": {"run": "rid"}}, "until.state"),
        ({"until": "RUNNING"}, "until"),
        ({"forward": "1s"}, "forward"),
        ([], "object"),
        (None, "object"),
    ],
)
def test_a_change_of_time_that_cannot_be(change: Any, said: str) -> None:
    async def steps(wire: Wire) -> None:
        before = await wire.get(TIME)
        assert said in (await wire.post(TIME, change, 400))["message"]
        assert await wire.get(TIME) == before

    go(steps)


def test_malformed_json_for_our_own_api() -> None:
    async def steps(wire: Wire) -> None:
        for content in ("{", "[1,", '{"mode": }'):
            text = await wire.refusal("POST", TIME, 400, content=content)
            assert "JSON" in text
        assert "all" in await wire.refusal("GET", f"{SERVICES}?all=perhaps", 400)

    go(steps)


def test_services() -> None:
    async def steps(wire: Wire) -> None:
        assert await wire.get(SERVICES) == []
        await wire.set_up()
        await wire.make_run("first")
        (starting,) = await wire.get(SERVICES)
        assert (starting["state"], starting["health"]) == ("READY", "starting")
        assert starting["url"] is None
        await wire.until("RUNNING", "first")
        await wire.advance("11s")
        (shown,) = await wire.get(SERVICES)
        assert (shown["id"], shown["function"], shown["project"]) == ("first", "f", "demo")
        assert (shown["state"], shown["health"]) == ("RUNNING", "healthy")
        assert (shown["desired"], shown["ready"], shown["restarts"]) == (1, 1, 0)
        assert shown["url"] == "s-containerserve-first:8080"
        assert shown["aliases"] == ["s-demo-f-latest"]
        assert shown["age"] > 1
        for text in ("first", "fir", "f", "s-containerserve-first", shown["name"]):
            assert await wire.get(f"{SERVICES}/{text}") == [shown]
        assert "nobody" in await wire.refusal("GET", f"{SERVICES}/nobody", 404)
        await wire.post(wire.at("runs", "first") + "/stop")
        await wire.until("STOPPED", "first")
        assert await wire.get(SERVICES) == []
        (stopped,) = await wire.get(f"{SERVICES}?all=true")
        assert (stopped["state"], stopped["url"]) == ("STOPPED", None)

    go(steps)


def test_a_look_that_comes_too_early_is_held() -> None:
    """Simulated time runs on while the one read waits, and the answer is the settled state."""

    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run()
        assert (await wire.until("PENDING"))["status"]["state"] == "PENDING"
        await wire.post(TIME, {"mode": "100"})
        assert (await wire.read_run())["status"]["state"] == "RUNNING"

    go(steps)


def test_a_hold_ends() -> None:
    """Nothing comes to be at a hundredth of a millionth of the pace: the read ends all the same."""

    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run()
        await wire.post(TIME, {"mode": "0.000001"})
        loop = asyncio.get_running_loop()
        before = loop.time()
        assert (await wire.read_run())["status"]["state"] == "READY"
        assert loop.time() - before >= runs.HOLD

    go(steps)


def test_nothing_is_held_while_time_is_paused() -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run()
        reads = (wire.read_run() for _ in range(20))
        async with asyncio.timeout(20 * runs.HOLD):
            found = await asyncio.gather(*reads)
        assert {each["status"]["state"] for each in found} == {"READY"}

    go(steps)


def test_in_auto_no_transition_makes_a_caller_wait() -> None:
    async def steps(wire: Wire) -> None:
        await wire.set_up()
        await wire.make_run()
        assert (await wire.read_run())["status"]["state"] == "RUNNING"
        await wire.post(wire.at("runs", "rid") + "/stop")
        assert (await wire.read_run())["status"]["state"] == "STOPPED"
        await wire.delete(wire.at("runs", "rid"))
        await wire.get(wire.at("runs", "rid"), 404)

    go(steps, speed="auto")
