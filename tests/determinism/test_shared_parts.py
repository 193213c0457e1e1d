"""What services share: the place of a shared timer, the cause of a shared wake-up, a client's tickets.

Rules: neither who asked first nor an object's place in memory decides anything for another.
"""

from __future__ import annotations

import gc
import weakref
from functools import partial

from support import deploy, make_world, until

from emulator.cluster.controllers.queue import Client
from emulator.cluster.kernel import Kernel
from emulator.cluster.settings import ClientRate
from emulator.control.entities import Run
from emulator.domain.journal import Journal
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import SECOND


def test_a_late_call_comes_after_all_of_its_instant_in_its_turn_however_early_it_was_asked_for() -> (
    None
):
    kernel = Kernel(Journal())
    done: list[str] = []
    kernel.call_late(5, partial(done.append, "second"), 2)
    kernel.call_late(5, partial(done.append, "first"), 1)
    kernel.call_at(5, lambda: kernel.call_at(5, partial(done.append, "child")))
    kernel.call_at(5, partial(done.append, "plain"))
    kernel.call_late(4, partial(done.append, "earlier"), 2)
    kernel.advance(5)
    assert done == ["earlier", "plain", "child", "first", "second"]


def test_a_late_call_can_be_taken_back() -> None:
    kernel = Kernel(Journal())
    done: list[str] = []
    kernel.call_late(5, partial(done.append, "never")).cancel()
    assert kernel.peek() == float("inf")
    kernel.advance(5)
    assert done == []


def test_two_runs_that_are_woken_together_have_each_its_own_cause() -> None:
    """They come to RUNNING by one wake-up, and the row that led there is about their own pod."""
    world = make_world()
    runs = [deploy(world, id=name) for name in ("one", "two")]

    def running(run: Run) -> bool:
        return run.state is State.RUNNING

    until(world, lambda: all(map(running, runs)))
    by_number = {row.n: row for row in world.journal.rows}
    told = [row for row in world.journal.rows if row.data.get("state") == "RUNNING"]
    assert len({row.t for row in told}) == 1
    for row, name in zip(told, ("one", "two"), strict=True):
        assert row.subject == f"Run/{name}"
        assert f"-{name}" in by_number[row.cause].subject


class _Work:
    """Something that is to be looked at."""


def _empty() -> Client:
    client = Client(ClientRate(1, 1))
    assert client.take(0) == 0
    return client


def test_who_has_waited_goes_on_without_another_token() -> None:
    client, one, two = _empty(), _Work(), _Work()
    assert client.admit(one, 0) == SECOND
    assert client.admit(two, 0) == 2 * SECOND
    assert client.admit(one, SECOND) == 0
    assert client.admit(two, 2 * SECOND) == 0
    assert client.admit(one, 2 * SECOND) == SECOND


def test_a_ticket_that_nobody_uses_is_nobody_elses_and_is_let_go() -> None:
    """Work that has gone meanwhile: whatever comes to lie where it lay has to wait as others do."""
    client = _empty()
    gone = _Work()
    assert client.admit(gone, 0) == SECOND
    held = weakref.ref(gone)
    del gone
    others = [_Work() for _ in range(100)]
    waits = [client.admit(each, 0) for each in others]
    assert waits == [(number + 2) * SECOND for number in range(100)]
    client.admit(others[-1], 200 * SECOND)
    gc.collect()
    assert held() is None
