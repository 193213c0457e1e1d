"""The command line's entry point.

Rules: thin. `dhemu --help` and `--version` import nothing but the table of commands (click alone
costs more than the interpreter); everything else goes through click, and whatever goes wrong ends as
one line on stderr and an exit code (`problem`). DHEMU_DEBUG=1 shows the traceback of what nobody
foresaw.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from emulator import __version__
from emulator.commands.table import help_text


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command line, `sys.argv` where none is given; the exit code."""
    words = sys.argv[1:] if args is None else list(args)
    if "_DHEMU_COMPLETE" not in os.environ:
        if words in (["--help"], ["-h"]):
            return _print(help_text())
        if words == ["--version"]:
            return _print(f"dhemu {__version__}\n")
    try:
        return _run(words)
    except KeyboardInterrupt:
        return 130


def _print(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _run(words: list[str]) -> int:
    import click

    from emulator.commands.group import root
    from emulator.commands.problem import (
        BAD_INPUT,
        INTERRUPTED,
        PLATFORM_FAILED,
        exit_code,
        explain,
    )

    if not words:
        sys.stderr.write(help_text())
        return BAD_INPUT
    try:
        code = root.main(words, prog_name="dhemu", standalone_mode=False)
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        click.echo(f"dhemu: {explain(error)}", err=True)
        return exit_code(error)
    except Exception as error:
        if os.environ.get("DHEMU_DEBUG"):
            raise
        text = " ".join(f"{type(error).__name__}: {error}".split())
        click.echo(f"dhemu: unforeseen {text} (DHEMU_DEBUG=1 shows where)", err=True)
        return PLATFORM_FAILED
    return code if isinstance(code, int) else 0
