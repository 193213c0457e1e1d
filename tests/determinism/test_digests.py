"""One scenario for each invariant: one journal, to the byte, wherever it is made (invariant 9).

Rules: the interpreter that runs the tests and every other supported one of this machine make each
journal under three hash seeds; an interpreter that is not there is named and is no failure. The
environments of the others are those of `test_interpreters`: the package and its locked dependencies.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from digests import HERE, KILLED, scenario_files
from envs import SUPPORTED, interpreters, need

from emulator.testing.invariants import CHECKERS

PROGRAM = HERE / "digests.py"
ROOT = HERE.parent.parent
HASH_SEEDS = ("0", "1", "4242")
SECONDS = 300
HERE_RUNS = f"{sys.version_info.major}.{sys.version_info.minor}"

Digests = dict[tuple[str, str], str]


def _digests(
    version: str, python: list[str], hash_seeds: tuple[str, ...], files: list[Path]
) -> Digests:
    """By hash seed and name, what the program tells under an interpreter of that version."""
    around = {
        key: value
        for key, value in os.environ.items()
        if key not in ("VIRTUAL_ENV", "PYTHONHASHSEED")
    }
    ended = subprocess.run(
        [*python, str(PROGRAM), "--hash-seeds", ",".join(hash_seeds), *map(str, files)],
        cwd=ROOT,
        env=around,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if "uv" in python:
        made = "Traceback" in ended.stderr or not ended.returncode
        need(made, f"an environment for {python}: {' '.join(ended.stderr.split())[-600:]}")
    assert ended.returncode == 0, ended.stderr
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert all(each.startswith(f"{version}.") for each, *_ in lines), lines
    return {(seed, name): digest for _, seed, name, digest in lines}


def test_there_is_a_scenario_for_each_invariant() -> None:
    assert [file.stem for file in scenario_files()] == [f"invariant-{n:02}" for n in CHECKERS]


def test_two_journals_do_not_depend_on_the_hash_seed() -> None:
    """The quick form, with the scenario that has the most chance and the one that has the most kinds."""
    files = [HERE / "invariant-09.yaml", HERE / "invariant-10.yaml"]
    found = _digests(HERE_RUNS, [sys.executable], HASH_SEEDS[:2], files)
    assert len(found) == 4
    assert len(set(found.values())) == 2, found


@pytest.mark.slow  # a process for each interpreter and hash seed, and an environment for most
def test_every_interpreter_and_hash_seed_makes_the_same_journals() -> None:
    others = {version: path for version, path in interpreters().items() if version != HERE_RUNS}
    missing = [version for version in SUPPORTED if version != HERE_RUNS and version not in others]
    commands = {HERE_RUNS: [sys.executable]}
    if others:
        need(shutil.which("uv"), "uv, which makes an environment for each interpreter")
        uv = ["uv", "run", "--isolated", "--no-dev", "--frozen", "--python"]
        commands |= {version: [*uv, str(path), "python"] for version, path in others.items()}
    files = scenario_files()
    wanted: dict[str, str] = {}
    for version, python in commands.items():
        found = _digests(version, python, HASH_SEEDS, files)
        print(f"Python {version} ({' '.join(python)}): {len(found)} journals")
        wanted = wanted or {name: digest for (_, name), digest in found.items()}
        assert found == {(seed, name): wanted[name] for seed in HASH_SEEDS for name in wanted}
    assert len(wanted) == len(files) + 1
    assert f"{KILLED}-restarted" in wanted
    print(f"supported and not found here: {', '.join(missing) or 'none'}")
