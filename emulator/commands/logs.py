"""`dhemu logs`: what the containers of a run have written.

Rules: the text of one container as it is; of several each line after its pod's name. `--follow` prints
what comes new until the run is over; a container that began anew is printed from its beginning.
"""

from __future__ import annotations

import base64
import time
from typing import Any

import click

from emulator.commands.client import Emulator, Refusal, emulator_option
from emulator.commands.output import output_option, show
from emulator.commands.runs import ACTIVE, find, run_argument, view, wire_path

Json = dict[str, Any]

_INTERVAL = 0.5


@click.command()
@emulator_option
@run_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the run is over.")
@output_option()
def logs(emulator: Emulator, run: str, follow: bool, output: str) -> None:
    """Print what a run's containers wrote."""
    found = find(emulator, run)
    if follow:
        if output != "text":
            raise click.UsageError("--follow shows text only: leave -o out")
        _follow(emulator, found)
        return
    written = _read(emulator, found)
    if output != "text":
        show(written, output)
        return
    for each in written:
        _print(each["content"], each["pod"] if len(written) > 1 else "")


def _read(emulator: Emulator, run: Json) -> list[Json]:
    return [
        {
            "pod": each["extensions"]["pod"],
            "container": each["extensions"]["container"],
            "content": base64.b64decode(each["content"]).decode(errors="replace"),
        }
        for each in emulator.get(f"{wire_path(run)}/logs")
    ]


def _follow(emulator: Emulator, run: Json) -> None:
    shown: dict[str, str] = {}
    while True:
        try:
            over = view(emulator, run)["state"] not in ACTIVE
            written = _read(emulator, run)
        except Refusal as refusal:
            if refusal.status == 404:  # the run was removed
                return
            raise
        for each in written:
            before = shown.get(each["pod"], "")
            text: str = each["content"]
            shown[each["pod"]] = text
            fresh = text.removeprefix(before) if text.startswith(before) else text
            _print(fresh, each["pod"] if len(shown) > 1 else "")
        if over:
            return
        time.sleep(_INTERVAL)


def _print(text: str, pod: str) -> None:
    for line in text.splitlines():
        click.echo(f"[{pod}] {line}" if pod else line)
