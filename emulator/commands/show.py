"""`dhemu show` and `dhemu why`: one run, whole or in a sentence.

Rules: `show` prints the run as the platform's API carries it; its text form and `why` add the emulator's
own view (health, contextual message).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from emulator.commands.client import Emulator, emulator_option
from emulator.commands.output import output_option, pairs, show, table, to_yaml
from emulator.commands.runs import find, run_argument, view, wire_path

Json = dict[str, Any]

_LAST = 10


@click.command("show")
@emulator_option
@run_argument
@output_option("yaml")
def show_(emulator: Emulator, run: str, output: str) -> None:
    """Show a run as the platform's API does."""
    found = find(emulator, run)
    wire = emulator.get(wire_path(found))
    if output == "text":
        click.echo(_summary(wire, view(emulator, found)))
    else:
        show(wire, output)


@click.command()
@emulator_option
@run_argument
@output_option()
def why(emulator: Emulator, run: str, output: str) -> None:
    """Say why a service is not healthy."""
    found = find(emulator, run)
    status = emulator.get(wire_path(found))["status"]
    seen = view(emulator, found)
    answer = {
        "run": seen["id"],
        "state": seen["state"],
        "health": seen["health"],
        "message": sentence(seen),
        "events": status.get("events", [])[-_LAST:],
        "transitions": status.get("transitions", []),
    }
    if output != "text":
        show(answer, output)
        return
    click.echo(answer["message"])
    for title, text in (
        ("Events", _events(answer["events"])),
        ("Transitions", _transitions(answer["transitions"])),
    ):
        if text:
            click.echo(f"\n{title}:\n{text}")


def sentence(seen: Json) -> str:
    """The contextual message of a service view; its health where there is nothing to mend."""
    if seen["message"]:
        return str(seen["message"])
    if seen["health"] == "healthy":
        return "healthy"
    return f"{seen['health']}: the run is in state {seen['state']}"


def _summary(wire: Json, seen: Json) -> str:
    status = wire["status"]
    facts = [
        ("run", seen["id"]),
        ("name", seen["name"]),
        ("project", seen["project"]),
        ("kind", seen["kind"]),
        ("function", wire["spec"].get("function", "-")),
        ("state", seen["state"]),
        ("health", seen["health"]),
        ("message", seen["message"] or "-"),
    ]
    parts = [pairs(facts)]
    if "service" in status:
        parts.append(to_yaml({"service": status["service"]}).rstrip("\n"))
    if pods := status.get("pods"):
        parts.append(f"pods:\n{_pods(pods)}")
    if transitions := status.get("transitions"):
        parts.append(f"transitions:\n{_transitions(transitions)}")
    return "\n\n".join(parts)


def _pods(pods: list[Json]) -> str:
    rows = []
    for pod in pods:
        held = pod["containers"]
        ready = sum(each["ready"] for each in held)
        restarts = sum(each["restartCount"] for each in held)
        rows.append((pod["name"], pod["phase"], f"{ready}/{len(held)}", f"{restarts} restarts"))
    return _indented(rows)


def _events(events: list[Json]) -> str:
    return _indented(
        [
            (
                f"{datetime.fromtimestamp(each['timestamp'], tz=UTC):%H:%M:%S}",
                each["type"],
                each["reason"],
                f"{each['kind']}/{each['name']}",
                each["note"],
            )
            for each in events
        ]
    )


def _transitions(transitions: list[Json]) -> str:
    return _indented(
        [(each["time"], each["status"], each.get("message", "")) for each in transitions]
    )


def _indented(rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    return "\n".join(f"  {line}" for line in table(rows[0], rows[1:]).splitlines())
