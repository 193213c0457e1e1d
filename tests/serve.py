"""A server in a process of its own without the product's command line: only `emulator.server`.

Rules: it takes the options of `dhemu up` that a server needs. When requests are answered it says its
endpoint, in a line on stdout or on the descriptor that it is given; what keeps it from starting is one
line on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys

from emulator.domain.quirks import PROFILES
from emulator.pacing import Mode
from emulator.server import CannotStart, ServerSettings, serve


def read(words: list[str]) -> tuple[ServerSettings, int]:
    """Settings and the descriptor, from command-line words."""
    parser = argparse.ArgumentParser(prog="tests/serve.py")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database", default="memory")
    parser.add_argument("--speed", type=Mode.parse, default="auto")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="documented")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--service-range", default="172.16.0.0/12")
    parser.add_argument("--ready-fd", type=int, default=1)
    given = parser.parse_args(words)
    settings = ServerSettings(
        PROFILES[given.profile],
        port=given.port,
        database=given.database,
        mode=given.speed,
        seed=given.seed,
        service_range=given.service_range,
    )
    return settings, given.ready_fd


def _say(descriptor: int, endpoint: str) -> None:
    os.write(descriptor, f"{endpoint}\n".encode())
    if descriptor > 2:
        os.close(descriptor)


def main(words: list[str]) -> int:
    """Serves until it is told to stop."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    settings, descriptor = read(words)
    for number in (signal.SIGINT, signal.SIGTERM):
        # the server hears it while it serves, and raises it once more when it has ended
        signal.signal(number, lambda *_: None)
    try:
        asyncio.run(serve(settings, lambda endpoint: _say(descriptor, endpoint)))
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
