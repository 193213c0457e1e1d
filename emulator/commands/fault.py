"""`dhemu fault`: what breaks in a running emulator, and its healing.

Rules: a fault is named by its name, a kind by its word; attributes are given as `KEY=VALUE`, numbers as
numbers, everything else as text. `ls --kinds` tells what there is to break. `heal` without a name is
refused: `--all` heals everything.
"""

from __future__ import annotations

import json
from typing import Any

import click

from emulator.commands.client import Emulator, emulator_option, segment
from emulator.commands.output import note, output_option, show, table, terminal_width
from emulator.commands.problem import Problem

Json = dict[str, Any]

HEADER = ("NAME", "FAULT", "TARGET", "STATE", "START", "FOR", "ATTRIBUTES")
KINDS_HEADER = ("FAULT", "TARGETS", "ATTRIBUTES", "WHAT IT DOES")


@click.group()
def fault() -> None:
    """Break something, see what is broken, heal it."""


@fault.command()
@emulator_option
@click.argument("kind")
@click.option(
    "-t",
    "--target",
    default="cluster",
    show_default=True,
    help="Whom it strikes: run/WEB, function/F, image/PATTERN, label/K=V, node/N, zone/Z.",
)
@click.option("--for", "duration", metavar="TIME", help="How long it lasts, like 2m.")
@click.option("--after", metavar="TIME", help="When it begins, from now, like 10s.")
@click.option("--name", default="", help="What it is called; its kind where left out.")
@click.option("-p", "--probability", type=float, help="The chance of each who may be struck.")
@click.option("-s", "--set", "given", multiple=True, metavar="KEY=VALUE", help="An attribute.")
@output_option()
def add(
    emulator: Emulator,
    kind: str,
    target: str,
    duration: str | None,
    after: str | None,
    name: str,
    probability: float | None,
    given: tuple[str, ...],
    output: str,
) -> None:
    """Start a fault of a KIND (`dhemu fault ls --kinds` lists them)."""
    attributes = dict(_pair(each) for each in given)
    if probability is not None:
        attributes["probability"] = probability
    asked: Json = {"fault": kind, "target": target, "name": name, "attributes": attributes}
    asked |= {key: time for key, time in (("for", duration), ("after", after)) if time}
    made = emulator.ask("POST", "/_emulator/faults", body=asked)
    if output != "text":
        show(made, output)
        return
    when = "begins soon" if made["state"] == "waiting" else "is at work"
    note(f"{made['name']} {when}; heal it with: dhemu fault heal {made['name']}")


@fault.command()
@emulator_option
@click.option("-k", "--kinds", is_flag=True, help="What can be broken, instead.")
@output_option()
def ls(emulator: Emulator, kinds: bool, output: str) -> None:
    """List the faults that there are."""
    found: list[Json] = emulator.get(f"/_emulator/faults{'/kinds' if kinds else ''}")
    if output != "text":
        show(found, output)
    elif kinds:
        click.echo(table(KINDS_HEADER, [_kind_row(each) for each in found], terminal_width()))
    elif found:
        click.echo(table(HEADER, [_row(each) for each in found], terminal_width()))
    else:
        note("nothing is broken; break something with: dhemu fault add KIND")


@fault.command()
@emulator_option
@click.argument("name", required=False)
@click.option("-a", "--all", "everything", is_flag=True, help="Every fault.")
def heal(emulator: Emulator, name: str | None, everything: bool) -> None:
    """End the fault of that NAME, or all of them."""
    if everything == (name is not None):
        raise Problem("give one fault's name, or --all", field="NAME", mend="see dhemu fault ls")
    path = "/_emulator/faults" + ("" if name is None else f"/{segment(name)}")
    healed: list[str] = emulator.ask("DELETE", path)["healed"]
    note(f"healed: {', '.join(healed)}" if healed else "nothing was broken")


def _pair(text: str) -> tuple[str, Any]:
    """`KEY=VALUE`; a number is a number."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise Problem(f"{text!r} is no attribute", field="--set", mend="write KEY=VALUE")
    try:
        number = json.loads(value)
    except ValueError:
        return key, value
    return key, number if type(number) in (int, float) else value


def _row(fault: Json) -> tuple[str, ...]:
    attributes = " ".join(f"{key}={value}" for key, value in fault["attributes"].items())
    return (
        fault["name"],
        fault["fault"],
        fault["target"],
        fault["state"],
        _seconds(fault["start"]),
        _seconds(fault["for"]),
        attributes or "-",
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}s"


def _kind_row(kind: Json) -> tuple[str, ...]:
    return (
        kind["fault"],
        " ".join(kind["targets"]) or "-",
        " ".join(kind["attributes"]),
        kind["help"],
    )
