"""`dhemu sim` and `dhemu check`: scenarios offline.

Rules: the result goes to stdout, talk to stderr; exit 1 names the step that failed, the simulated
time, the seed and the command that reproduces it, or what of the invariants (`--invariants`) is broken;
exit 2 is a file that is not well.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.commands.problem import BAD_INPUT, FAILED, Problem
from emulator.places import state_directory

if TYPE_CHECKING:
    from emulator.scenario.loader import Loaded
    from emulator.scenario.result import Result
    from emulator.scenario.runner import Judge, Pace
    from emulator.world import World


#: How many violations are told; a broken world has the same one again and again.
MAX_SHOWN = 20


@click.command()
@click.argument("file", metavar="FILE|NAME")
@click.option("--seed", type=click.IntRange(0), help="Take this seed instead of the file's.")
@click.option("--journal", type=click.Path(dir_okay=False), help="Write the journal here.")
@click.option("--speed", default="fast", show_default=True, help="fast, or N times the wall.")
@click.option("--invariants", is_flag=True, help="Judge the world by the invariants on the way.")
@click.option(
    "-o", "output", type=click.Choice(["text", "json"]), default="text", help="Form of the result."
)
def sim(
    file: str,
    seed: int | None,
    journal: str | None,
    speed: str,
    invariants: bool,
    output: str,
) -> None:
    """Run a scenario offline, in virtual time."""
    from emulator.scenario.runner import run_scenario

    judge = _judge() if invariants else None
    pace = _pace(speed)
    loaded = load_file(file)
    where = Path(journal) if journal else _default_journal(loaded, seed)
    began = time.perf_counter()
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        with where.open("w", encoding="ascii", newline="\n") as sink:
            result = run_scenario(loaded, seed=seed, sink=sink, pace=pace, judge=judge)
    except OSError as error:
        what = f"{where} cannot be written: {error.strerror or error}"
        raise Problem(what, field="--journal", mend="choose another file") from None
    took = time.perf_counter() - began
    (_print_json if output == "json" else _print_text)(result, where)
    click.echo(
        f"{result.end / 1e9:.3f} s of simulated time, {len(result.rows)} rows, in {took:.3f} s",
        err=True,
    )
    for violation in result.violations[:MAX_SHOWN]:
        click.echo(f"dhemu: {violation}", err=True)
    if result.failure is not None:
        _explain(result, file, journal)
    if result.failure is not None or result.violations:
        raise SystemExit(FAILED)


@click.command()
@click.argument("file", metavar="FILE|NAME")
def check(file: str) -> None:
    """Read a scenario and say what is wrong with it."""
    loaded = load_file(file)
    click.echo(f"{loaded.path}: well ({len(loaded.scenario.steps)} steps)")


def load_file(file: str) -> Loaded:
    """The scenario of a file or a name. Exits with 2 and what is wrong with it."""
    from emulator.scenario.loader import load
    from emulator.scenario.rules import ScenarioError, ScenarioNotFound

    try:
        return load(file)
    except ScenarioError as error:
        click.echo(str(error), err=True)
        raise SystemExit(BAD_INPUT) from None
    except ScenarioNotFound as error:
        raise Problem(str(error)) from None


def _judge() -> Callable[[World], Judge]:
    """What makes the judge of a world."""
    from emulator.testing.judge import Judge

    return Judge


def _default_journal(loaded: Loaded, seed: int | None) -> Path:
    scenario = loaded.scenario
    number = scenario.seed if seed is None else seed
    return state_directory() / "journals" / f"{scenario.name}-{number}.jsonl"


def _pace(speed: str) -> Pace | None:
    """Sleeps so that simulated time goes `speed` times the wall; None for as fast as it goes."""
    if speed == "fast":
        return None
    try:
        rate = float(speed)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1e6:
        mend = "give fast, or a number above 0, at most 1e6"
        raise Problem(f"{speed!r} is no speed", field="--speed", mend=mend)
    began = time.monotonic()

    def pace(until: int) -> None:
        left = until / 1e9 / rate - (time.monotonic() - began)
        if left > 0:
            time.sleep(left)

    return pace


def _print_text(result: Result, where: Path) -> None:
    from emulator.scenario.timeline import render

    click.echo(render(result))
    click.echo()
    click.echo(f"journal  {where}")
    click.echo(f"sha256   {result.sha256}")
    click.echo(f"seed     {result.seed}")


def _print_json(result: Result, where: Path) -> None:
    from emulator.scenario import load_report

    shown = {
        "name": result.scenario.name,
        "seed": result.seed,
        "profile": result.scenario.profile,
        "passed": result.failure is None and not result.violations,
        "end": result.end / 1e9,
        "rows": len(result.rows),
        "journal": str(where),
        "sha256": result.sha256,
        "python": ".".join(map(str, sys.version_info[:3])),
        "runs": {
            name: {
                "id": run.id,
                "state": run.state.value,
                "health": run.current_health.value,
                "message": run.message,
                "service": result.services.get(name),
            }
            for name, run in result.runs.items()
        },
        "answers": [
            {
                "run": each.run,
                "method": each.method,
                "url": each.url,
                "time": each.time / 1e9,
                "status": each.status,
                "body": each.body.decode(errors="replace"),
            }
            for each in result.answers
        ],
        "loads": {name: load_report.data(load) for name, load in result.loads.items()},
    }
    if result.violations:
        shown["violations"] = result.violations
    if result.failure is not None:
        failed = result.failure
        shown["failure"] = {
            "step": failed.step,
            "time": failed.time / 1e9,
            "message": failed.message,
        }
    click.echo(json.dumps(shown, indent=2))


def _explain(result: Result, file: str, journal: str | None) -> None:
    failed = result.failure
    assert failed is not None
    again = f"dhemu sim {file} --seed {result.seed}" + (f" --journal {journal}" if journal else "")
    click.echo(
        f"dhemu: steps[{failed.step}] failed at {failed.time / 1e9:.3f} s: {failed.message}",
        err=True,
    )
    click.echo(f"dhemu: seed {result.seed}; to see it again: {again}", err=True)
