"""A restart: what was kept is taken back, and every service has its own address again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import BOTH, Deployment, make_world, settle, status

from emulator.control.archive import dump, load
from emulator.control.entities import Type
from emulator.domain.lifecycle import State
from emulator.platform import Route
from emulator.world import World


def restarted(old: World, profile: str, seed: int, **cluster: Any) -> World:
    """A new world from what the store would have kept of the old one."""
    kept = [
        (kind, entity.id, entity.project, json.loads(json.dumps(dump(entity, 0))))
        for kind in Type
        for entity in old.plane.repository.all(kind)
    ]
    world = make_world(profile, seed, **cluster)
    plane = world.plane
    entities = [load(*each, plane.kinds, plane.settings) for each in kept]
    world.command("restore", "World", lambda now: plane.restore(now, entities))
    world.kernel.advance(world.kernel.now + 60 * 10**9)
    return world


def addresses(world: World) -> dict[str, object]:
    """What each run's status says of its service."""
    return {
        run.id: {**status(run)["service"], "aliases": None} for run in world.plane.repository.runs()
    }


@pytest.mark.parametrize("profile", BOTH)
@pytest.mark.parametrize("seed", range(6))
def test_no_alias_takes_the_address_of_a_service_that_comes_back(profile: str, seed: int) -> None:
    """A range with hardly a free address left: an alias given out first would take one."""
    narrow: dict[str, Any] = {"service_range": "10.0.0.0/28"}
    world = make_world(profile, **narrow)
    for number in range(6):
        run = Deployment(world, function=f"f{number}").run(f"r{number}")
        assert settle(world, run).state is State.RUNNING
    before = addresses(world)
    again = restarted(world, profile, seed, **narrow)
    assert {run.state for run in again.plane.repository.runs()} == {State.RUNNING}
    assert addresses(again) == before
    for number in range(6):
        assert isinstance(again.route(f"s-demo-f{number}-latest", 8080), Route)


@pytest.mark.parametrize("profile", BOTH)
def test_node_ports_come_back(profile: str) -> None:
    world = make_world(profile)
    run = settle(world, Deployment(world).run("web", service_type="NodePort"))
    before = addresses(world)
    assert status(run)["service"]["ports"][0]["nodePort"]
    assert addresses(restarted(world, profile, 5)) == before
