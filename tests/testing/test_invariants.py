"""Each invariant's checker: silent about a true journal, and loud where one row of it is spoiled.

The numbers are the design's. Sources of the facts: the modules of the checkers name them.
"""

from __future__ import annotations

from typing import Any

import pytest
from journals import (
    ALIAS,
    ALLOCATABLE,
    Mutation,
    Story,
    change,
    drop,
    everything,
    insert,
    pod,
    service,
    twice,
)

from emulator.domain.journal import Row
from emulator.domain.timefmt import SECOND
from emulator.scenario.loader import load
from emulator.scenario.runner import run_scenario
from emulator.testing.invariants import ALONE, CHECKERS, Suite, check
from emulator.testing.invariants.runs import Transitions

ONE, TWO = f"Service/{service('one')}", f"Service/{service('two')}"
POD, OTHER = f"Pod/{pod('one')}", f"Pod/{pod('two')}"
LISTED = ("endpoint", f"Service/{ALIAS}")
TRAFFIC = ("traffic", "Traffic/load")
SLICE = f"EndpointSlice/{service('one')}-abcde"
RUNNING = ("run", "Run/one", {"state": "RUNNING"})
PORT: dict[str, Any] = {"name": "p", "port": 80, "protocol": "TCP", "targetPort": 80}


# -- mutations that a word does not say ---------------------------------------------------------------


def _alias_is_lost(rows: list[Row]) -> list[Row]:
    """The alias's Service goes with its first owner, and the second one has no alias any more."""
    at = next(n for n, row in enumerate(rows) if row.kind == "alias")
    rest = [row for row in rows[at + 1 :] if row.subject != f"Service/{ALIAS}"]
    gone = Row(rows[at].n, rows[at].t, 0, "object", f"Service/{ALIAS}", {"op": "DELETED"})
    return [*rows[:at], gone, *rest]


def _alias_goes_back(rows: list[Row]) -> list[Row]:
    back = insert(
        ("alias", f"Service/{ALIAS}", {}), "alias", f"Service/{ALIAS}", workload="one", before="two"
    )
    return back(rows)


def _cause_is_its_own(rows: list[Row]) -> list[Row]:
    row = rows[10]
    return [*rows[:10], Row(row.n, row.t, row.n, row.kind, row.subject, row.data), *rows[11:]]


def _time_goes_back(rows: list[Row]) -> list[Row]:
    row = rows[-1]
    return [*rows[:-1], Row(row.n, SECOND, row.cause, row.kind, row.subject, row.data)]


def _gap(rows: list[Row]) -> list[Row]:
    return rows[:5] + rows[6:]


def _headless(rows: list[Row]) -> list[Row]:
    return rows[1:]


def _never_healthy_again(rows: list[Row]) -> list[Row]:
    """Healthy before the fault, and not after it."""
    healthy = [n for n, row in enumerate(rows) if row.data.get("health") == "healthy"]
    return [*rows[: healthy[-1]], *rows[healthy[-1] + 1 :]]


def _no_service(rows: list[Row]) -> list[Row]:
    """The call goes to a Service that is not there."""
    spoil = change("invocation", ONE, {})
    return [
        Row(row.n, row.t, row.cause, row.kind, "Service/none", row.data)
        if row.kind == "invocation" and row.subject == ONE
        else row
        for row in spoil(rows)
    ]


def test_a_true_journal_breaks_nothing() -> None:
    assert check(everything()) == []


def test_there_is_a_checker_for_each_invariant_and_it_knows_its_number() -> None:
    assert list(CHECKERS) == list(range(1, 13))
    for number in ALONE:
        assert CHECKERS[number]().invariant == number


SPOILED: list[tuple[int, str, str, Mutation]] = [
    # 1: states
    (1, "no such way", "no way from", change("run", "Run/one", {"event": "LOOP"}, state="RUNNING")),
    (1, "a state is left out", "and it was BUILT", drop("run", "Run/one", state="READY")),
    (1, "the beginning is left out", "its first change", drop("run", "Run/one", state="BUILT")),
    (1, "a state is left twice", "and it was RUNNING", twice("run", "Run/one", state="RUNNING")),
    # 2: the service that is shown
    (2, "no Service at all", "has no Service", drop("object", ONE, op="ADDED")),
    (2, "no ready pod", "no pod of it is ready", change("pod", POD, {"ready": False}, ready=True)),
    (2, "the Service goes", "its Service is gone", insert(RUNNING, "object", ONE, op="DELETED")),
    (
        2,
        "another address is shown",
        "shows the clusterIP",
        change(*RUNNING[:2], {"service": {"clusterIP": "172.16.0.9"}}, state="RUNNING"),
    ),
    # 3: addresses
    (3, "two have one", "which Service/", change("object", TWO, {"clusterIP": "172.16.0.10"})),
    (3, "outside of the range", "lies outside", change("object", ONE, {"clusterIP": "10.0.0.9"})),
    (3, "the network", "is the network", change("object", ONE, {"clusterIP": "172.16.0.0"})),
    (3, "broadcast", "the broadcast", change("object", ONE, {"clusterIP": "172.31.255.255"})),
    (3, "the API server's", "API server's", change("object", ONE, {"clusterIP": "172.16.0.1"})),
    (3, "released twice", "released twice", twice("object", ONE, op="DELETED")),
    (
        3,
        "a node port outside",
        "outside of 30000",
        change("object", ONE, {"type": "NodePort", "ports": [{**PORT, "nodePort": 80}]}),
    ),
    (3, "no node port", "has none", change("object", ONE, {"type": "NodePort"})),
    (
        3,
        "a balancer's address outside",
        "lies",
        change("service", TWO, {"loadBalancerIP": "1.1.1.1"}),
    ),
    (3, "a balancer without", "of type ClusterIP", change("object", TWO, {"type": "ClusterIP"})),
    # 4: names
    (4, "another's name", "does not tell its run", change("object", ONE, {"workload": "other"})),
    (4, "a port twice", "is there twice", change("object", ONE, {"ports": [PORT, PORT]})),
    (4, "no such port", "is no port", change("object", ONE, {"ports": [{**PORT, "port": 0}]})),
    (4, "no port", "has no port", change("object", ONE, {"ports": []})),
    (
        4,
        "no label",
        "no DNS label",
        insert(RUNNING, "object", "Service/s-One", op="ADDED", clusterIP="", ports=[]),
    ),
    (
        4,
        "no subdomain",
        "no DNS subdomain",
        insert(RUNNING, "object", "Pod/a..b", op="ADDED", workload=""),
    ),
    (
        4,
        "a second Service",
        "has a Service already",
        insert(RUNNING, "object", "Service/t-one", op="ADDED", workload="one", ports=[PORT]),
    ),
    (
        4,
        "a URL of another host",
        "own host",
        change(*RUNNING[:2], {"service": {"url": "s-other:80"}}, state="RUNNING"),
    ),
    (
        4,
        "a URL of another port",
        "none of the service's ports",
        change(*RUNNING[:2], {"service": {"url": f"{service('one')}:81"}}, state="RUNNING"),
    ),
    # 5: what answers
    (5, "no endpoint", "is no ready endpoint", drop("endpoint", ONE, ready=True)),
    (5, "another pod", "is no ready endpoint", change("invocation", ONE, {"pod": pod("two")})),
    (5, "nobody there", "no such Service", _no_service),
    (
        5,
        "refused though ready",
        "was refused with 502",
        change("invocation", "Gateway", {"host": f"{service('one')}.digitalhub:80"}),
    ),
    (
        5,
        "answered though not ready",
        "answered with 200",
        change("invocation", "Gateway", {"status": 200}, status=503),
    ),
    (5, "an endpoint without a pod", "no such pod", change("endpoint", ONE, {"pod": "x"})),
    (5, "an endpoint before its pod", "and the pod is not", drop("pod", POD, ready=True)),
    (5, "an ending endpoint", "terminating", change("endpoint", ONE, {"terminating": True})),
    (
        5,
        "an alias from another",
        "its owner is",
        change("alias", f"Service/{ALIAS}", {"before": "x"}),
    ),
    (5, "an alias is not passed on", "which has ended", drop("alias", f"Service/{ALIAS}")),
    (5, "an alias is lost", "is gone, and Run/", _alias_is_lost),
    (5, "an alias goes back", "is RUNNING and newer", _alias_goes_back),
    (5, "another run's pod", "answers for it", drop(*LISTED, gone=True)),
    (
        5,
        "a pod is not listed",
        "is no ready endpoint of",
        drop(*LISTED, pod=pod("two")),
    ),
    # 6: invocations
    (6, "answered twice", "ends a second time", twice("answered", ONE)),
    (
        6,
        "answered and failed",
        "ends a second time",
        insert(("answered", ONE, {}), "failed", ONE, id="load/1", pod=""),
    ),
    (6, "never sent", "was never sent", change("answered", ONE, {"id": "load/7"})),
    (6, "sent twice", "a second time", twice("sent", ONE)),
    (6, "sent to nobody", "no ready endpoint", change("sent", ONE, {"pod": "x"})),
    (6, "answered by another", "has not been", change("answered", ONE, {"pod": pod("two")})),
    (6, "answered by nobody", "by no pod", change("answered", ONE, {"pod": ""})),
    (6, "a wrong latency", "have passed", change("answered", ONE, {"latency": SECOND})),
    (6, "a lost failure", "in flight", change(*TRAFFIC, {"failed": 0})),
    (
        6,
        "other counts",
        "and the rows of",
        change(*TRAFFIC, {"sent": 3, "in_flight": 1}),
    ),
    (6, "other outcomes", "their outcomes", change(*TRAFFIC, {"outcomes": {"200": 2, "500": 1}})),
    # 7: nodes
    (
        7,
        "too much",
        "holds 1200 of cpu",
        change("bind", OTHER, {"node": "node-1", "requests": {"cpu": 800}}),
    ),
    (7, "none of it", "nvidia.com/gpu", change("bind", POD, {"requests": {"nvidia.com/gpu": 1}})),
    (7, "no such node", "which is no node", change("bind", POD, {"node": "node-9"})),
    (7, "bound twice", "and is on node-1", twice("bind", POD)),
    (7, "no such pod", "it is not there", drop("object", POD, op="ADDED")),
    (
        7,
        "too many pods",
        "of pods",
        change(
            "object",
            "Node/node-1",
            {"allocatable": {**ALLOCATABLE, "pods": 0}},
        ),
    ),
    # 8: order
    (8, "a cause that follows", "does not come before", _cause_is_its_own),
    (8, "a gap", "follows row", _gap),
    (8, "time runs backwards", "time runs backwards", _time_goes_back),
    (8, "no header", "begins with", _headless),
    # 10: recovery
    (10, "still unhealthy", "is not healthy", _never_healthy_again),
    # 12: leftovers
    (
        12,
        "a Deployment",
        "still there",
        drop("object", "Deployment/d-containerserve-one", op="DELETED"),
    ),
    (12, "a pod", "still there", drop("object", POD, op="DELETED")),
    (12, "an address", "still there", drop("object", ONE, op="DELETED")),
    (
        12,
        "a slice",
        "still there",
        drop("object", SLICE, op="DELETED"),
    ),
    (
        12,
        "an endpoint",
        "has endpoints",
        insert(("endpoint", ONE, {"gone": True}), "endpoint", ONE, pod=pod("one"), ready=False),
    ),
    (12, "an invocation", "have not ended", drop("answered", ONE)),
    (12, "deleted twice", "it was not there", twice("object", POD, op="DELETED")),
    (12, "added twice", "it was there", twice("object", POD, op="ADDED")),
]


@pytest.mark.parametrize(
    ("invariant", "text", "spoil"),
    [pytest.param(each[0], each[2], each[3], id=f"{each[0]}: {each[1]}") for each in SPOILED],
)
def test_a_spoiled_journal_is_told(invariant: int, text: str, spoil: Mutation) -> None:
    found = check(spoil(everything()), only=[invariant])
    assert text in " / ".join(each.message for each in found)
    assert {each.invariant for each in found} == {invariant}


def test_every_invariant_is_broken_in_two_ways_at_least() -> None:
    ways = [each[0] for each in SPOILED]
    assert all(ways.count(number) >= 2 for number in ALONE if number != 10)  # 10: in the next file


def test_one_row_at_a_time_tells_the_same_as_all_at_once() -> None:
    spoil = drop("endpoint", ONE, ready=True)
    suite, found = Suite(), []
    for row in spoil(everything()):
        found += suite.feed(row)
    assert found + suite.finish() == check(spoil(everything()))


def test_the_story_of_a_run_is_what_its_status_tells() -> None:
    checker = Transitions()
    for row in everything():
        if checker.kinds is None or row.kind in checker.kinds:
            checker.feed(row)
    assert checker.story("one") == [
        *("BUILT", "READY", "PENDING", "RUNNING", "STOPPED", "DELETING", "DELETED")
    ]


def test_a_profile_has_the_ways_that_it_has() -> None:
    """Core ignores a stop of a run that is PENDING: contract section 3.3."""
    for profile, wrong in (("documented", 0), ("core-0.15", 1)):
        story = Story(profile=profile).moves("r", "CREATED", "BUILD", "BUILT", "RUN", "READY")
        story.moves("r", "READY", "STOP", "STOP", "STOP", "STOPPED")
        assert len(check(story.rows, only=[1])) == wrong


def test_a_world_that_was_started_again_begins_with_what_ran() -> None:
    for boot, wrong in ((0, 1), (1, 0)):
        story = Story(boot=boot).moves("r", "RUNNING", "STOP", "STOP")
        assert len(check(story.rows, only=[1])) == wrong


@pytest.mark.parametrize("name", ["first-service", "crash-and-pull"])
def test_the_scenarios_of_the_shelf_keep_every_invariant(name: str) -> None:
    result = run_scenario(load(name))
    assert result.failure is None
    assert check(result.rows, end_time=result.end) == []
