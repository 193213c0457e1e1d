"""Runs that the client executes itself: their state is the client's, and they can always be removed."""

from __future__ import annotations

import pytest
from support import BOTH, Deployment, delete, leftovers, make_world, put, settle

from emulator.domain.lifecycle import State


@pytest.mark.parametrize("profile", BOTH)
@pytest.mark.parametrize("states", [("DELETING",), ("DELETING", "DELETED"), ("BUILT", "DELETING")])
def test_a_local_run_driven_to_its_end_is_gone_after_a_delete(
    profile: str, states: tuple[str, ...]
) -> None:
    world = make_world(profile)
    run = Deployment(world).run("mine", local_execution=True)
    for state in states:
        if world.plane.repository.find_run("mine") is not None:
            put(world, run, {"status": {"state": state}})
    if world.plane.repository.find_run("mine") is not None:
        delete(world, run)
    assert world.plane.repository.find_run("mine") is None
    assert world.plane.moving() == []


def test_a_remote_run_driven_to_deleting_takes_its_objects_along() -> None:
    world = make_world("core-0.15")
    run = settle(world, Deployment(world).run("remote"))
    assert run.state is State.RUNNING
    put(world, run, {"status": {"state": "DELETING"}})
    world.kernel.advance(world.kernel.now + 60 * 10**9)
    assert world.plane.repository.find_run("remote") is None
    assert not leftovers(world)
