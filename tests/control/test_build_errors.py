"""Runs that cannot be built: they end in ERROR with a sentence, and leave nothing behind.

Source: contract section 3.3 (an exception in transition logic moves the run to ERROR) and 4.3.
"""

from __future__ import annotations

from typing import Any

import pytest
from support import (
    BOTH,
    Deployment,
    delete,
    deploy,
    exists,
    leftovers,
    make_world,
    of_run,
    path,
    settle,
    status,
)

from emulator.domain.errors import Refused
from emulator.domain.lifecycle import State


@pytest.mark.parametrize("profile", BOTH)
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"image": ""}, "image: the function names none: give it an image"),
        (
            {"command": "echo 'oops"},
            'command: "echo \'oops" has no words (No closing quotation): quote as a shell does',
        ),
        (
            {"resources": {"mem": "much"}},
            "resources.mem: 'much' is not a quantity: write a number and a unit, like 500m or 2Gi",
        ),
        (
            {"id": "a" * 46},
            f"the name 'c-containerserve-{'a' * 46}' has 63 characters, at most 62 are allowed: "
            "use a shorter run id",
        ),
    ],
)
def test_what_cannot_be_built(profile: str, spec: dict[str, Any], message: str) -> None:
    world = make_world(profile)
    run = deploy(world, **spec)
    assert run.state is State.ERROR  # at once: nothing was asked of the cluster
    assert status(run)["message"] == message
    assert status(run)["transitions"][0]["message"] == message
    assert path(run) == ["ERROR"]
    assert leftovers(world) == {"runs": [run.id]}
    delete(world, run)
    assert not exists(world, run)


@pytest.mark.parametrize("replicas", [0, -1, 1001, 10**9])
def test_replicas_out_of_bounds(replicas: int) -> None:
    world = make_world()
    run = deploy(world, replicas=replicas)
    assert status(run)["message"] == f"replicas: {replicas} is not from 1 to 1000"


def test_an_id_of_the_longest_name_that_fits() -> None:
    world = make_world()
    assert settle(world, deploy(world, id="a" * 45)).state is State.RUNNING


def test_a_function_that_is_gone() -> None:
    world = make_world()
    deployment = Deployment(world)
    reference = deployment.function
    deployment.function = "container://demo/service:nothing"
    run = deployment.run()
    assert run.state is State.ERROR
    assert status(run)["message"] == "No such function: container://demo/service:nothing"
    deployment.function = reference
    assert settle(world, deployment.run()).state is State.RUNNING


@pytest.mark.parametrize("size", ["1e400", "1e99999999", "9" * 400, "8Ei"])
@pytest.mark.parametrize("field", ["cpu", "mem", "gpu", "disk"])
def test_more_than_anybody_has_waits_for_room(field: str, size: str) -> None:
    """Kubernetes caps a quantity at 2**63 - 1."""
    world = make_world(deadline=60)
    run = settle(world, deploy(world, resources={field: size}))
    assert run.state is State.ERROR
    assert "nodes are available: 3 Insufficient" in status(run)["message"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"service_ports": "8080"}, "spec.service_ports: "),
        ({"service_ports": [{"port": "http"}]}, "spec.service_ports[0].port: "),
        ({"service_type": "Headless"}, "spec.service_type: "),
        ({"replicas": "many"}, "spec.replicas: "),
        ({"task": "no task"}, "spec.task: 'no task' is no task: write "),
        ({"task": "container+serve://demo/nothing"}, "spec.task: no task 'nothing': create it"),
        ({"task": "container+serve://other/nothing"}, "spec.task: invalid project"),
        ({"function": "no function"}, "spec.function: 'no function' is no function: write "),
    ],
)
def test_what_is_refused_makes_no_run(spec: dict[str, Any], words: str) -> None:
    world = make_world()
    with pytest.raises(Refused) as refused:
        Deployment(world).run("abc", **spec)
    assert refused.value.status == 400
    assert refused.value.message.startswith(words)
    assert leftovers(world) == {}
    assert not [row for row in world.journal.rows if row.kind == "run"]


@pytest.mark.parametrize("profile", BOTH)
def test_a_run_of_the_clients_own_owns_nothing(profile: str) -> None:
    world = make_world(profile)
    run = deploy(world, local_execution=True)
    settle(world, run)
    assert run.state is State.CREATED
    assert status(run) == {"state": "CREATED"}
    assert of_run(world, run, "run") == []
    assert leftovers(world) == {"runs": [run.id]}
    delete(world, run)
    assert leftovers(world) == {}
