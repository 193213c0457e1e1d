"""What a command says when it cannot go on: one line on stderr, and an exit code.

Rules: a line is `dhemu: <field>: <what> (<mend>)`; no traceback ever. The exit codes are the numbers
here and no others, but for those of `dhemu exec`, which are the shell's.
"""

from __future__ import annotations

import click

WELL = 0
FAILED = 1
BAD_INPUT = 2
NO_EMULATOR = 3
PLATFORM_FAILED = 4
INTERRUPTED = 130


class Problem(click.ClickException):
    """A sentence for the user, and the exit code.

    `field` names what is wrong (an option, RUN, a file's place; may be empty), `mend` what to do.
    """

    def __init__(
        self, what: str, *, field: str = "", mend: str = "", code: int = BAD_INPUT
    ) -> None:
        super().__init__(_sentence(field, what, mend))
        self.code = code


def no_emulator(what: str) -> Problem:
    """Nothing of ours answers."""
    return Problem(what, code=NO_EMULATOR)


def _sentence(field: str, what: str, mend: str) -> str:
    head = f"{field}: " if field else ""
    tail = f" ({mend})" if mend else ""
    return " ".join(f"{head}{what}{tail}".split())


def exit_code(error: click.ClickException) -> int:
    """The exit code of any error of the command line."""
    return error.code if isinstance(error, Problem) else error.exit_code


def explain(error: click.ClickException) -> str:
    """The one line of any error of the command line, without `dhemu: `."""
    if not isinstance(error, click.UsageError):
        return error.format_message()
    help_at = f"see {error.ctx.command_path} --help" if error.ctx else "see dhemu --help"
    if isinstance(error, click.NoSuchOption | click.NoSuchCommand):
        name, what = _unknown(error)
        near = f"did you mean {' or '.join(error.possibilities)}?" if error.possibilities else ""
        return _sentence(name, what, near or help_at)
    if isinstance(error, click.MissingParameter):
        return _sentence(_field(error), "is missing", f"give it, {help_at}")
    if isinstance(error, click.BadParameter):
        what = error.message.removesuffix(".")
        return _sentence(_field(error), what, "" if what.endswith(")") else help_at)
    return _sentence("", error.format_message().removesuffix("."), help_at)


def _unknown(error: click.NoSuchOption | click.NoSuchCommand) -> tuple[str, str]:
    if isinstance(error, click.NoSuchOption):
        return error.option_name, "there is no such option"
    return error.command_name, "there is no such command"


def _field(error: click.BadParameter) -> str:
    parameter = error.param
    if parameter is None:
        return str(error.param_hint or "")
    if isinstance(parameter, click.Argument):
        return parameter.make_metavar(error.ctx or click.get_current_context()).strip("[].")
    return max(parameter.opts, key=len)
