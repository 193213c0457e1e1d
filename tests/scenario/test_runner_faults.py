"""Faults in a scenario: as steps, and beside them."""

from __future__ import annotations

from emulator.domain.timefmt import MINUTE, SECOND
from emulator.scenario.loader import Loaded, load, parse
from emulator.scenario.result import Result
from emulator.scenario.runner import run_scenario

HEAD = """
scenario: 1
name: probe
functions:
  - {name: hello, kind: container, spec: {image: acme/hello}}
"""
WEB = """
  - {deploy: hello, as: web, spec: {service_ports: [{port: 80, target_port: 8080}]}}
"""
READY = "  - {assert: {run: web, state: RUNNING}, when: {run: web, health: healthy}}\n"


def run(steps: str, extra: str = "") -> Result:
    """Runs HEAD with these steps."""
    source = f"{HEAD}{extra}steps:{steps}"
    return run_scenario(Loaded(parse(source), source, "probe.yaml"))


def faults(result: Result) -> list[tuple[int, str, str]]:
    """When, which fault, what: every row of a fault."""
    return [
        (row.t, row.subject.removeprefix("Fault/"), row.data["op"])
        for row in result.rows
        if row.kind == "fault"
    ]


def test_a_fault_of_the_section_begins_at_its_time_whatever_the_steps_do() -> None:
    extra = """
faults:
  - {fault: api-latency, at: 90s, for: 1m, attributes: {delay: 2s}}
  - {fault: hang, as: early, target: run/web}
"""
    result = run(WEB, extra)
    assert result.failure is None
    assert faults(result) == [
        (0, "early", "started"),
        (90 * SECOND, "api-latency", "started"),
        (150 * SECOND, "api-latency", "ended"),
    ]
    assert result.end == 150 * SECOND


def test_a_fault_is_a_step_and_its_healing_too() -> None:
    steps = (
        WEB
        + READY
        + """
  - {fault: upstream-5xx, target: run/web, as: broken, attributes: {status: 502}, at: 1m}
  - {invoke: web, expect: {status: 502}}
  - heal: broken
  - {invoke: web, expect: {status: 200}}
  - {fault: network-partition, target: function/hello}
  - {fault: hang}
  - {heal: all, after: 1m}
  - {invoke: web, expect: {status: 200}}
"""
    )
    result = run(steps)
    assert result.failure is None, result.failure
    assert faults(result) == [
        (MINUTE, "broken", "started"),
        (MINUTE, "broken", "healed"),
        (MINUTE, "network-partition", "started"),
        (MINUTE, "hang", "started"),
        (2 * MINUTE, "hang", "healed"),
        (2 * MINUTE, "network-partition", "healed"),
    ]


def test_a_call_that_hears_nothing_takes_its_time_and_is_refused() -> None:
    steps = WEB + READY + "  - fault: hang\n    at: 1m\n  - {invoke: web, expect: {status: 502}}\n"
    result = run(steps)
    assert result.failure is None, result.failure
    assert result.answers[0].time == MINUTE + 131 * SECOND
    assert b"has said nothing for 131 s" in result.answers[0].body


def test_a_fault_that_is_over_cannot_be_healed() -> None:
    result = run(WEB + "  - {fault: oom, for: 1s}\n  - {heal: oom, after: 2s}\n")
    assert result.failure is not None
    assert result.failure.step == 2
    assert "name: 'oom' is not the name of a fault" in result.failure.message


def test_the_scenario_of_the_shelf_shows_three_faults() -> None:
    result = run_scenario(load("faults"))
    assert result.failure is None, result.failure
    kinds = [row.data["fault"] for row in result.rows if row.kind == "fault"]
    assert list(dict.fromkeys(kinds)) == ["pull-error", "crash-loop", "zone-loss"]
