"""`dhemu status`: how the emulator is, and how many services of which health it has."""

from __future__ import annotations

import click

from emulator.commands.client import Emulator, emulator_option
from emulator.commands.output import output_option, pairs, show


@click.command()
@emulator_option
@output_option()
def status(emulator: Emulator, output: str) -> None:
    """Show how the emulator is."""
    health = emulator.get("/_emulator/health")
    if output != "text":
        show(health, output)
        return
    counts = [f"{count} {name}" for name, count in health["services"].items() if count]
    clock = health["time"]
    click.echo(
        pairs(
            [
                ("status", health["status"]),
                ("endpoint", health["endpoint"]),
                ("version", health["version"]),
                ("platform", health["platform"]),
                ("profile", health["profile"]),
                ("time", f"{clock['mode']}, {clock['iso']}"),
                ("seed", health["seed"]),
                ("services", ", ".join(counts) or "none"),
                ("pid", health["pid"]),
            ]
        )
    )
