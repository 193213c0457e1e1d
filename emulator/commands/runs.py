"""Finding the run that a person means, and waiting for it.

Rules: a RUN is an id, the beginning of one, a name, a service's name or a function's. Where several
match and exactly one is active, that one is meant; else the error lists them. Waiting ends with what
was waited for, with the time given (wall seconds), or at once where time is paused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click

from emulator.commands.client import Emulator, Refusal, segment
from emulator.commands.output import note
from emulator.commands.problem import PLATFORM_FAILED, Problem

Json = dict[str, Any]

ACTIVE = frozenset({"READY", "PENDING", "RUNNING", "STOP", "DELETING"})

_LISTED = 5
_PAUSE = 0.05

run_argument = click.argument("run", metavar="RUN")

wait_option = click.option(
    "--wait/--no-wait", default=True, show_default=True, help="Wait until it is done."
)

timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait.",
)


def find(emulator: Emulator, text: str) -> Json:
    """The service view of the one run that is meant. Raises Problem (exit 2)."""
    if not text.strip():
        raise Problem(f"{text!r} names nothing", field="RUN", mend="give an id, name or function")
    try:
        found: list[Json] = emulator.get(f"/_emulator/services/{segment(text)}")
    except Refusal as refusal:
        if refusal.status != 404:
            raise
        what = f"there is no run {text!r}"
        raise Problem(what, field="RUN", mend="dhemu ls --all lists them") from None
    active = [each for each in found if each["state"] in ACTIVE]
    if len(found) == 1:
        return found[0]
    if len(active) == 1:
        return active[0]
    raise _ambiguous(text, active or found)


def _ambiguous(text: str, found: list[Json]) -> Problem:
    shown = [f"{each['id']} ({each['name']}, {each['state']})" for each in found[:_LISTED]]
    if len(found) > _LISTED:
        shown.append(f"{len(found) - _LISTED} more")
    what = f"{text!r} names {len(found)} runs: {', '.join(shown)}"
    return Problem(what, field="RUN", mend="give one's id, or more of it")


def wire_path(run: Json) -> str:
    """Where the platform's API has a run; `run` is a service view or a run of the wire."""
    return f"/api/v1/-/{segment(run['project'])}/runs/{segment(run['id'])}"


def view(emulator: Emulator, run: Json) -> Json:
    """The service view of a run as it is now. Raises Refusal (404) when it is gone."""
    found: list[Json] = emulator.get(f"/_emulator/services/{segment(run['id'])}")
    for each in found:
        if each["id"] == run["id"]:
            return each
    raise Refusal(404, f"run {run['id']} is gone")


def paused(emulator: Emulator) -> bool:
    """Whether time stands still, so that no waiting helps."""
    return bool(emulator.get("/_emulator/time")["rate"] == 0)


def wait(
    emulator: Emulator, run: Json, what: str, done: Callable[[Json | None], bool], timeout: float
) -> bool:
    """Waits until `done` holds of the run's wire form (None: it is gone); False where time is paused.

    Says on stderr why it is not so far. Raises Problem (exit 4) after `timeout` seconds.
    """
    end = time.monotonic() + timeout
    said = ""
    while True:
        shown = _read(emulator, run)
        if done(shown):
            return True
        if paused(emulator):
            note(f"time is paused: not waiting until {run['name']} is {what}")
            return False
        message = _message(emulator, run)
        if message and message != said:
            note(f"{run['name']}: {message}")
            said = message
        if time.monotonic() > end:
            state = shown["status"]["state"] if shown else "gone"
            raise Problem(
                f"it is {state} and not {what} after {timeout:g} s{': ' if said else ''}{said}",
                field=run["name"],
                code=PLATFORM_FAILED,
            )
        time.sleep(_PAUSE)


def _read(emulator: Emulator, run: Json) -> Json | None:
    try:
        shown: Json = emulator.get(wire_path(run))
    except Refusal as refusal:
        if refusal.status == 404:
            return None
        raise
    return shown


def _message(emulator: Emulator, run: Json) -> str:
    try:
        return str(view(emulator, run)["message"])
    except Refusal as refusal:
        if refusal.status == 404:
            return ""
        raise
