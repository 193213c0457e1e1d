"""Tells the SHA-256 of scenarios' journals: `digests.py [--hash-seeds 0,1] [FILE...]`.

Rules: any interpreter with the package can run it. A line is `VERSION HASHSEED NAME SHA256`: the version
is Python's, the hash seed that of this process; with `--hash-seeds` a process is started for each.
Without files it is the scenarios of the invariants. One that does not go as it says ends this with exit
code 1. That of invariant 11 has a second line, for the world that is started again after a kill.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
KILLED = "invariant-11"


def scenario_files() -> list[Path]:
    """The scenarios of the invariants, by number."""
    return sorted(HERE.glob("invariant-*.yaml"))


def digests(files: Sequence[Path]) -> dict[str, str]:
    """The digests by the scenarios' names. Raises AssertionError for one that fails."""
    from restart import digest_after_kill

    from emulator.scenario.loader import load
    from emulator.scenario.runner import run_scenario

    found = {}
    for file in files:
        loaded = load(str(file))
        result = run_scenario(loaded)
        name = loaded.scenario.name
        assert result.failure is None, f"{name}: {result.failure}"
        found[name] = result.sha256
        if name == KILLED:
            found[f"{name}-restarted"] = digest_after_kill(loaded)
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Prints the lines; the exit code."""
    parser = argparse.ArgumentParser(description="SHA-256 of the journals of scenarios")
    parser.add_argument("--hash-seeds", default="", help="comma-separated PYTHONHASHSEEDs")
    parser.add_argument("files", nargs="*", type=Path)
    asked = parser.parse_args(words)
    files = asked.files or scenario_files()
    if asked.hash_seeds:
        return max(_start(seed, files) for seed in asked.hash_seeds.split(","))
    seed = os.environ.get("PYTHONHASHSEED", "random")
    for name, digest in digests(files).items():
        print(platform.python_version(), seed, name, digest, flush=True)
    return 0


def _start(seed: str, files: Sequence[Path]) -> int:
    """This program in a process of its own, under a hash seed."""
    command = [sys.executable, __file__, *map(str, files)]
    return subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}).returncode


if __name__ == "__main__":
    raise SystemExit(main())
