"""`dhemu up --detach`: an emulator in a session of its own, and what became of its start.

Rules: the new process tells its endpoint through a pipe once it answers; the pipe's end without it is
its death, and its last log line says why. The log is `up-<port>.log` in the state directory; that of a
start that failed is `up-failed.log`, so that the log of the emulator that lives is never touched.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from emulator.commands.problem import BAD_INPUT, PLATFORM_FAILED, Problem
from emulator.places import state_directory

ENVIRONMENT = "DHEMU_UP"


def start(words: Sequence[str]) -> tuple[str, Path]:
    """Starts `dhemu up` with these words; its endpoint and its log.

    Raises Problem: exit 2 as the new process, 4 where it died of something else.
    """
    if os.name != "posix":
        raise Problem("needs a POSIX system", field="--detach", mend="leave it out")
    log = state_directory() / f"up-starting-{os.getpid()}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = log.open("wb")
    except OSError as error:
        what = f"the log {log} cannot be written: {error.strerror or error}"
        raise Problem(what, field="--detach", mend="set XDG_STATE_HOME") from None
    reading, writing = os.pipe()
    with stream, open(reading, encoding="utf-8") as answer:
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "emulator", "up", *words, "--ready-fd", str(writing)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                pass_fds=(writing,),
                start_new_session=True,
                env={key: value for key, value in os.environ.items() if not _ours(key)},
            )
        finally:
            os.close(writing)
        try:
            endpoint = answer.readline().strip()
        except KeyboardInterrupt:
            process.terminate()
            raise
    if not endpoint:
        raise _died(process.wait(), log)
    return endpoint, log.replace(log.with_name(f"up-{_port(endpoint)}.log"))


def _ours(variable: str) -> bool:
    """What the new process is told by words, it must not be told again by the environment."""
    return variable.startswith(f"{ENVIRONMENT}_")


def _port(endpoint: str) -> int | None:
    return urlsplit(endpoint).port


def _died(code: int, log: Path) -> Problem:
    log = log.replace(log.with_name("up-failed.log"))
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = lines[-1].removeprefix("dhemu: ") if lines else "it wrote nothing"
    if code == BAD_INPUT:
        return Problem(said)
    what = f"the emulator ended with {code} before it answered: {said}"
    return Problem(what, mend=f"its log is {log}", code=PLATFORM_FAILED)
