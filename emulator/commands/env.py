"""`dhemu env` and `dhemu exec`: the environment of a process inside the perimeter.

Rules: HTTP_PROXY leads to the emulator, which knows the services' names; NO_PROXY keeps the user's own
entries and adds the emulator itself, so that core's API is called directly. HTTPS_PROXY is not set. Both
commands look first whether an emulator answers, so that nothing is sent to a stranger.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from urllib.parse import urlsplit

import click

from emulator.commands.client import Emulator, emulator_option
from emulator.commands.output import output_option, show
from emulator.commands.problem import Problem

_LOCAL = ("127.0.0.1", "localhost")
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127


def environment(endpoint: str, current: Mapping[str, str]) -> dict[str, str]:
    """The variables to set, in the environment `current`."""
    host = urlsplit(endpoint).hostname or ""
    own = [*current.get("NO_PROXY", "").split(","), *current.get("no_proxy", "").split(",")]
    past = dict.fromkeys(each.strip() for each in (*own, *_LOCAL, host))
    no_proxy = ",".join(each for each in past if each)
    return {
        "DHCORE_ENDPOINT": endpoint,
        "HTTP_PROXY": endpoint,
        "http_proxy": endpoint,
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def exports(variables: Mapping[str, str]) -> str:
    """The variables as lines for a POSIX shell."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


@click.command()
@emulator_option
@output_option()
def env(emulator: Emulator, output: str) -> None:
    """Print the shell's exports to use the emulator."""
    emulator.get("/_emulator/health")
    variables = environment(emulator.endpoint, os.environ)
    if output == "text":
        click.echo(exports(variables))
    else:
        show(variables, output)


@click.command("exec", context_settings={"allow_interspersed_args": False})
@emulator_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD...")
def exec_(emulator: Emulator, command: tuple[str, ...]) -> None:
    """Run a command inside the platform's perimeter."""
    emulator.get("/_emulator/health")
    emulator.close()
    variables = {**os.environ, **environment(emulator.endpoint, os.environ)}
    try:
        os.execvpe(command[0], command, variables)
    except (FileNotFoundError, NotADirectoryError):
        what, mend = f"there is no command {command[0]!r}", "give a program on the PATH"
        raise Problem(what, field="CMD", mend=mend, code=_NOT_FOUND) from None
    except OSError as error:
        what = f"{command[0]!r} cannot be run: {error.strerror or error}"
        raise Problem(what, field="CMD", code=_NOT_EXECUTABLE) from None
    except ValueError as error:
        raise Problem(f"{command[0]!r}: {error}", field="CMD") from None
