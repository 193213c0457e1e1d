"""`dhemu down`: ends a running emulator.

Rules: it returns when the port is closed, and (on this machine) the process is gone.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click

from emulator.commands.client import Emulator, emulator_option
from emulator.commands.output import note
from emulator.commands.problem import PLATFORM_FAILED, Problem

_CLOSING = 30.0
_LEAVING = 10.0
_PAUSE = 0.02


@click.command()
@emulator_option
def down(emulator: Emulator) -> None:
    """Stop a running emulator."""
    pid = emulator.get("/_emulator/health")["pid"]
    emulator.ask("POST", "/_emulator/shutdown")
    emulator.close()
    parts = urlsplit(emulator.endpoint)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if not _until(lambda: not _listens(host, port), _CLOSING):
        what = f"it still listens after {_CLOSING:g} s"
        raise Problem(what, field=emulator.endpoint, mend=f"kill {pid}", code=PLATFORM_FAILED)
    if host in ("127.0.0.1", "::1", "localhost"):
        _until(lambda: not _lives(pid), _LEAVING)
    note(f"the emulator at {emulator.endpoint} is stopped")


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _lives(pid: int) -> bool:
    """Whether the process is there and more than an entry that its parent has not read yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return not os.path.isdir("/proc/self")
    return state != "Z"
