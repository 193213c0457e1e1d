"""Users, faults and time against all invariants.

The campaigns here have fixed seeds; `campaign` plays others by hand. Two bugs planted on the spot show
that what the machine finds is a scenario that anybody can repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from campaign import find
from chance import history
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from machine import machine
from player import Broken, Player, replay

from emulator.cluster.allocators import AddressAllocator, RangeAllocator
from emulator.cluster.faults import KINDS
from emulator.cluster.streams import Stream
from emulator.commands.group import root
from emulator.scenario.loader import Loaded, load, parse
from emulator.scenario.runner import run_scenario
from emulator.testing.actions import Action, Fault, render
from emulator.testing.invariants import check
from emulator.testing.judge import Judge


def _play(found: Path, examples: int, number: int = 1) -> dict[str, int]:
    """A seeded campaign of the machine; how often each kind of fault began. Raises Broken."""
    life = machine(found=found)
    run_state_machine_as_test(
        seed(number)(life),
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            phases=(Phase.generate,),
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return life.begun


def test_nothing_breaks_an_invariant(tmp_path: Path) -> None:
    _play(tmp_path / "found.yaml", 25)


@pytest.mark.slow  # some 250 worlds
def test_nothing_breaks_an_invariant_in_a_long_campaign(tmp_path: Path) -> None:
    begun = _play(tmp_path / "found.yaml", 250, 2)
    assert set(begun) == set(KINDS)


@pytest.mark.slow  # some 200 worlds
def test_nothing_that_happens_by_chance_breaks_an_invariant() -> None:
    for number in range(200):
        player, actions = history(number)
        broken = player.whole(actions)
        assert broken is None, broken


# -- every fault ---------------------------------------------------------------------------------


@pytest.mark.slow  # a world for each fault of some hundred histories
def test_every_kind_of_fault_begins_and_bites() -> None:
    """A fault bites where its history without it has other rows, those of faults apart."""
    begun = dict.fromkeys(KINDS, 0)
    bitten = dict.fromkeys(KINDS, 0)
    for number in range(200):
        player, actions = history(number)
        assert player.whole(actions) is None
        made = _rows(player, player.actions)
        for fault in [each for each in player.actions if isinstance(each, Fault)]:
            begun[fault.kind] += 1
            if not bitten[fault.kind]:
                rest = [each for each in player.actions if each is not fault]
                bitten[fault.kind] += _rows(player, rest) != made
        if all(bitten.values()):
            break
    assert [kind for kind in KINDS if not begun[kind]] == []
    assert {kind: begun[kind] for kind in KINDS if not bitten[kind]} == {}


def _rows(player: Player, actions: list[Action]) -> list[tuple[Any, ...]]:
    """What happens by these actions in the player's kind of world."""
    rows = replay(player.setting, actions).journal.rows
    return [(row.t, row.kind, row.subject, row.data) for row in rows if row.kind != "fault"]


# -- planted bugs --------------------------------------------------------------------------------


def _never_released(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AddressAllocator, "release", lambda self, address: None)


def _given_twice(patch: pytest.MonkeyPatch) -> None:
    def allocate(self: RangeAllocator, stream: Stream) -> int:
        return self.static + stream.below(min(4, self.size - self.static))

    patch.setattr(RangeAllocator, "allocate", allocate)
    patch.setattr(RangeAllocator, "release", lambda self, offset: None)


@pytest.mark.parametrize("plant", [_never_released, _given_twice])
def test_a_bug_is_found_and_its_scenario_repeats_it(
    plant: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "found.yaml"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(Broken) as caught:
            _play(file, 200)
        broken = caught.value
        assert broken.scenario == file.read_text(encoding="utf-8")
        assert str(file.read_text(encoding="utf-8")) in str(broken)
        assert broken.violations[0].invariant == 3
        loaded = load(str(file))
        assert len(loaded.scenario.steps) <= 12
        result = run_scenario(loaded, judge=Judge)
        assert result.failure is None
        assert result.violations[0].startswith("invariant 3")
        told = CliRunner().invoke(root, ["sim", "--invariants", str(file)])
        assert told.exit_code == 1
        assert "invariant 3" in told.stderr
    assert run_scenario(load(str(file)), judge=Judge).violations == []
    assert CliRunner().invoke(root, ["sim", "--invariants", str(file)]).exit_code == 0


def test_what_only_rows_tell_is_in_the_journal_of_the_scenario(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _given_twice(monkeypatch)
    found = find(1, 60.0)
    assert found is not None
    assert found.invariant == 3
    result = run_scenario(Loaded(parse(found.scenario), found.scenario, "<found>"))
    assert check(result.rows, end_time=result.end)[0].invariant == 3


def test_an_exception_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    def release(self: AddressAllocator, address: str) -> None:
        raise RuntimeError(f"{address} is lost")

    monkeypatch.setattr(AddressAllocator, "release", release)
    found = find(1, 60.0)
    assert found is not None
    assert found.invariant == 0
    assert "is lost" in found.message


# -- what holds the machine together -------------------------------------------------------------


def test_the_scenario_of_a_history_is_the_history() -> None:
    """Row by row, but for the header, which names the file."""
    player, actions = history(11)
    assert player.whole(actions) is None
    text = render(player.actions, player.setting)
    result = run_scenario(Loaded(parse(text), text, "<history>"), judge=Judge)
    assert result.failure is None
    assert result.violations == []
    assert [row.line() for row in result.rows[1:]] == [
        row.line() for row in player.world.journal.rows[1:]
    ]


def test_the_judge_changes_nothing() -> None:
    player, actions = history(12)
    assert player.whole(actions) is None
    assert replay(player.setting, player.actions).journal.sha256 == player.world.journal.sha256
