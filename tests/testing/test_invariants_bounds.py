"""The invariants that hold by an instant, or between two things: 9, 10, 11, and what excuses a delay."""

from __future__ import annotations

from typing import Any

import pytest
from journals import ALIAS, REQUESTS, Mutation, Story, change, drop, everything, pod, service

from emulator.domain.timefmt import SECOND
from emulator.testing.invariants import Survivor, check, same, survived
from emulator.testing.invariants.order import Sameness
from emulator.testing.invariants.recovery import BOUND, Recovery

LATER = BOUND + SECOND
RULE = "node.kubernetes.io/unreachable:NoSchedule"


# -- 9: two journals ------------------------------------------------------------------------------


def test_two_journals_of_one_world_are_the_same() -> None:
    assert same(everything(), everything()) is None


@pytest.mark.parametrize(
    ("spoil", "row"),
    [
        (change("command", "Run/one", {"verb": "x"}, verb="deploy"), 4),
        (lambda rows: rows[:-1], len(everything()) - 1),
        (lambda rows: [*rows, rows[-1]], len(everything())),
    ],
    ids=["another word", "a row less", "a row more"],
)
def test_the_first_row_that_differs_is_told(spoil: Mutation, row: int) -> None:
    found = same(spoil(everything()), everything())
    assert found is not None
    assert (found.invariant, found.row) == (9, row)


def test_the_order_of_keys_is_no_difference() -> None:
    one = Story().row("health", "Run/r", health="healthy", message="m").rows
    other = Story().row("health", "Run/r", message="m", health="healthy").rows
    assert check(one, only=[], checkers=[Sameness(other)]) == []


# -- 10: recovery -----------------------------------------------------------------------------------


def _struck(kind: str = "node-down", **header: Any) -> Story:
    """A run that was healthy, and that a fault has struck."""
    story = Story(**header).deploy("r", "172.16.0.9").wait(SECOND).fault("f", kind, "started")
    return story.health("r", "unhealthy").wait(SECOND)


def _broken(story: Story, **options: Any) -> list[str]:
    checker = Recovery(**options)
    return [
        each.message for each in check(story.rows, only=[], checkers=[checker], end_time=story.now)
    ]


def test_a_run_that_is_healthy_in_time_has_recovered() -> None:
    story = _struck().fault("f", "node-down", "ended").wait(BOUND).health("r", "healthy")
    assert _broken(story.wait(LATER)) == []


def test_a_run_that_stays_unhealthy_is_told_once_the_bound_is_over() -> None:
    story = _struck().fault("f", "node-down", "ended")
    assert _broken(story.wait(BOUND - SECOND)) == []
    assert _broken(story.wait(2 * SECOND)) == [
        f"Run/r is not healthy, {BOUND // SECOND} s after the last fault ended"
    ]


def test_nothing_is_asked_while_a_fault_is_at_work() -> None:
    assert _broken(_struck().wait(10 * LATER)) == []
    story = _struck().fault("g", "drain", "started").fault("f", "node-down", "ended")
    assert _broken(story.wait(10 * LATER)) == []
    assert len(_broken(story.fault("g", "drain", "healed").wait(LATER))) == 1


def test_a_run_that_stays_pending_is_told_unless_its_profile_lets_it() -> None:
    for profile, wrong in (("documented", 1), ("core-0.15", 0)):
        story = Story(profile=profile).fault("f", "pull-error", "started")
        story.moves("r", "CREATED", "BUILD", "BUILT", "RUN", "READY", "SCHEDULE", "PENDING")
        story.fault("f", "pull-error", "healed").wait(LATER)
        assert len(_broken(story)) == wrong


def test_the_bound_and_the_excused_are_the_callers() -> None:
    story = _struck().fault("f", "node-down", "ended").wait(20 * SECOND)
    assert _broken(story) == []
    assert len(_broken(story, bound=10 * SECOND)) == 1
    assert _broken(story, bound=10 * SECOND, excused={"r"}) == []


def test_a_container_that_ends_by_itself_need_not_recover() -> None:
    ended = {"code": 1, "reason": "Error", "restarts": 0}
    for fault, wrong in (({"fault": "f"}, 1), ({"fault": ""}, 0), ({}, 1)):
        story = _struck().row("exit", f"Pod/{pod('r')}", **ended, **fault)
        assert len(_broken(story.fault("f", "oom", "healed").wait(LATER))) == wrong
    calm = Story().deploy("r", "172.16.0.9").row("exit", f"Pod/{pod('r')}", **ended)
    calm.health("r", "unhealthy").fault("f", "oom", "started").fault("f", "oom", "healed")
    assert _broken(calm.wait(LATER)) == []


def _without_its_pod(free: int) -> Story:
    """A run whose replaced pod waits, on a cluster whose one node has `free` cpu left for it."""
    story = Story(nodes=1).deploy("r", "172.16.0.9").fault("f", "eviction", "started")
    story.health("r", "unhealthy").gone(f"Pod/{pod('r')}")
    story.added("Pod/other", workload="").row(
        "bind", "Pod/other", node="node-1", requests={"cpu": 1000 - free}
    )
    story.added(f"Pod/{pod('r', 1)}", owner="", workload="r")
    return story.fault("f", "eviction", "ended").wait(LATER)


def test_a_pod_that_fits_nowhere_need_not_be_placed_and_one_that_fits_must() -> None:
    asked = REQUESTS["cpu"]
    assert _broken(_without_its_pod(asked - 1)) == []
    assert len(_broken(_without_its_pod(asked))) == 1


def test_room_on_a_node_that_takes_no_pods_is_no_room() -> None:
    for told in ({"ready": "True", "unschedulable": True}, {"ready": "Unknown", "taints": [RULE]}):
        story = _without_its_pod(1000)
        story.rows.insert(20, story.row("node", "Node/node-1", **told).rows.pop())
        assert _broken(story) == []


# -- 11: a kill -------------------------------------------------------------------------------------


def _killed() -> Story:
    story = Story().deploy("up", "172.16.0.9").deploy("down", "172.16.0.8", "node-2").wait(SECOND)
    story.stop("down").deploy("gone", "172.16.0.7", "node-2").stop("gone").delete("gone")
    return story


KEPT = {"up": Survivor("RUNNING", service("up"), "172.16.0.9"), "down": Survivor("STOPPED")}


def test_what_was_acknowledged_is_there_after_a_kill() -> None:
    assert survived(_killed().rows, KEPT) == []
    later = {**KEPT, "up": Survivor("STOPPED")}
    assert survived(_killed().rows, later) == []  # a stop that came after the journal's end


@pytest.mark.parametrize(
    ("after", "text"),
    [
        ({"up": KEPT["up"]}, "Run/down was STOPPED before the kill, and is missing"),
        ({**KEPT, "down": Survivor("RUNNING")}, "Run/down was STOPPED"),
        ({**KEPT, "up": Survivor("PENDING")}, "Run/up was RUNNING"),
        ({**KEPT, "gone": Survivor("STOPPED")}, "Run/gone was DELETED"),
        ({**KEPT, "up": Survivor("RUNNING", "s-other")}, "Run/up was served as"),
        (
            {**KEPT, "up": Survivor("RUNNING", service("up"), "172.16.0.6")},
            "Run/up had the address",
        ),
    ],
    ids=["missing", "awake", "thrown back", "back again", "another name", "another address"],
)
def test_what_a_kill_has_changed_is_told(after: dict[str, Survivor], text: str) -> None:
    (found,) = survived(_killed().rows, after)
    assert found.invariant == 11
    assert text in found.message


def test_what_nobody_had_an_answer_to_may_be_missing() -> None:
    story = _killed()
    acknowledged = len(story.rows)
    story.moves("late", "CREATED", "BUILD", "BUILT")
    story.moves("down", "STOPPED", "DELETE", "DELETING")
    assert survived(story.rows, {"up": KEPT["up"]}, acknowledged) == []
    assert len(survived(story.rows, {"up": KEPT["up"]})) == 1  # `late`, when all were acknowledged


# -- delays that are excused ------------------------------------------------------------------------


def test_an_address_is_free_once_its_service_is_gone_and_not_before() -> None:
    story = Story().deploy("one", "172.16.0.9").wait(SECOND)
    reused = story.stop("one").deploy("two", "172.16.0.9").rows
    assert check(reused, only=[3]) == []
    kept = drop("object", f"Service/{service('one')}", op="DELETED")(reused)
    assert "which Service/s-containerserve-one holds" in check(kept, only=[3])[0].message


def test_a_pod_on_a_lost_node_stays_until_the_node_is_back() -> None:
    """Kubernetes facts section 8: it hangs Terminating."""
    story = Story().deploy("r", "172.16.0.9").row("node", "Node/node-1", ready="Unknown")
    story.row("run", "Run/r", before="RUNNING", event="STOP", state="STOP").tear_down("r")
    story.moves("r", "STOP", "STOP", "STOPPED").wait(1000 * SECOND)
    assert check(story.rows, only=[12], end_time=story.now) == []
    story.row("node", "Node/node-1", ready="True").wait(1000 * SECOND)
    found = check(story.rows, only=[12], end_time=story.now)
    assert [each.message for each in found] == [f"Run/r is over, and Pod/{pod('r')} is still there"]


def test_a_call_may_be_refused_while_a_fault_is_at_work() -> None:
    host = f"{service('r')}:80"
    story = Story().deploy("r", "172.16.0.9").fault("f", "network-loss", "started")
    story.refused(host, 502).fault("f", "network-loss", "healed")
    assert check(story.rows, only=[5]) == []
    assert len(check(story.refused(host, 502).rows, only=[5])) == 1
    story.rows.pop()
    assert check(story.refused(f"{service('r')}:81", 502).rows, only=[5]) == []  # no such port
    assert len(check(story.refused("172.16.0.9:80", 503).rows, only=[5])) == 1


def test_an_alias_that_the_platform_refused_is_missed_by_nobody() -> None:
    story = Story().deploy("r", "172.16.0.9")
    story.service("r", "172.16.0.8", ALIAS, alias=True).listed("r", 0, [ALIAS])
    story.gone(f"Service/{ALIAS}")
    lost = story.rows[:]
    assert len(check(lost, only=[5], end_time=story.now + LATER)) == 1
    story.row("event", f"Service/{ALIAS}", type="Warning", reason="AliasRefused", note="full")
    assert check(story.rows, only=[5], end_time=story.now + LATER) == []


def test_what_lies_in_another_namespace_is_told_apart() -> None:
    story = Story().deploy("r", "172.16.0.9")
    name = service("r")
    facts = {"type": "ClusterIP", "clusterIP": "172.16.0.8", "ports": [], "alias": False}
    story.added(f"Service/other/{name}", workload="", **facts)
    story.added("Pod/other/p", owner="", workload="")
    story.row("pod", "Pod/other/p", phase="Running", ready=True)
    story.row("endpoint", f"Service/other/{name}", pod="p", ready=True, terminating=False)
    assert check(story.rows) == []
