"""A scenario's loads: when they run, what is expected of them, and how their result is shown."""

from __future__ import annotations

import json
import textwrap
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cluster.traffic import Each, Sketch
from emulator.commands.group import root
from emulator.domain.timefmt import MILLISECOND, SECOND
from emulator.scenario import load_report
from emulator.scenario.bounds import Bound
from emulator.scenario.loader import Loaded, load, parse
from emulator.scenario.result import Result
from emulator.scenario.runner import run_scenario
from emulator.scenario.timeline import render

HEAD = """
scenario: 1
name: probe
functions:
  - {name: hello, kind: container, spec: {image: "acme/hello:1"}}
"""
WEB = """
  - deploy: hello
    as: web
    spec: {service_ports: [{port: 80, target_port: 8080}]}
"""
READY = "when: {run: web, state: RUNNING}"
EVERY_100_MS = "arrivals: {every: 100ms}, service_time: 20ms"


def source(steps: str, extra: str = "") -> str:
    return f"{HEAD}{textwrap.dedent(extra)}steps:{WEB}{steps}"


def run(steps: str, extra: str = "", seed: int | None = None) -> Result:
    text = source(steps, extra)
    return run_scenario(Loaded(parse(text), text, "probe.yaml"), seed=seed)


def sentence(result: Result) -> str:
    assert result.failure is not None
    return result.failure.message


# -- the shelf -------------------------------------------------------------------------------------


def test_the_load_of_the_shelf_survives_its_crashes_the_same_way_each_time() -> None:
    first, second = (run_scenario(load("load")) for _ in range(2))
    assert first.failure is None, first.failure
    assert first.sha256 == second.sha256
    assert len([row for row in first.rows if row.kind == "exit"]) == 3
    books = first.loads["shoppers"]
    assert books.over
    assert books.attempts > books.sent > 3500, "no request was tried again"


@pytest.mark.parametrize("rows", ["false", "true"])
def test_the_same_seed_is_the_same_journal_and_another_is_not(rows: str) -> None:
    step = f"  - {{load: web, {READY}, count: 50, arrivals: {{rate: 10}}, rows: {rows}}}\n"
    digests = [run(step, seed=seed).sha256 for seed in (5, 5, 6)]
    assert digests[0] == digests[1] != digests[2]


# -- when ------------------------------------------------------------------------------------------


def test_the_next_step_waits_for_the_end_of_a_load() -> None:
    result = run(f"  - {{load: web, {READY}, for: 10s, {EVERY_100_MS}}}\n  - stop: web\n")
    assert result.failure is None
    (over,) = [row for row in result.rows if row.kind == "traffic"]
    (stop,) = [row for row in result.rows if row.data.get("verb") == "stop"]
    assert over.t == stop.t
    assert result.loads["web"].sent == result.loads["web"].answered == 99
    assert (over.subject, over.cause) == ("Traffic/web", 0)


def test_steps_go_on_beside_a_load_in_the_background_and_the_scenario_waits_for_its_end() -> None:
    result = run(
        f"  - {{load: web, {READY}, background: true, for: 10s, {EVERY_100_MS}}}\n"
        "  - {invoke: web, after: 2s, expect: {status: 200}}\n"
    )
    assert result.failure is None
    (over,) = [row for row in result.rows if row.kind == "traffic"]
    assert over.t - result.answers[0].time > 7 * SECOND
    assert result.loads["web"].over
    assert result.loads["web"].in_flight == 0


def test_an_endless_load_is_stopped_after_the_last_step() -> None:
    result = run(
        f"  - {{load: web, {READY}, background: true, {EVERY_100_MS}}}\n"
        "  - {assert: {run: web, state: RUNNING}, after: 5050ms}\n"
    )
    assert result.failure is None
    assert result.loads["web"].sent == 50


def test_an_endless_load_goes_on_to_until_where_the_scenario_has_one() -> None:
    step = f"  - {{load: web, at: 10s, background: true, {EVERY_100_MS}}}\n"
    result = run(step, extra="until: 20s\n")
    assert result.failure is None
    assert result.loads["web"].sent == 100


def test_a_load_that_outlasts_the_scenario_is_told() -> None:
    result = run(f"  - {{load: web, {READY}, for: 1m, {EVERY_100_MS}}}\n", extra="until: 30s\n")
    assert sentence(result).startswith("load web is not over at ")
    assert result.loads["web"].over, "its row is in the journal all the same"


# -- what it needs ---------------------------------------------------------------------------------


def test_a_run_without_a_service_cannot_be_called() -> None:
    result = run(f"  - {{load: web, for: 1s, {EVERY_100_MS}}}\n")
    assert sentence(result) == "load web: run web is READY and has no service to call"
    assert result.failure is not None
    assert result.failure.step == 1
    assert result.loads == {}


def test_two_loads_of_one_service_must_agree_on_how_it_serves() -> None:
    result = run(
        f"  - {{load: web, {READY}, background: true, for: 1s, {EVERY_100_MS}}}\n"
        f"  - {{load: web, as: other, concurrency: 9, for: 1s, {EVERY_100_MS}}}\n"
    )
    assert sentence(result).startswith("load other: concurrency, queue_limit: load 'web' calls")


# -- what is expected ------------------------------------------------------------------------------

SLOW = "count: 10, arrivals: {every: 1s}, service_time: 1500ms, timeout: 1600ms, keep: each"


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("{sent: 10, answered: 1, failed: 9, outcomes: {timeout: 9, reset: 0}}", ""),
        ('{answered: "<= 10%", failed: "90%", outcomes: {timeout: "> 89.9%"}}', ""),
        ('{mean: 1500ms, p50: "== 1.5s", p99: "< 1501ms", p99.9: ">= 1s", max: "<= 1500ms"}', ""),
        ("{sent: 11}", "load web: sent 10 of 10, expected 11"),
        ('{answered: ">= 99%"}', "load web: answered 1 of 10, expected >= 99%"),
        ("{failed: 0}", "load web: failed 9 of 10, expected 0"),
        ('{outcomes: {timeout: "< 5"}}', "load web: outcome timeout 9 of 10, expected < 5"),
        ('{p99.9: "< 1s"}', "load web: p99.9 1500.000 ms, expected < 1s"),
        ('{mean: "> 2s"}', "load web: mean 1500.000 ms, expected > 2s"),
    ],
)
@pytest.mark.parametrize("background", ["false", "true"])
def test_a_load_is_as_expected_or_the_scenario_fails_at_its_step(
    expected: str, said: str, background: str
) -> None:
    result = run(
        f"  - {{load: web, {READY}, {SLOW}, background: {background}, expect: {expected}}}\n"
        "  - {assert: {run: web, state: RUNNING}}\n"
    )
    if not said:
        assert result.failure is None, result.failure
        return
    assert sentence(result) == said
    assert result.failure is not None
    assert result.failure.step == 1


def test_no_duration_is_as_expected_where_nothing_was_answered() -> None:
    result = run(f"  - {{load: web, {READY}, {SLOW}, for: 500ms, expect: {{p99: '< 1s'}}}}\n")
    assert sentence(result) == "load web: nothing was answered, expected p99 < 1s"


def test_a_share_of_nothing_does_not_hold() -> None:
    step = f"  - {{load: web, {READY}, {SLOW}, for: 500ms, expect: {{answered: '>= 0%'}}}}\n"
    assert sentence(run(step)) == "load web: answered 0 of 0, expected >= 0%"


def test_a_share_is_exact() -> None:
    bound = Bound(">= 99.9%", ">=", Fraction("0.999"), share=True)
    assert bound.holds(999, 1000)
    assert not bound.holds(998_999_999, 10**9)


def test_retries_and_what_is_kept_are_as_the_step_says() -> None:
    def books(extra: str) -> tuple[int, type]:
        result = run(f"  - {{load: web, {READY}, {SLOW.replace(', keep: each', '')}, {extra}}}\n")
        return result.loads["web"].attempts, type(result.loads["web"].latency)

    assert books("retries: 0") == (10, Sketch)
    assert books("retries: 1, keep: each") == (19, Each)
    assert books("retries: {count: 3, on: [reset]}, rows: true") == (10, Sketch)


def test_rows_of_every_request_are_there_when_asked_for() -> None:
    step = f"  - {{load: web, {READY}, count: 3, {EVERY_100_MS}, rows: true}}\n"
    kinds = [row.kind for row in run(step).rows if row.kind in ("sent", "answered")]
    assert kinds == ["sent", "answered"] * 3


# -- how it is shown -------------------------------------------------------------------------------


def test_the_text_names_what_was_sent_what_became_of_it_and_how_long_it_took() -> None:
    result = run(f"  - {{load: web, as: crowd, {READY}, {SLOW}, rows: true}}\n")
    text = render(result)
    service = result.loads["crowd"].service
    for part in (
        f"\n# load crowd on {service}\n",
        "\nsent      10, 10 attempts, 0 in flight\n",
        "\nanswered  1 (10.00 % of the ended)\n",
        "\nfailed    9: timeout 9\n",
        "\nlatency (of the answered) mean 1500.000 ms, p50 1500.000 ms, p90 1500.000 ms, p99 1500.",
        "traffic crowd     sent 10, answered 1, failed 9: timeout 9",
        "answered crowd/1 200 after 1500.000 ms",
        "failed crowd/2 timeout after 1600.000 ms",
    ):
        assert part in text


def test_the_json_has_the_same_in_seconds(tmp_path: Path) -> None:
    file = tmp_path / "probe.yaml"
    file.write_text(source(f"  - {{load: web, as: crowd, {READY}, {SLOW}}}\n"))
    words = ["sim", str(file), "-o", "json", "--journal", str(tmp_path / "j.jsonl")]
    shown = json.loads(CliRunner().invoke(root, words).stdout)["loads"]
    crowd = shown["crowd"]
    assert list(shown) == ["crowd"]
    assert crowd["unit"] == "s"
    assert (crowd["sent"], crowd["attempts"], crowd["in_flight"]) == (10, 10, 0)
    assert (crowd["answered"], crowd["failed"]) == (1, 9)
    assert crowd["outcomes"] == {"200": 1, "timeout": 9}
    assert (crowd["latency"]["count"], crowd["latency"]["p99"]) == (1, 1.5)


def test_failures_come_by_reason_the_most_frequent_first() -> None:
    outcomes = {"200": 5, "503": 2, "reset": 2, "timeout": 7, "404": 1}
    assert load_report.reasons(outcomes) == ": timeout 7, 503 2, reset 2"
    assert load_report.reasons({"200": 1}) == ""


def test_milliseconds_are_cut_to_microseconds() -> None:
    assert load_report.milliseconds(12 * MILLISECOND + 34_999) == "12.034 ms"
