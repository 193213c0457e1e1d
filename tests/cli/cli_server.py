"""`dhemu up` in a process of its own, for the tests of the command line.

Rules: the endpoint is read from the banner, as a person would; a process that was started is ended, and
what it wrote to stderr is kept.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from types import TracebackType
from typing import Self

PATIENCE = 30.0
DHEMU = [sys.executable, "-m", "emulator"]


def dhemu(
    *words: str, env: dict[str, str] | None = None, patience: float = PATIENCE
) -> subprocess.CompletedProcess[str]:
    """One command line in a process of its own."""
    return subprocess.run(
        [*DHEMU, *words], capture_output=True, text=True, env=env, timeout=patience, check=False
    )


class Up:
    """A running `dhemu up --port 0 --database memory` with further words."""

    def __init__(self, *words: str, env: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [*DHEMU, "up", "--port", "0", "--database", "memory", *words],
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        assert self._process.stderr is not None
        first = self._process.stderr.readline()
        self.banner = first
        found = re.search(r"http://\S+", first)
        assert found is not None, first + self._process.stderr.read()
        self.endpoint = found[0]
        while not self.banner.rstrip().endswith("localhost"):  # the last line: NO_PROXY
            self.banner += self._process.stderr.readline()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.end()

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Its exit code, and what it wrote after the banner."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            _, said = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        return self._process.returncode, said
