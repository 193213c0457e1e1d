"""The root command: it imports a command's module when that command is used, and not before.

Rules: names and help come from `table`; an output that nobody reads any more (`| head`) is no error.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from emulator import __version__
from emulator.commands.table import COMMANDS, help_text


class LazyGroup(click.Group):
    """The commands of the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the help's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None for a name that the table lacks."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(importlib.import_module(entry.module), entry.attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises NoSuchCommand with the names that come near."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        """The table's text."""
        return help_text().rstrip("\n")

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a reader of stdout that went away ends it well."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return result


@click.group("dhemu", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dhemu", message="%(prog)s %(version)s")
def root() -> None:
    """An emulator of the DigitalHub services platform."""
