"""`dhemu stop` and `dhemu rm`: the end of a run.

Rules: they return when the objects are gone, unless told not to wait. A stop that the platform ignores
(the profile core-0.15 does so before RUNNING) is said, exit 4, and not waited for.
"""

from __future__ import annotations

from typing import Any

import click

from emulator.commands.client import Emulator, emulator_option
from emulator.commands.output import note
from emulator.commands.problem import PLATFORM_FAILED, Problem
from emulator.commands.runs import find, run_argument, timeout_option, wait_option, wire_path
from emulator.commands.runs import wait as wait_until

Json = dict[str, Any]

_STOPPING = frozenset({"STOP", "STOPPED"})
_OVER = frozenset({"STOPPED", "COMPLETED", "ERROR", "DELETED"})


@click.command()
@emulator_option
@run_argument
@wait_option
@timeout_option
def stop(emulator: Emulator, run: str, wait: bool, timeout: float) -> None:
    """Stop a run; its history stays."""
    found = find(emulator, run)
    answer = emulator.ask("POST", f"{wire_path(found)}/stop", body={})
    state = answer["status"]["state"]
    if state not in _STOPPING:
        what = f"the platform ignored the stop: the run is {state}"
        mend = "wait until it is RUNNING, or use dhemu rm"
        raise Problem(what, field=found["name"], mend=mend, code=PLATFORM_FAILED)
    if wait and not wait_until(emulator, found, "over", _over, timeout):
        return
    note(f"{found['name']} is {'stopped' if wait else 'stopping'}")


@click.command()
@emulator_option
@run_argument
@wait_option
@timeout_option
def rm(emulator: Emulator, run: str, wait: bool, timeout: float) -> None:
    """Remove a run and all that belongs to it."""
    found = find(emulator, run)
    emulator.ask("DELETE", wire_path(found))
    if wait and not wait_until(emulator, found, "removed", _gone, timeout):
        return
    note(f"{found['name']} is {'removed' if wait else 'being removed'}")


def _over(run: Json | None) -> bool:
    return run is None or run["status"]["state"] in _OVER


def _gone(run: Json | None) -> bool:
    return run is None
