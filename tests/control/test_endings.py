"""How a run ends while something is under way: nothing stays, whatever the order was."""

from __future__ import annotations

import pytest
from support import (
    BOTH,
    act,
    advance,
    delete,
    deploy,
    exists,
    leftovers,
    make_world,
    of_run,
    put,
    settle,
    state,
)

from emulator.domain.lifecycle import State
from emulator.domain.timefmt import MILLISECOND, MINUTE

API = 10 * MILLISECOND
#: Instants of a deployment: at once, while the objects are made, while the image is pulled, when the
#: container starts, and when it runs.
INSTANTS = (0, API // 2, API, API + 1, 1210 * MILLISECOND, 1510 * MILLISECOND, MINUTE)


@pytest.mark.parametrize("profile", BOTH)
@pytest.mark.parametrize("instant", INSTANTS)
@pytest.mark.parametrize("again", [0, 1, API - 1, API, 2 * API, MINUTE])
def test_a_delete_at_any_instant_and_another_one(profile: str, instant: int, again: int) -> None:
    world = make_world(profile)
    run = deploy(world, service_type="LoadBalancer", service_name="blue", replicas=2)
    advance(world, instant)
    delete(world, run)
    advance(world, again)
    if exists(world, run):
        delete(world, run)
    advance(world, MINUTE)
    assert not exists(world, run)
    assert leftovers(world) == {}
    assert [row.data["state"] for row in of_run(world, run, "run")][-2:] == ["DELETING", "DELETED"]


@pytest.mark.parametrize("instant", INSTANTS)
def test_a_stop_at_any_instant(instant: int) -> None:
    world = make_world()
    run = deploy(world, service_type="NodePort", service_name="blue", replicas=2)
    advance(world, instant)
    act(world, run, "stop")
    assert state(run) is State.STOP
    settle(world, run)
    assert state(run) is State.STOPPED
    advance(world, MINUTE)
    assert leftovers(world) == {"runs": [run.id]}
    delete(world, run)
    advance(world, MINUTE)
    assert leftovers(world) == {}


@pytest.mark.parametrize("instant", INSTANTS)
@pytest.mark.parametrize("how", ["error", "complete", "put"])
def test_with_core_an_error_from_outside_leaves_it_all_to_the_delete(
    how: str, instant: int
) -> None:
    world = make_world("core-0.15")
    run = deploy(world)
    advance(world, instant)
    if how == "put":
        put(world, run, {"status": {"state": "ERROR"}})
    else:
        act(world, run, how)
    advance(world, MINUTE)
    delete(world, run)
    advance(world, MINUTE)
    assert leftovers(world) == {}


@pytest.mark.parametrize("profile", BOTH)
def test_a_project_goes_with_everything_in_it(profile: str) -> None:
    world = make_world(profile)
    for image in ("a", "b"):
        deploy(world, project="gone", image=image)
    kept = settle(world, deploy(world, project="kept"))
    catalogue = world.plane.catalogue
    world.command("delete", "gone", lambda now: catalogue.delete_project(now, "gone", cascade=True))
    advance(world, MINUTE)
    assert set(world.cluster.groups) == {kept.id}
    assert [run.id for run in world.plane.repository.runs()] == [kept.id]
