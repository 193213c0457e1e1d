"""The recording of a real control plane, step by step: create, unschedulable, Recreate, delete.

Steps of the recording that a DigitalHub user cannot trigger (rolling updates, scaling) stay out. One
test a step; what is compared is named by the normalisers of `golden_recording`.
"""

from __future__ import annotations

from typing import Any

import pytest
from golden_recording import (
    LATER,
    Row,
    Simulated,
    condition_story,
    endpoint_stories,
    event_bag,
    of,
    pod_stories,
    settled,
    sizes,
    steps,
)

from emulator.cluster.apiserver.patch import STRATEGIC_PATCH
from emulator.cluster.apiserver.resources import DEPLOYMENTS, SERVICES
from emulator.domain.timefmt import SECOND

REAL = steps("real-1.36.2-kwok-fast.jsonl")
CREATE = REAL["create deployment app replicas=4, service app"]
BIG = REAL["unschedulable, progressDeadlineSeconds=15"]
RECREATE = REAL["recreate strategy"]
DELETE = REAL["delete deployments background + service"]

COUNTS = ("replicas", "updated", "ready", "available", "unavailable", "terminating")
SET_COUNTS = ("replicas", "ready", "available", "terminating")


def about(rows: list[Row], *names: str) -> list[Row]:
    """The rows about objects of these Deployments (`names`), and about what they own."""
    return [row for row in rows if row["n"].startswith(names)]


def set_names(rows: list[Row]) -> list[str]:
    """The ReplicaSets, in the order of their making."""
    return list(dict.fromkeys(row["n"] for row in of(rows, "replicasets")))


def spoken(rows: list[Row]) -> list[Any]:
    """The events without the kubelet's: KWOK's says nothing."""
    return event_bag([row for row in rows if row["o"].get("src") != "kubelet"])


def compare(real: list[Row], ours: list[Row], name: str) -> None:
    """Sizes, conditions, events, pods and endpoints of a rollout."""
    assert condition_story(ours, "deployments", name) == condition_story(real, "deployments", name)
    theirs, mine = set_names(real), set_names(ours)
    assert len(mine) == len(theirs)
    for one, other in zip(theirs, mine, strict=True):
        assert sizes(ours, other) == sizes(real, one)
        assert settled(ours, "replicasets", other, SET_COUNTS) == settled(
            real, "replicasets", one, SET_COUNTS
        )
    assert settled(ours, "deployments", name, COUNTS) == settled(real, "deployments", name, COUNTS)
    assert spoken(ours) == spoken(real)
    assert pod_stories(ours) == pod_stories(real)
    assert endpoint_stories(ours) == endpoint_stories(real)


def test_create() -> None:
    simulated = Simulated()
    simulated.deployment("app", 4)
    simulated.service("app", 80, 8080)
    ours = simulated.advance(LATER)
    compare(CREATE, ours, "app")
    annotations = [row["o"]["ann"] for row in of(ours, "replicasets")]
    assert annotations[0] == of(CREATE, "replicasets")[0]["o"]["ann"]
    # The slice is there before there is an endpoint, with no ports; then with the target port.
    first, *_, last = of(ours, "endpointslices")
    assert (first["e"], first["o"]) == ("ADDED", of(CREATE, "endpointslices")[0]["o"])
    assert last["o"]["ports"] == of(CREATE, "endpointslices")[-1]["o"]["ports"]


def test_the_first_writes_of_a_rollout_come_in_the_recorded_order() -> None:
    simulated = Simulated()
    simulated.deployment("app", 4)
    ours = simulated.advance(LATER)

    def order(rows: list[Row]) -> list[tuple[str, str]]:
        seen = [(row["k"], row["e"]) for row in rows if row["k"] not in ("events", "services")]
        return list(dict.fromkeys(seen))[:4]

    real = [row for row in CREATE if row["k"] != "endpointslices"]
    assert set(order(ours)) == set(order(real))
    assert (
        order(ours)[:2]
        == order(real)[:2]
        == [
            ("deployments", "ADDED"),
            ("replicasets", "ADDED"),
        ]
    )


def test_unschedulable_until_the_deadline() -> None:
    simulated = Simulated()
    request = {"requests": {"cpu": "64"}}
    simulated.deployment("big", 1, resources=request, progressDeadlineSeconds=15)
    ours = simulated.advance(20 * SECOND)
    compare(BIG, ours, "big")
    for rows in (BIG, ours):
        times = [row["t"] for row in of(rows, "deployments", "big")]
        # the last progress is written with a resolution of a second: 15 to 16 s after it
        assert 15 <= times[-1] - times[-2] < 16.1
    (condition,) = {
        tuple(row["o"]["conds"]["PodScheduled"])
        for row in of(ours, "pods")
        if "PodScheduled" in row["o"]["conds"]
    }
    assert list(condition) == of(BIG, "pods")[-1]["o"]["conds"]["PodScheduled"]


@pytest.fixture(scope="module")
def recreated() -> tuple[Simulated, list[Row]]:
    """A Deployment with strategy Recreate that gets another template."""
    simulated = Simulated()
    deployment = simulated.deployment("rec", 2, strategy={"type": "Recreate"})
    rows = simulated.advance(4 * SECOND)
    container = {"name": "c", "image": "fake:2"}
    change = {"spec": {"template": {"spec": {"containers": [container]}}}}
    simulated.api.patch(DEPLOYMENTS, "default", deployment.name, STRATEGIC_PATCH, change)
    return simulated, rows + simulated.advance(4 * SECOND)


def test_recreate_goes_to_nothing_and_then_to_the_new_one(
    recreated: tuple[Simulated, list[Row]],
) -> None:
    _, ours = recreated
    real = [row for row in RECREATE if not row["n"].startswith("big")]
    compare(real, ours, "rec")


def test_no_new_pod_is_made_while_an_old_one_is_there(
    recreated: tuple[Simulated, list[Row]],
) -> None:
    _, ours = recreated
    for rows in (RECREATE, ours):
        old, new = set_names(rows)
        made = [row["t"] for row in of(rows, "pods") if row["n"].startswith(new)]
        gone = [
            row["t"]
            for row in of(rows, "pods")
            if row["n"].startswith(old) and row["e"] == "DELETED"
        ]
        assert len(gone) == 2
        assert min(made) > max(gone)


def test_delete_in_the_background() -> None:
    simulated = Simulated()
    simulated.service("app", 80, 8080)
    held = [
        simulated.deployment("app", 2),
        simulated.deployment("big", 1, resources={"requests": {"cpu": "64"}}),
        simulated.deployment("rec", 2, strategy={"type": "Recreate"}),
    ]
    simulated.advance(4 * SECOND)
    for deployment in held:
        simulated.api.delete(DEPLOYMENTS, "default", deployment.name)
    simulated.api.delete(SERVICES, "default", "app")
    ours = simulated.advance(LATER)
    real = [row for row in DELETE if row["n"] not in ("app-748b9c4b89", "app-db7bc7bfd")]
    assert pod_stories(ours) == pod_stories(real)
    for kind in ("deployments", "services", "replicasets", "endpointslices"):
        gone = [row["n"].rsplit("-", 1)[0] for row in of(ours, kind) if row["e"] == "DELETED"]
        theirs = [row["n"].rsplit("-", 1)[0] for row in of(real, kind) if row["e"] == "DELETED"]
        # the recorded rec had an older ReplicaSet besides
        assert sorted(set(gone)) == sorted(set(theirs))
    # a Deployment goes before its ReplicaSets, and those before their pods
    for rows in (real, ours):
        when = {
            kind: max(row["t"] for row in about(rows, "app") if row["k"] == kind)
            for kind in ("deployments", "replicasets", "pods")
        }
        assert when["deployments"] < when["replicasets"] < when["pods"]
    assert not simulated.cluster.store.all("Pod")
