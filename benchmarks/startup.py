"""What it costs to start: `dhemu --help`, `dhemu up` to its first answer, and its idle memory.

Run: `python benchmarks/startup.py [ROUNDS]` (default 10). Peers are measured in the same run, round by
round: a bare interpreter for `--help`, and an interpreter that imports fastapi, uvicorn and sqlalchemy
(its ORM left out) for `up`. Medians, with the least and the most. Memory is the resident set of `up`
after its first answer and one second of rest (Linux: VmRSS).
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = [sys.executable, "-c", "pass"]
HELP = [sys.executable, "-m", "emulator", "--help"]
PEERS = [sys.executable, "-c", "import fastapi, uvicorn, sqlalchemy"]
_ENDPOINT = re.compile(r"http://127\.0\.0\.1:(\d+)")


def timed(command: list[str]) -> float:
    """Seconds of one whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def up(folder: str) -> tuple[float, float]:
    """Seconds from the start of `dhemu up` to its first answered request, and its MiB at rest."""
    began = time.perf_counter()
    database = Path(folder) / f"{began}.db"
    server = subprocess.Popen(
        [sys.executable, "-m", "emulator", "up", "--port", "0", "--database", str(database)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        port = next(int(found[1]) for line in server.stderr if (found := _ENDPOINT.search(line)))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/_emulator/health")
        assert connection.getresponse().status == 200
        took = time.perf_counter() - began
        connection.close()
        time.sleep(1)
        return took, resident(server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=20)


def resident(pid: int) -> float:
    """Resident memory of a process in MiB; NaN where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return float("nan")
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
    return int(found[1]) / 1024 if found else float("nan")


def row(name: str, values: list[float], unit: str, scale: float = 1.0) -> str:
    """One line of the table: median, least, most."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{name:<44} {middle * scale:8.1f} {low * scale:8.1f} {high * scale:8.1f} {unit}"


def main() -> None:
    """Measures, prints."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    bare, helps, peers, ups, memory = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            bare.append(timed(BARE))
            helps.append(timed(HELP))
            peers.append(timed(PEERS))
            took, size = up(folder)
            ups.append(took)
            memory.append(size)
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores, {rounds} rounds")
    print(f"{'':<44} {'median':>8} {'least':>8} {'most':>8}")
    print(row("bare interpreter", bare, "ms", 1e3))
    print(row("dhemu --help", helps, "ms", 1e3))
    print(row("import fastapi, uvicorn, sqlalchemy", peers, "ms", 1e3))
    print(row("dhemu up, to its first answer", ups, "ms", 1e3))
    print(row("dhemu up, resident at rest", memory, "MiB"))
    over = (statistics.median(helps) - statistics.median(bare)) * 1e3
    ratio = statistics.median(ups) / statistics.median(peers)
    print(f"help over a bare interpreter: +{over:.0f} ms; up against the imports: {ratio:.2f}x")


if __name__ == "__main__":
    main()
