"""`dhemu ls`: the active services, the worst first.

Rules: the order is by health (unhealthy, degraded, starting, healthy, stopped), then by name. Text is
cut to a terminal's width; JSON is never cut. `--watch` shows the list anew when it has changed (JSON: a
line with the whole list), on a terminal every second, until it is interrupted.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import click

from emulator.commands.client import Emulator, emulator_option
from emulator.commands.output import (
    age,
    note,
    output_option,
    show,
    table,
    terminal_width,
    to_yaml,
)

Json = dict[str, Any]

HEADER = ("NAME", "FUNCTION", "STATE", "HEALTH", "READY", "RESTARTS", "AGE", "URL", "MESSAGE")
_WORST_FIRST = ("unhealthy", "degraded", "starting", "healthy", "stopped")
_INTERVAL = 1.0


@click.command()
@emulator_option
@click.option("-a", "--all", "everything", is_flag=True, help="Also runs that are over.")
@click.option("-w", "--watch", is_flag=True, help="Go on until interrupted.")
@click.option("-p", "--project", metavar="P", help="Of this project only.")
@output_option()
def ls(emulator: Emulator, everything: bool, watch: bool, project: str | None, output: str) -> None:
    """List the active services and their health."""
    if watch:
        _watch(emulator, everything, project, output)
    found = _services(emulator, everything, project)
    if output != "text":
        show(found, output)
    elif found:
        click.echo(render(found, terminal_width()))
    else:
        note("no services; make one with: dhemu deploy IMAGE")


def _services(emulator: Emulator, everything: bool, project: str | None) -> list[Json]:
    found: list[Json] = emulator.get("/_emulator/services", all="true" if everything else "false")
    found = [each for each in found if project in (None, each["project"])]
    return sorted(found, key=lambda each: (_WORST_FIRST.index(each["health"]), each["name"]))


def render(services: list[Json], width: int | None) -> str:
    """The table for people."""
    return table(HEADER, [_row(each) for each in services], width)


def _row(service: Json) -> tuple[str, ...]:
    replicas = "-" if service["desired"] is None else f"{service['ready']}/{service['desired']}"
    return (
        service["name"],
        service["function"] or "-",
        service["state"],
        service["health"],
        replicas,
        str(service["restarts"]),
        age(service["age"]),
        service["url"] or "-",
        service["message"],
    )


def _watch(emulator: Emulator, everything: bool, project: str | None, output: str) -> None:
    before: list[Json] | None = None
    while True:
        found = _services(emulator, everything, project)
        now = [{key: value for key, value in each.items() if key != "age"} for each in found]
        if now != before or (output == "text" and sys.stdout.isatty()):
            click.echo(_frame(found, output))
            sys.stdout.flush()
        before = now
        time.sleep(_INTERVAL)


def _frame(services: list[Json], output: str) -> str:
    if output == "json":
        return json.dumps(services, ensure_ascii=False)
    if output == "yaml":
        return f"---\n{to_yaml(services)}".rstrip("\n")
    return f"{render(services, terminal_width())}\n"
