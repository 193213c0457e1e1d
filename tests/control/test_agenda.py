"""The agenda: one instant a run, the earliest that was asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from emulator.control.agenda import Agenda


def test_the_earliest_wins_and_is_given_out_once() -> None:
    agenda = Agenda()
    for time in (30, 10, 20):
        agenda.ask("a", time)
    agenda.ask("b", 10)
    assert agenda.next() == 10
    assert agenda.due(9) == []
    assert agenda.due(10) == ["a", "b"]
    assert agenda.due(100) == []
    assert agenda.next() is None


def test_what_was_dropped_is_forgotten() -> None:
    agenda = Agenda()
    agenda.ask("a", 10)
    agenda.ask("b", 20)
    agenda.drop("a")
    agenda.drop("a")
    assert agenda.next() == 20
    agenda.ask("a", 30)
    assert agenda.due(100) == ["b", "a"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 20)), min_size=1, max_size=30
    ),
    st.integers(0, 20),
)
def test_against_a_plain_dictionary(steps: list[tuple[str, int | None]], now: int) -> None:
    """A step asks for an instant, or drops the run."""
    agenda = Agenda()
    plain: dict[str, int] = {}
    for run, time in steps:
        if time is None:
            agenda.drop(run)
            plain.pop(run, None)
        else:
            agenda.ask(run, time)
            plain[run] = min(time, plain.get(run, time))
        assert agenda.next() == min(plain.values(), default=None)
    due = agenda.due(now)
    assert sorted(due) == sorted(run for run, time in plain.items() if time <= now)
    assert [plain[run] for run in due] == sorted(plain[run] for run in due)
