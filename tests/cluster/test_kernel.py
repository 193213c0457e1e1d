"""The kernel: order, cancelled timers, causes, and SimPy's own processes on top of it."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simpy import Environment, Interrupt, Resource
from simpy.core import EmptySchedule

from emulator.cluster.kernel import Kernel, Timer
from emulator.domain.journal import Journal


@pytest.fixture
def kernel() -> Kernel:
    return Kernel(Journal())


@pytest.fixture
def log() -> list[Any]:
    return []


def noting(kernel: Kernel, log: list[Any], what: object) -> Callable[[], None]:
    """A callback that notes the time and `what`."""
    return lambda: log.append((kernel.now, what))


def test_one_instant_is_first_come_first_served(kernel: Kernel, log: list[Any]) -> None:
    for name in "cab":
        kernel.call_at(5, noting(kernel, log, name))
    kernel.call_at(5, lambda: kernel.call_in(0, noting(kernel, log, "later")))
    kernel.call_at(5, noting(kernel, log, "last"))
    kernel.advance(5)
    assert log == [(5, "c"), (5, "a"), (5, "b"), (5, "last"), (5, "later")]


def test_advance_does_everything_at_the_instant_and_nothing_after(
    kernel: Kernel, log: list[Any]
) -> None:
    for time in (3, 7, 8):
        kernel.call_at(time, noting(kernel, log, time))
    kernel.advance(7)
    assert log == [(3, 3), (7, 7)]
    assert kernel.now == 7
    kernel.advance(7)
    kernel.advance(100)
    assert log[2:] == [(8, 8)]
    assert kernel.now == 100


def test_advance_never_turns_back(kernel: Kernel) -> None:
    kernel.advance(10)
    kernel.advance(4)
    assert kernel.now == 10


def test_the_past_is_refused(kernel: Kernel, log: list[Any]) -> None:
    kernel.advance(10)
    with pytest.raises(ValueError, match="cannot schedule at 9, it is 10 already"):
        kernel.call_at(9, noting(kernel, log, "never"))
    with pytest.raises(ValueError, match="cannot schedule at 9"):
        kernel.call_in(-1, noting(kernel, log, "never"))
    kernel.call_at(10, noting(kernel, log, "now"))
    kernel.advance(10)
    assert log == [(10, "now")]


def test_a_cancelled_timer_neither_fires_nor_moves_the_clock(
    kernel: Kernel, log: list[Any]
) -> None:
    timer = kernel.call_at(5, noting(kernel, log, "no"))
    kernel.call_at(9, noting(kernel, log, "yes"))
    timer.cancel()
    timer.cancel()
    assert kernel.peek() == 9
    kernel.step()
    assert log == [(9, "yes")]
    assert kernel.peek() == float("inf")
    with pytest.raises(EmptySchedule):
        kernel.step()


def test_cancelling_what_has_fired_is_harmless(kernel: Kernel, log: list[Any]) -> None:
    timer = kernel.call_at(5, noting(kernel, log, 1))
    kernel.call_at(5, timer.cancel)
    kernel.advance(5)
    timer.cancel()
    kernel.call_at(6, noting(kernel, log, 2))
    kernel.advance(6)
    assert log == [(5, 1), (6, 2)]


def test_a_timer_may_cancel_itself_and_its_neighbours(kernel: Kernel, log: list[Any]) -> None:
    timers: list[Timer] = []

    def first() -> None:
        log.append(kernel.now)
        for timer in timers:
            timer.cancel()

    timers.append(kernel.call_at(5, first))
    timers.append(kernel.call_at(5, noting(kernel, log, "no")))
    kernel.advance(9)
    assert log == [5]
    assert kernel.peek() == float("inf")


def test_cancelled_timers_are_swept_out(kernel: Kernel, log: list[Any]) -> None:
    kept = [kernel.call_at(1_000 - n, noting(kernel, log, n)) for n in range(10)]
    for n in range(5_000):
        kernel.call_at(10_000 + n, noting(kernel, log, "no")).cancel()
        assert len(kernel._queue) <= 2 * 64 + 2 * len(kept)
    kernel.advance(100_000)
    assert [what for _, what in log] == list(range(9, -1, -1))


def test_a_failing_callback_is_the_callers_to_see(kernel: Kernel, log: list[Any]) -> None:
    kernel.call_at(1, lambda: 1 // 0)
    kernel.call_at(1, noting(kernel, log, "after"))
    with pytest.raises(ZeroDivisionError):
        kernel.advance(1)
    kernel.advance(1)
    assert log == [(1, "after")]


def test_a_failing_callback_leaves_the_journal_written() -> None:
    sink = io.StringIO()
    kernel = Kernel(Journal(sink=sink))

    def fail() -> None:
        kernel.journal.record(kernel.now, "test", "last words")
        raise ZeroDivisionError

    kernel.call_at(1, fail)
    with pytest.raises(ZeroDivisionError):
        kernel.advance(1)
    assert "last words" in sink.getvalue()


def test_a_sweep_while_time_advances_loses_nothing(kernel: Kernel, log: list[Any]) -> None:
    """Cancelling rebuilds the queue under the feet of whoever steps through it."""
    late = [kernel.call_at(1_000 + n, noting(kernel, log, "no")) for n in range(500)]

    def cancel() -> None:
        for timer in late:
            timer.cancel()
        kernel.call_in(1, noting(kernel, log, "after"))

    kernel.call_at(1, cancel)
    kernel.call_at(3_000, noting(kernel, log, "end"))
    kernel.advance(5_000)
    assert log == [(2, "after"), (3_000, "end")]
    assert not kernel._queue


def test_run_while_stops_when_it_is_told(kernel: Kernel, log: list[Any]) -> None:
    for time in (1, 2, 3, 50):
        kernel.call_at(time, noting(kernel, log, time))
    kernel.run_while(lambda: len(log) < 2, 100)
    assert kernel.now == 2
    kernel.run_while(lambda: True, 10)
    assert log == [(1, 1), (2, 2), (3, 3)]
    assert kernel.now == 3


def test_processes_of_simpy_run_among_timers(kernel: Kernel, log: list[Any]) -> None:
    def worker(name: str) -> Generator[Any, Any, None]:
        with desk.request() as turn:
            yield turn
            yield kernel.timeout(10)
            log.append((kernel.now, name))

    desk = Resource(kernel, capacity=1)
    kernel.process(worker("first"))
    kernel.process(worker("second"))
    kernel.call_at(15, noting(kernel, log, "timer"))
    kernel.advance(100)
    assert log == [(10, "first"), (15, "timer"), (20, "second")]
    assert type(kernel.now) is int


def test_time_stays_an_integer_far_out(kernel: Kernel, log: list[Any]) -> None:
    """Beyond 2**53 a float would lose nanoseconds: that is 104 days."""
    far = 2**60 + 1

    def sleeper() -> Generator[Any, Any, None]:
        yield kernel.timeout(far)
        log.append(kernel.now)

    kernel.process(sleeper())
    kernel.call_at(far, lambda: log.append(kernel.now))
    kernel.advance(far + 1)
    assert log == [far, far]
    assert kernel.now == far + 1


def test_a_callback_runs_under_the_cause_of_its_making(kernel: Kernel) -> None:
    journal = kernel.journal

    def note(name: str, *then: str) -> Callable[[], None]:
        def act() -> None:
            journal.record(kernel.now, "test", name)
            for each in then:
                kernel.call_in(5, note(each))

        return act

    kernel.call_at(1, note("a", "a1", "a2"))
    kernel.call_at(2, note("b", "b1"))
    kernel.advance(100)
    by_number = {row.n: row.subject for row in journal.rows}
    assert {row.subject: by_number.get(row.cause, "") for row in journal.rows} == {
        "a": "",
        "b": "",
        "a1": "a",
        "a2": "a",
        "b1": "b",
    }
    assert journal.cause == 0


def test_a_process_of_simpy_has_no_cause(kernel: Kernel) -> None:
    def worker() -> Generator[Any, Any, None]:
        yield kernel.timeout(1)
        kernel.journal.record(kernel.now, "test", "worker")

    kernel.journal.record(0, "test", "before")
    kernel.process(worker())
    kernel.advance(5)
    assert kernel.journal.rows[-1].cause == 0


def _factory(env: Environment, plan: list[list[int]], trace: list[Any]) -> None:
    """Processes that wait, share a desk, and interrupt one another."""
    desk = Resource(env, capacity=1)
    started: list[Any] = []

    def worker(name: int, delays: list[int]) -> Generator[Any, Any, None]:
        for turn, delay in enumerate(delays):
            try:
                with desk.request() as mine:
                    yield mine | env.timeout(3)
                    yield env.timeout(delay)
                    trace.append((env.now, name, turn, mine.triggered))
            except Interrupt as interrupt:
                trace.append((env.now, name, turn, interrupt.cause))
            other = started[(name + delay) % len(started)]
            if delay % 3 == 0 and other.is_alive and other is not env.active_process:
                other.interrupt(name)

    started += [env.process(worker(name, delays)) for name, delays in enumerate(plan)]


@given(st.lists(st.lists(st.integers(0, 7), max_size=5), min_size=1, max_size=8))
def test_simpys_processes_leave_the_trace_that_simpy_leaves(plan: list[list[int]]) -> None:
    """SimPy's own Environment is the reference; dead timers lie in between."""
    traces: list[list[Any]] = []
    for env in (Environment(initial_time=0), Kernel(Journal())):
        trace: list[Any] = []
        if isinstance(env, Kernel):
            for time in range(20):
                env.call_at(time, lambda: None).cancel()
        _factory(env, plan, trace)
        if isinstance(env, Kernel):
            env.advance(10_000)
        else:
            env.run()
        traces.append(trace)
    assert traces[0] == traces[1]


@given(
    st.lists(st.tuples(st.integers(0, 20), st.none() | st.integers(0, 40)), min_size=1, max_size=60)
)
def test_any_schedule_fires_by_time_and_then_by_order(plan: list[tuple[int, int | None]]) -> None:
    """Each entry makes a timer and may cancel an earlier one, or itself."""
    kernel = Kernel(Journal())
    fired: list[tuple[int, int]] = []
    timers: list[Timer] = []
    cancelled: set[int] = set()

    def fire(index: int) -> Callable[[], None]:
        return lambda: fired.append((kernel.now, index))

    for index, (time, victim) in enumerate(plan):
        timers.append(kernel.call_at(time, fire(index)))
        if victim is not None and victim <= index:
            timers[victim].cancel()
            cancelled.add(victim)
    kernel.advance(30)
    kept = [(time, index) for index, (time, _) in enumerate(plan) if index not in cancelled]
    assert fired == sorted(kept)
