"""Parts of the invariants that have a rule of their own: what is said of health (2), evictions (8),
back-offs (10), and what is left of pods and calls (12). Sources: the modules of the checkers name them.
"""

from __future__ import annotations

from typing import Any

import pytest
from journals import Story, drop, pod, service

from emulator.domain.timefmt import SECOND
from emulator.testing.invariants import check
from emulator.testing.invariants.evictions import PATIENCE
from emulator.testing.invariants.leftovers import CALLS, GRACE
from emulator.testing.invariants.order import Order
from emulator.testing.invariants.restarts import RESET_AFTER
from emulator.testing.invariants.runs import NOTICE

POD = f"Pod/{pod('r')}"
SERVICE = f"Service/{service('r')}"
UNREACHABLE = "node.kubernetes.io/unreachable:NoExecute"
OTHER = "example.com/maintenance:NoExecute"


def _told(story: Story, invariant: int) -> str:
    found = check(story.rows, only=[invariant], end_time=story.now)
    return " / ".join(each.message for each in found)


def _deployed() -> Story:
    return Story().deploy("r", "172.16.0.9").wait(SECOND)


# -- 2 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("profile", "wrong"), [("documented", True), ("core-0.15", False)])
def test_what_is_running_has_an_endpoint_where_that_is_promised(profile: str, wrong: bool) -> None:
    story = Story(profile=profile).deploy("r", "172.16.0.9")
    story.rows = drop("endpoint", SERVICE, ready=True)(story.rows)
    assert ("has no ready endpoint" in _told(story, 2)) is wrong


def test_who_says_that_he_is_healthy_has_all_his_pods_soon() -> None:
    story = _deployed().gone(POD).wait(NOTICE - SECOND)
    assert _told(story, 2) == ""
    assert "0 of 1 pods are ready" in _told(story.wait(SECOND), 2)


def test_a_pod_that_is_replaced_in_time_is_not_missed() -> None:
    story = _deployed().gone(POD).wait(NOTICE // 2).schedule("r", 1).ready("r", 1)
    assert _told(story.wait(2 * NOTICE), 2) == ""


def test_a_health_that_follows_in_time_is_true() -> None:
    story = _deployed().gone(POD).wait(NOTICE // 2).health("r", "unhealthy").wait(2 * NOTICE)
    assert _told(story, 2) == ""


def test_nothing_is_asked_of_a_health_while_a_fault_is_at_work() -> None:
    story = _deployed().fault("f", "api-latency", "started").gone(POD).wait(10 * NOTICE)
    assert _told(story, 2) == ""
    assert _told(story.fault("f", "api-latency", "healed").wait(NOTICE - SECOND), 2) == ""
    assert "is healthy" in _told(story.wait(NOTICE), 2)


# -- 8 ------------------------------------------------------------------------------------------------


def _tainted(*taints: str) -> Story:
    story = _deployed()
    return _taint(story, *taints)


def _taint(story: Story, *taints: str) -> Story:
    state: dict[str, Any] = {"ready": "Unknown" if taints else "True", "unschedulable": False}
    return story.row("node", "Node/node-1", taints=list(taints), **state)


def _evict(story: Story) -> Story:
    note = f"Marking for deletion Pod digitalhub/{pod('r')}"
    return story.row("event", POD, type="Normal", reason="TaintManagerEviction", note=note)


@pytest.mark.parametrize(
    ("patience", "wrong"), [(0, "for 0 s only"), (PATIENCE - 1, "for 299 s only"), (PATIENCE, "")]
)
def test_a_pod_bears_the_taint_of_a_lost_node_for_300_seconds(patience: int, wrong: str) -> None:
    told = _told(_evict(_tainted(UNREACHABLE).wait(patience)), 8)
    assert (wrong in told) if wrong else not told


def test_any_other_taint_may_evict_at_once() -> None:
    assert _told(_evict(_tainted(UNREACHABLE, OTHER)), 8) == ""


def test_nobody_is_evicted_without_a_taint() -> None:
    assert "has no NoExecute taint" in _told(_evict(_deployed()), 8)
    gone = _taint(_tainted(UNREACHABLE).wait(PATIENCE)).wait(SECOND)
    assert _told(_evict(gone), 8) == ""  # planned before, and heard of a little later
    gone = _taint(_tainted(UNREACHABLE).wait(PATIENCE)).wait(60 * SECOND)
    assert "for long" in _told(_evict(gone), 8)


def test_a_plan_outlives_a_taint_that_comes_back() -> None:
    story = _taint(_taint(_tainted(UNREACHABLE).wait(SECOND)).wait(SECOND), UNREACHABLE)
    assert _told(_evict(story.wait(PATIENCE - 2 * SECOND)), 8) == ""


def test_the_patience_is_the_callers() -> None:
    story = _evict(_tainted(UNREACHABLE).wait(SECOND))
    assert check(story.rows, only=[], checkers=[Order(patience=SECOND)]) == []


# -- 10 -----------------------------------------------------------------------------------------------


def _start(story: Story) -> Story:
    return story.row("event", POD, type="Normal", reason="Started", note="Container started")


def _end(story: Story, restarts: int) -> Story:
    story.row("exit", POD, code=1, reason="Error", restarts=restarts)
    note = "Back-off restarting failed container c in pod p"
    return story.row("event", POD, type="Warning", reason="BackOff", note=note)


def test_the_first_end_of_a_container_is_followed_by_no_back_off() -> None:
    assert "has ended for the first time" in _told(_end(_start(_deployed()), 0), 10)
    assert _told(_end(_start(_deployed()), 1), 10) == ""


@pytest.mark.parametrize(
    ("ran", "wrong"), [(RESET_AFTER, ""), (RESET_AFTER + SECOND, "after 601 s")]
)
def test_a_long_run_resets_the_back_off(ran: int, wrong: str) -> None:
    told = _told(_end(_start(_deployed()).wait(ran), 3), 10)
    assert (wrong in told) if wrong else not told


def test_a_start_that_was_not_written_tells_nothing() -> None:
    story = _end(_start(_deployed()), 1).wait(2 * RESET_AFTER)
    assert _told(_end(story, 2), 10) == ""


# -- 12 -----------------------------------------------------------------------------------------------


def test_a_pod_that_is_gone_is_no_endpoint() -> None:
    flags = {"ready": False, "serving": True, "terminating": True}
    story = _deployed().row("endpoint", SERVICE, pod=pod("r"), **flags).gone(POD)
    assert "still an endpoint" in _told(story.wait(GRACE + SECOND), 12)


def test_what_was_sent_to_a_service_ends_after_it() -> None:
    story = _deployed().row("sent", SERVICE, id="load/1", pod="").wait(SECOND)
    story.stop("r").wait(CALLS - 2 * SECOND)
    assert _told(story, 12) == ""
    assert "in flight" in _told(story.wait(2 * SECOND), 12)


def test_what_ends_in_time_is_not_left() -> None:
    story = _deployed().row("sent", SERVICE, id="load/1", pod="").stop("r")
    story.row("failed", SERVICE, id="load/1", pod="", reason="reset", latency=SECOND)
    assert _told(story.wait(2 * CALLS), 12) == ""
