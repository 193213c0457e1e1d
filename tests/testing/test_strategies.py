"""Actions and the scenario files that repeat them: what is drawn is lawful, and is read back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from emulator.cluster.faults import KINDS, make
from emulator.domain.timefmt import MINUTE, SECOND, parse_duration
from emulator.scenario.loader import Loaded, parse
from emulator.scenario.runner import run_scenario
from emulator.testing.actions import (
    Action,
    Advance,
    Delete,
    Deploy,
    Fault,
    Heal,
    Invoke,
    Load,
    Resume,
    Setting,
    Stop,
    Version,
    duration_text,
    render,
)
from emulator.testing.invariants import check
from emulator.testing.strategies import BEHAVIOURS, WHERE, Targets, faults, histories

SETTING = Setting(seed=7, behaviours=BEHAVIOURS, cluster={"service_range": "10.0.0.0/24"})


@given(histories(length=8))
@settings(max_examples=20)
def test_a_history_is_a_scenario_that_loads(actions: list[Action]) -> None:
    scenario = parse(render(actions, SETTING))
    steps = [each for each in actions if not isinstance(each, Advance)]
    assert len(scenario.steps) == len(steps)
    end = sum(each.duration for each in actions if isinstance(each, Advance))
    assert scenario.until == end + SETTING.rest
    assert scenario.seed == 7


@given(st.integers(0, 10**18))
def test_a_duration_is_read_back_as_it_was(duration: int) -> None:
    assert parse_duration(duration_text(duration)) == duration


def test_a_history_runs_as_a_scenario_and_keeps_the_invariants() -> None:
    actions: list[Action] = [
        Deploy("a", "good", replicas=2, service_name="blue", service_type="NodePort"),
        Advance(MINUTE),
        Invoke("a"),
        Deploy("b", "good", service_name="blue", resources=(("cpu", "500m"),)),
        Advance(MINUTE),
        Stop("b"),
        Advance(MINUTE),
        Delete("a"),
    ]
    text = render(actions, SETTING)
    result = run_scenario(Loaded(parse(text), text, "<found>"))
    assert result.failure is None
    assert [answer.status for answer in result.answers] == [200]
    assert check(result.rows, end_time=result.end) == []


def test_a_fault_is_a_step_at_its_instant_and_with_its_end() -> None:
    actions: list[Action] = [
        Deploy("a", "good"),
        Advance(10 * SECOND),
        Fault("slow-start", "run/a", (("delay", "2s"),), 30 * SECOND, name="late"),
        Fault("node-down", "node/node-1"),
        Resume("a", refused=True),
        Heal("late"),
        Heal(),
    ]
    text = render(actions)
    assert YAML(typ="safe", pure=True).load(text)["steps"][1:] == [
        {
            "fault": "slow-start",
            "target": "run/a",
            "as": "late",
            "for": "30s",
            "attributes": {"delay": "2s"},
            "at": "10s",
        },
        {"fault": "node-down", "target": "node/node-1", "at": "10s"},
        {"resume": "a", "refused": True, "at": "10s"},
        {"heal": "late", "at": "10s"},
        {"heal": "all", "at": "10s"},
    ]
    result = run_scenario(Loaded(parse(text), text, "<found>"))
    assert result.failure is None
    assert [row.data["op"] for row in result.rows if row.kind == "fault"] == [
        "started",
        "started",
        "healed",
        "healed",
    ]


def test_a_load_and_a_new_version_are_steps() -> None:
    actions: list[Action] = [
        Deploy("a", "good"),
        Advance(MINUTE),
        Load("a", "calls", users=2, count=5, timeout=SECOND, retries=1),
        Version("good"),
        Deploy("b", "good"),
    ]
    text = render(actions, SETTING)
    result = run_scenario(Loaded(parse(text), text, "<found>"))
    assert result.failure is None
    assert result.loads["calls"].answered == 5
    versions = [result.runs[name].spec["function"] for name in ("a", "b")]
    assert len(set(versions)) == 2
    assert len({version.rpartition(":")[0] for version in versions}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_is_drawn_with_its_attributes_and_an_end(kind: str) -> None:
    drawn = faults(Targets(["a"], ["node-1"], ["z"]), [kind])

    @given(drawn)
    @settings(max_examples=5)
    def holds(fault: Fault) -> None:
        assert fault.kind == kind
        assert fault.target.partition("/")[0] in WHERE[kind]
        made = make(fault.kind, target=fault.target, attributes=dict(fault.attributes))
        assert made.target.text == fault.target
        assert fault.duration

    holds()


def test_a_fault_without_a_target_is_not_drawn() -> None:
    @given(faults(Targets(), ["zone-loss"]))
    def draws(fault: Fault) -> None:
        raise AssertionError(fault)

    with pytest.raises(ValueError, match="zone-loss has a target"):
        draws()


@given(histories(nodes=["node-1"], zones=["z"], kinds=list(KINDS)))
@settings(max_examples=30)
def test_a_run_is_named_only_once_it_was_deployed(actions: list[Action]) -> None:
    there: set[str] = set()
    stopped: set[str] = set()
    for action in actions:
        if isinstance(action, Deploy):
            assert action.run not in there | stopped
            there.add(action.run)
        elif isinstance(action, Stop | Delete):
            assert action.run in there
            assert not (isinstance(action, Stop) and action.run in stopped)
            stopped.add(action.run)
            if isinstance(action, Delete):
                there.remove(action.run)
        elif isinstance(action, Invoke):
            assert action.run in there
        elif isinstance(action, Fault) and action.target.startswith("run/"):
            assert action.target.removeprefix("run/") in there
