"""A scenario's run: its order, its failures, its journal."""

from __future__ import annotations

import hashlib
import io
import textwrap

import pytest

from emulator.domain.journal import read_line
from emulator.domain.timefmt import MINUTE, SECOND
from emulator.scenario.loader import Loaded, load, parse
from emulator.scenario.result import Result
from emulator.scenario.runner import run_scenario
from emulator.world import World

HEAD = """
scenario: 1
name: probe
functions:
  - {name: hello, kind: container, spec: {image: "hashicorp/http-echo:1.0"}}
"""
WEB = """
  - deploy: hello
    as: web
    spec: {args: ["-text=hi"], service_ports: [{port: 80, target_port: 5678}]}
"""


def run(steps: str, extra: str = "", **options: object) -> Result:
    """Runs HEAD with these steps."""
    source = f"{HEAD}{textwrap.dedent(extra)}steps:{steps}"
    loaded = Loaded(parse(source), source, "probe.yaml")
    return run_scenario(loaded, **options)  # type: ignore[arg-type]  # the options of the runner


def test_the_first_scenario_is_answered_and_ends_stopped() -> None:
    result = run_scenario(load("first-service"))
    assert result.failure is None
    assert [answer.status for answer in result.answers] == [200]
    assert result.answers[0].body == b"hello from DigitalHub\n"
    assert result.runs["web"].state == "STOPPED"
    assert result.services["web"]["clusterIP"] == "172.16.143.129"


def test_the_journal_in_the_file_is_the_journal_that_is_hashed() -> None:
    sink = io.StringIO()
    result = run_scenario(load("first-service"), sink=sink)
    text = sink.getvalue()
    assert hashlib.sha256(text.encode()).hexdigest() == result.sha256
    rows = [read_line(line) for line in text.splitlines()]
    assert [row.n for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0].data["seed"] == 246968
    assert rows[0].data["scenario"] == "first-service"


def test_the_same_seed_is_the_same_journal_and_another_is_not() -> None:
    digests = [run_scenario(load("first-service"), seed=seed).sha256 for seed in (5, 5, 6)]
    assert digests[0] == digests[1] != digests[2]


def test_steps_keep_their_times() -> None:
    result = run(
        WEB
        + """
  - stop: web
    at: 1m
  - delete: web
    after: 10s
"""
    )
    assert result.failure is None
    commands = [(row.data["verb"], row.t) for row in result.rows if row.kind == "command"]
    assert commands[-3:] == [("deploy", 0), ("stop", MINUTE), ("delete", 70 * SECOND)]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{assert: {run: web, state: RUNNING}}", "run web is READY, not RUNNING"),
        ("{assert: {run: web, health: healthy}}", "run web is starting, not healthy"),
        (
            "{assert: {run: web, message: nothing like it}, when: {run: web, state: RUNNING}}",
            "run web says '', not 'nothing like it'",
        ),
        (
            "{invoke: web, when: {run: web, state: RUNNING}, expect: {status: 404}}",
            "answered 200, expected 404: hi",
        ),
        (
            '{invoke: web, when: {run: web, state: RUNNING}, expect: {body: "ho"}}',
            r"answered 'hi\n', expected 'ho'",
        ),
        (
            "{stop: web, when: {run: web, state: STOPPED, timeout: 5s}}",
            "waited 5.000s, and run web is RUNNING, not STOPPED",
        ),
    ],
)
def test_what_is_not_as_it_says_ends_the_run(step: str, message: str) -> None:
    result = run(f"{WEB}  - {step}\n  - delete: web\n")
    assert result.failure is not None
    assert result.failure.step == 1
    assert message in result.failure.message
    assert "web" in result.runs
    assert result.runs["web"].state != "DELETED", "no step after the failure was done"


def test_an_invocation_before_ready_is_refused_as_the_gateway_refuses() -> None:
    result = run(WEB + "  - {invoke: web, after: 1100ms, expect: {status: 503}}\n")
    assert result.failure is None
    assert b"has no ready endpoint: pulling image" in result.answers[0].body


def test_an_invocation_after_the_stop_is_refused() -> None:
    result = run(
        WEB
        + """
  - {stop: web, when: {run: web, state: RUNNING}}
  - {invoke: web, when: {run: web, state: STOPPED}, expect: {status: 502}}
"""
    )
    assert result.failure is None
    assert b"is in state STOPPED" in result.answers[0].body


def test_a_new_version_of_a_function_is_what_is_deployed_next() -> None:
    result = run(
        WEB
        + """
  - function: {name: hello, kind: container, spec: {image: "hashicorp/http-echo:1.1"}}
  - deploy: hello
    as: next
    spec: {args: ["-text=new"], service_ports: [{port: 80, target_port: 5678}]}
  - {invoke: next, when: {run: next, state: RUNNING}, expect: {body: "new\\n"}}
"""
    )
    assert result.failure is None
    assert result.runs["next"].spec["image"].endswith(":1.1")


def test_a_broken_image_is_an_error_at_the_deadline() -> None:
    result = run(
        WEB + "  - {assert: {run: web, state: ERROR, message: no such thing}, at: 10m3s}\n",
        extra="""
        registry:
          images: [{image: "hashicorp/*", error: no such thing}]
        """,
    )
    assert result.failure is None, result.failure


def test_the_run_ends_at_until_when_something_goes_on_for_ever() -> None:
    result = run(
        WEB,
        extra="""
        until: 20m
        behaviours:
          - {image: "hashicorp/*", echo: true, exit: {after: 1s, code: 3}}
        """,
    )
    assert result.failure is None
    assert result.end <= 20 * MINUTE
    assert max(row.t for row in result.rows) > 15 * MINUTE


def test_pace_is_told_each_instant_before_it_comes() -> None:
    heard: list[int] = []
    result = run(WEB, pace=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == result.end


def test_user_code_answers_and_its_body_stays_out_of_the_journal() -> None:
    result = run(
        WEB + "  - {invoke: web, when: {run: web, state: RUNNING}, expect: {status: 201}}\n",
        extra="""
        behaviours:
          - {image: "hashicorp/*", static: {status: 201, body: secret words}}
        """,
    )
    assert result.failure is None
    assert result.answers[0].body == b"secret words"
    assert not any("secret words" in row.line() for row in result.rows)


def test_a_resume_that_is_to_be_refused_is_and_one_that_is_not_said_to_be_fails() -> None:
    stopped = f"{WEB}  - {{stop: web, when: {{run: web, state: RUNNING}}}}\n"
    waits = "when: {run: web, state: STOPPED}"
    assert run(f"{stopped}  - {{resume: web, refused: true, {waits}}}\n").failure is None
    failed = run(f"{stopped}  - {{resume: web, {waits}}}\n").failure
    assert failed is not None
    assert "cannot be resumed" in failed.message


def test_a_stop_that_was_to_be_refused_and_is_not_fails() -> None:
    failed = run(f"{WEB}  - {{stop: web, refused: true, when: {{run: web, state: RUNNING}}}}\n")
    assert failed.failure is not None
    assert failed.failure.message == ("the platform took the stop of run web: it was to refuse it")


def test_a_judge_is_asked_after_every_step_and_at_the_end() -> None:
    asked: list[str] = []

    class Judge:
        def __init__(self, world: World) -> None:
            asked.append("made")

        def look(self) -> list[str]:
            asked.append("look")
            return ["no good"]

        def finish(self, end: int) -> list[str]:
            asked.append(f"finish at {end}")
            return []

    result = run(WEB, "until: 7m\n", judge=Judge)
    assert asked == ["made", "look", f"finish at {7 * MINUTE}"]
    assert result.violations == ["no good"]
    assert result.failure is None
