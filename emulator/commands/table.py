"""Every command of `dhemu`: its name, where it lives and its one line of help.

Rules: importing this module costs nothing, for `dhemu --help` is answered from it alone; a test holds
each line against the command's own. The order is the order of the help.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A command: the module that holds it, its name there, its line of help."""

    module: str
    attribute: str
    help: str


#: The commands by the heading that the help shows them under.
SECTIONS: dict[str, dict[str, Entry]] = {
    "World": {
        "up": Entry("emulator.commands.up", "up", "Start an emulator and serve until stopped."),
        "down": Entry("emulator.commands.down", "down", "Stop a running emulator."),
        "status": Entry("emulator.commands.status", "status", "Show how the emulator is."),
        "fault": Entry(
            "emulator.commands.fault", "fault", "Break something, see what is broken, heal it."
        ),
        "kube": Entry("emulator.commands.kube", "kube", "Serve the simulated cluster to kubectl."),
    },
    "Inside": {
        "env": Entry(
            "emulator.commands.env", "env", "Print the shell's exports to use the emulator."
        ),
        "exec": Entry(
            "emulator.commands.env", "exec_", "Run a command inside the platform's perimeter."
        ),
    },
    "Services": {
        "ls": Entry("emulator.commands.ls", "ls", "List the active services and their health."),
        "show": Entry("emulator.commands.show", "show_", "Show a run as the platform's API does."),
        "why": Entry("emulator.commands.show", "why", "Say why a service is not healthy."),
        "logs": Entry("emulator.commands.logs", "logs", "Print what a run's containers wrote."),
        "deploy": Entry(
            "emulator.commands.deploy", "deploy", "Make a service of an image or of a scenario."
        ),
        "invoke": Entry("emulator.commands.invoke", "invoke", "Send a request to a service."),
        "stop": Entry("emulator.commands.stop", "stop", "Stop a run; its history stays."),
        "rm": Entry("emulator.commands.stop", "rm", "Remove a run and all that belongs to it."),
    },
    "Offline": {
        "check": Entry(
            "emulator.commands.sim", "check", "Read a scenario and say what is wrong with it."
        ),
        "sim": Entry("emulator.commands.sim", "sim", "Run a scenario offline, in virtual time."),
    },
}

COMMANDS: dict[str, Entry] = {
    name: entry for section in SECTIONS.values() for name, entry in section.items()
}

_HEAD = """\
Usage: dhemu [OPTIONS] COMMAND [ARGS]...

  An emulator of the DigitalHub services platform: runs become services with an
  address, a URL and a health, and are invoked from inside the perimeter.

  A RUN is an id, the beginning of one, a name, a service's name or a function.

Options:
  -h, --help  Show this message and exit.
  --version   Show the version and exit.
"""

_TAIL = """
Exit codes: 0 well, 1 an assertion or a call failed, 2 bad input, 3 no emulator
answers, 4 the platform failed, 130 interrupted.
"""


def help_text() -> str:
    """What `dhemu --help` prints, at most 80 columns wide."""
    width = max(map(len, COMMANDS)) + 2
    parts = [_HEAD]
    for title, section in SECTIONS.items():
        parts.append(f"\n{title}:\n")
        parts.extend(f"  {name:{width}}{entry.help}\n" for name, entry in section.items())
    parts.append(_TAIL)
    return "".join(parts)
