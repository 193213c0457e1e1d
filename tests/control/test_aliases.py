"""Who owns an alias when two may, and when the cluster refuses it."""

from __future__ import annotations

from support import Deployment, make_world, settle

from emulator.domain.lifecycle import State
from emulator.platform import NoRoute, Route
from emulator.world import World

LATEST = "s-demo-service-latest"


def owner(world: World, alias: str = LATEST) -> str:
    """The workload that an alias leads to; empty for none."""
    found = world.route(alias, 8080)
    return found.workload if isinstance(found, Route | NoRoute) else ""


def test_of_two_runs_of_one_instant_the_later_made_is_the_newer() -> None:
    world = make_world()
    deployment = Deployment(world)
    older, newer = deployment.run("z"), deployment.run("a")
    assert older.created == newer.created
    settle(world, older)
    settle(world, newer)
    world.kernel.advance(world.kernel.now + 10**9)
    assert owner(world) == "a"


def test_a_refused_alias_is_said_and_the_service_runs_on() -> None:
    world = make_world()
    run = settle(world, Deployment(world).run("web", service_name="x-"))
    world.kernel.advance(world.kernel.now + 10**9)
    assert run.state is State.RUNNING
    status = run.current_status(0)
    refused = [event for event in status["events"] if event["reason"] == "AliasRefused"]
    assert "s-demo-service-x-" in refused[0]["note"]
    assert "must consist of lower case" in refused[0]["note"]
    assert owner(world, "s-demo-service-x-") == ""


def test_a_full_range_leaves_the_service_without_alias() -> None:
    world = make_world(service_range="10.0.0.0/29")
    deployment = Deployment(world)
    runs = [settle(world, deployment.run(f"r{number}")) for number in range(4)]
    world.kernel.advance(world.kernel.now + 10**9)
    assert [run.state for run in runs] == [State.RUNNING] * 4
    assert owner(world) == "r3", "taken over: one address for all of them"
    last = settle(world, deployment.run("r4"))
    assert last.state is State.ERROR
    assert "range is full" in last.failure
    assert owner(world) == "r3"
