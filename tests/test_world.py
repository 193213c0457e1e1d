"""The world's joints: real processes and time, refusals of the registry, names that are none."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from support import PORT, Deployment, advance, make_world, settle

from emulator.domain.lifecycle import State
from emulator.gateway.egress import DENY
from emulator.gateway.policy import Asked, Refuse, decide
from emulator.pacing import Mode
from emulator.world import World


def refused(world: World, authority: str) -> Refuse:
    """What the gateway refuses a request to this authority with."""
    decision = decide(world, Asked("GET", "http", authority, "/"), DENY, lambda host, port: False)
    assert isinstance(decision, Refuse)
    return decision


def test_a_port_that_a_live_service_has_not_is_named() -> None:
    world = make_world()
    settle(world, Deployment(world).run("web"))
    answer = refused(world, "s-containerserve-web:81")
    assert answer.status == 502
    assert f"has no port 81: the ports of the service are {PORT}" in answer.message


def test_only_a_service_that_has_ended_is_said_to_have() -> None:
    world = make_world()
    run = settle(world, Deployment(world).run("web"))
    foreign = refused(world, f"s-containerserve-web.evil.example:{PORT}")
    assert "is outside the platform" in foreign.message
    world.command("stop", "Run/web", lambda now: world.plane.runs.act(now, run, "stop"))
    settle(world, run)
    for name in ("s-containerserve-web", "s-containerserve-web.digitalhub.svc.cluster.local"):
        assert "its run web is in state STOPPED" in refused(world, f"{name}:{PORT}").message


def test_a_rule_makes_the_registry_refuse_and_an_earlier_one_shields() -> None:
    rules: list[dict[str, Any]] = [
        {"image": "acme/good*", "echo": True},
        {"image": "acme/*", "pull_error": "manifest unknown"},
    ]
    world = make_world(rules=rules)
    good = settle(world, Deployment(world, function="good", image="acme/good:1").run("good"))
    bad = Deployment(world, function="bad", image="acme/bad:1").run("bad")
    advance(world, 5 * 10**9)
    assert good.state is State.RUNNING
    assert bad.state is State.PENDING
    assert "manifest unknown" in bad.message


def test_what_cannot_start_is_said() -> None:
    world = make_world(rules=[{"image": "*", "asgi": "no_such_module:app"}])
    run = Deployment(world).run("web")
    advance(world, 5 * 10**9)
    assert run.message.startswith("CreateContainerError: ")
    assert "no_such_module" in run.message
    settle(world, run)
    assert "no_such_module" in run.failure


def test_a_container_that_does_not_listen_on_its_port_is_the_reason_at_the_deadline() -> None:
    world = make_world(rules=[{"image": "*", "echo": True, "listens": [9999]}])
    run = settle(world, Deployment(world).run("web"))
    assert run.state is State.ERROR
    assert "check that the container listens on the target port" in run.failure


@pytest.mark.parametrize("ended", ["stop", "delete"])
def test_a_command_that_is_ended_before_it_listens_holds_the_time_no_longer(ended: str) -> None:
    rules: list[dict[str, Any]] = [
        {"image": "acme/never*", "command": [sys.executable, "-c", "import time; time.sleep(99)"]}
    ]
    wall = [0]

    async def main() -> None:
        world = make_world(rules=rules)
        pacer = world.pace(Mode.parse("auto"), lambda: wall[0])
        pacer.start(asyncio.get_running_loop())
        run = Deployment(world, image="acme/never:1").run("never")
        await asyncio.sleep(0.05)
        assert run.state is State.PENDING
        assert "never" in run.message
        end = world.plane.runs.delete
        if ended == "stop":
            world.command("stop", "Run/never", lambda now: world.plane.runs.act(now, run, "stop"))
        else:
            world.command("delete", "Run/never", lambda now: end(now, run))
        wall[0] += 10**9
        pacer.kick()
        await asyncio.sleep(0.05)
        other = Deployment(world, function="other").run("other")
        await asyncio.sleep(0.05)
        assert other.state is State.RUNNING, "time jumped, though the wall stands still"
        await world.behaviours.aclose()
        world.close()

    asyncio.run(main())
