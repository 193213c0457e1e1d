"""The heir of an alias without a look through all runs: the same as the look would find."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from emulator.control.aliases import Aliases
from emulator.control.entities import Entity, Run, Type
from emulator.control.repository import Repository
from emulator.domain.container import CONTAINER
from emulator.domain.lifecycle import State
from emulator.domain.quirks import DOCUMENTED

NAMES = ("blue", "latest")


def make_run(number: int, created: int, names: tuple[str, ...]) -> Run:
    """A run that may own these aliases."""
    run = Run(f"r{number}", f"r{number}", CONTAINER, "p", "u", created, {}, {}, DOCUMENTED)
    run.order = number
    run.alias_names = names
    return run


def newest(runs: list[Run], name: str) -> Run | None:
    """The rule as it is written: the newest run that is RUNNING among those that may own it."""
    able = [run for run in runs if run.state is State.RUNNING and name in run.alias_names]
    return max(able, key=lambda run: (run.created, run.order), default=None)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sets(st.sampled_from(NAMES)).map(sorted).map(tuple)),
        max_size=12,
    ),
    st.lists(st.tuples(st.integers(0, 11), st.booleans()), max_size=40),
)
def test_an_alias_goes_to_the_newest_that_runs(
    plan: list[tuple[int, tuple[str, ...]]], steps: list[tuple[int, bool]]
) -> None:
    runs = [make_run(n, created, names) for n, (created, names) in enumerate(plan)]
    aliases = Aliases(DOCUMENTED)
    for number, starts in steps:
        if number >= len(runs):
            continue
        run = runs[number]
        if starts and run.state is State.CREATED:
            run.state = State.RUNNING
            aliases.may_inherit(run)
            aliases.on_running(run)
        elif not starts and run.state in (State.CREATED, State.RUNNING):
            owned = aliases.owned(run)
            run.state = State.STOP
            heirs = aliases.on_end(run)
            expected = {newest(runs, name) for name in owned} - {None}
            assert set(heirs) == expected
        for name in NAMES:
            owner = next((each for each in runs if name in aliases.owned(each)), None)
            assert owner is newest(runs, name)
    for run in runs:
        run.state = State.STOP
        aliases.on_end(run)
    assert not aliases._owner
    assert not aliases._heirs


def test_many_that_end_do_not_pile_up() -> None:
    aliases = Aliases(DOCUMENTED)
    runs = [make_run(number, number, ("latest",)) for number in range(500)]
    for number, run in enumerate(runs):
        run.state = State.RUNNING
        aliases.may_inherit(run)
        aliases.on_running(run)
        if number >= 10:
            runs[number - 10].state = State.STOP
            aliases.on_end(runs[number - 10])
        assert len(aliases._heirs["latest"]) <= 25


def function(identifier: str) -> Entity:
    """A function of a project."""
    return Entity(Type.FUNCTION, identifier, "f", "container", "p", "u", 0, {}, {})


def test_what_came_and_went_between_two_drains_is_not_announced() -> None:
    repository, entity = Repository(), function("a")
    repository.add(entity)
    repository.remove(entity)
    assert repository.drain() == {}


def test_what_is_stored_and_gone_is_announced_whatever_became_of_its_name() -> None:
    repository, first, again = Repository(), function("a"), function("a")
    key = (Type.FUNCTION, "a")
    repository.add(first)
    assert repository.drain() == {key: first}
    repository.remove(first)
    assert repository.drain() == {key: None}
    repository.add(first)
    assert repository.drain() == {key: first}
    repository.remove(first)
    repository.add(again)
    repository.remove(again)
    assert repository.drain() == {key: None}
