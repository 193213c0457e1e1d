"""What every test shares: servers in processes of their own, Hypothesis profiles, the header.

Rules: a server that a fixture started ends with it, however the test ended, and what it wrote to stderr
is shown with a failure; no test knows a fixed port.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from envs import in_ci, interpreters
from hypothesis import settings

RUNNER = Path(__file__).with_name("serve.py")
PATIENCE = 30.0  # seconds until a process that does not end is killed

settings.register_profile("ci", derandomize=True, max_examples=50, deadline=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if in_ci() else "dev")


def pytest_report_header() -> str:
    """Names the interpreters, for the tests that use them all."""
    found = ", ".join(f"{version} ({python})" for version, python in interpreters().items())
    return f"interpreters: this one {sys.executable}; found {found or 'none'}"


class Server:
    """A server process: `dhemu up`, or `bare`, without the command line.

    `endpoint` is its URL; `restart` starts it again on the same port.
    """

    def __init__(self, directory: Path, *, bare: bool = False, **options: object) -> None:
        self._directory = directory
        self._bare = bare
        self._options = {"port": 0, "database": "memory", **options}
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = ""
        self._start()

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _start(self) -> None:
        self._starts += 1
        ready, told = os.pipe()
        runner = [str(RUNNER)] if self._bare else ["-m", "emulator", "up"]
        words = [f"--{name.replace('_', '-')}={value}" for name, value in self._options.items()]
        around = {name: value for name, value in os.environ.items() if name[:6] != "DHEMU_"}
        with self._log(self._starts).open("w") as stderr, open(ready) as said:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, *runner, f"--ready-fd={told}", *words],
                    pass_fds=[told],
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    env={**around, "XDG_STATE_HOME": str(self._directory)},
                )
            finally:
                os.close(told)
            self.endpoint = said.readline().strip()
        if not self.endpoint:
            code = self._process.wait(PATIENCE)
            pytest.fail(f"the server ended with {code}: {self.stderr()}", pytrace=False)

    def _log(self, start: int) -> Path:
        return self._directory / f"server-{id(self)}-{start}.stderr"

    def stderr(self) -> str:
        """What the process of the last start has written."""
        return self._log(self._starts).read_text()

    def stop(self) -> int:
        """Ends it as a user does (SIGTERM), if it has not ended; its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once (SIGKILL)."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)  # harmless where it has ended
        return self.wait()

    def wait(self) -> int:
        """Waits until it has ended by itself; its exit code."""
        assert self._process is not None
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def restart(self) -> None:
        """Starts it again with the same options, on the port that it had."""
        assert self._process is not None
        assert self._process.poll() is not None, "stop or kill it first"
        self._options["port"] = self.port
        self._start()

    def close(self) -> None:
        """The end of a fixture: leaves no process behind, and shows what was written."""
        try:
            if self._process is not None:
                self.stop()
        finally:
            for number in range(1, self._starts + 1):
                text = self._log(number).read_text()
                sys.stderr.write(f"--- stderr of the server, start {number} ---\n{text}")


ServerFactory = Callable[..., Server]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerFactory]:
    """Starts servers, with options of `dhemu up`: `server(speed="paused", profile="core-0.15")`."""
    with ExitStack() as stack:

        def start(**options: Any) -> Server:
            one = Server(tmp_path, **options)
            stack.callback(one.close)
            return one

        yield start
