"""Plants bugs, one at a time, and says whether the campaign of `tests/stateful` finds them.

    python tests/planted/plant.py              # all of them, and the tree as it is: 21 minutes at most
    python tests/planted/plant.py --only 07    # one; several: --only 07 --only 12

Rules: a bug is a patch beside this file, `NN-name.patch`, a small slip of the kind that people make;
its first line says what is wrong and which invariant ought to see it. It is applied by `git apply`,
without fuzz, to a copy of the tree in a directory of its own; there the campaign runs in a process of
its own, for SECONDS at most. What counts is that it finds something, and that it finds nothing in the
tree as it is (number 00), else its finds would prove nothing. What ends or hangs the campaign itself
is no find. Exit 1 where fewer than ENOUGH of all are found, or one of those asked for is not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SECONDS = 60.0
#: What starting the interpreter and the first world takes, beside the campaign's own time.
START = 4.0
ENOUGH = 18
SEED = 1

_HEADER = re.compile(r"Invariant (?P<invariant>\d+): (?P<says>.+)\.")
_COPIED = ("emulator", "scenarios", "tests/stateful")
_CAMPAIGN = """
import json, sys
from pathlib import Path
import emulator
here = Path.cwd()
assert Path(emulator.__file__).is_relative_to(here), emulator.__file__
sys.path.insert(0, str(here / "tests" / "stateful"))
from campaign import find
found = find(int(sys.argv[1]), float(sys.argv[2]), shrinking=0.0)
told = None if found is None else [found.invariant, found.message, found.examples]
print(json.dumps(told))
"""


@dataclass(frozen=True, slots=True)
class Bug:
    """One planted bug: its number as text, its name, the invariant that ought to see it, its patch."""

    number: str
    name: str
    invariant: int
    says: str
    patch: Path


#: The tree without any bug.
NONE = Bug("00", "as it is", 0, "nothing is wrong", Path())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one campaign. `seconds` are of the wall, start of the interpreter included."""

    bug: Bug
    found: bool
    seconds: float
    told: str

    def __str__(self) -> str:
        how = "found" if self.found else "not found"
        title = f"{self.bug.number} {self.bug.name}"
        return f"{title:38} {how:9} {self.seconds:5.1f} s  {self.told}"


def bugs() -> list[Bug]:
    """Every planted bug, by number. Raises ValueError for a patch without its first line."""
    found = []
    for patch in sorted(HERE.glob("*.patch")):
        number, _, name = patch.stem.partition("-")
        header = _HEADER.fullmatch(patch.read_text(encoding="utf-8").partition("\n")[0])
        if header is None:
            raise ValueError(f"{patch.name}: its first line is not `Invariant N: what is wrong.`")
        found.append(Bug(number, name, int(header["invariant"]), header["says"], patch))
    return found


@contextmanager
def planted(bug: Bug) -> Iterator[Path]:
    """A copy of the tree that has the bug. Raises CalledProcessError where it does not apply."""
    with tempfile.TemporaryDirectory(prefix=f"planted-{bug.number}-") as name:
        copy = Path(name).resolve() / "tree"
        for part in _COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, copy / part, ignore=ignored)
        for module in ROOT.glob("tests/*.py"):
            shutil.copy(module, copy / "tests")
        if bug is not NONE:
            apply(bug, copy)
        yield copy


def apply(bug: Bug, tree: Path) -> None:
    """Applies the bug's patch, without fuzz. Raises CalledProcessError where it does not apply."""
    git = shutil.which("git")
    assert git is not None, "install git: it applies the patches"
    subprocess.run(
        [git, "apply", "--whitespace=nowarn", str(bug.patch)],
        cwd=tree,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)},
        check=True,
        capture_output=True,
        text=True,
    )


def run(bug: Bug, seconds: float = SECONDS, seed: int = SEED) -> Outcome:
    """Plants a bug and runs the campaign, for so many seconds of the wall at most."""
    with planted(bug) as tree:
        start = time.monotonic()
        words = [sys.executable, "-c", _CAMPAIGN, str(seed), str(seconds - START)]
        try:
            ended = subprocess.run(
                words,
                cwd=tree,
                env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tree), str(tree / "tests")))},
                capture_output=True,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            return Outcome(bug, False, seconds, "the campaign did not end")
        return _outcome(bug, time.monotonic() - start, ended)


def _outcome(bug: Bug, seconds: float, ended: subprocess.CompletedProcess[str]) -> Outcome:
    if ended.returncode:
        last = (ended.stderr.strip() or "nothing").splitlines()[-1]
        return Outcome(bug, False, seconds, f"the campaign failed: {last}")
    told: Sequence[Any] | None = json.loads(ended.stdout.splitlines()[-1])
    if told is None:
        return Outcome(bug, False, seconds, f"it is said of {bug.invariant}: {bug.says}")
    invariant, message, examples = told
    return Outcome(bug, True, seconds, f"invariant {invariant}, {examples} histories: {message}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 where too little is found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", metavar="NN", help="a number; 00 is the tree")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each bug")
    parser.add_argument("--seed", type=int, default=SEED, help="of the campaign")
    asked = parser.parse_args(arguments)
    known = {bug.number: bug for bug in (NONE, *bugs())}
    for number in asked.only or ():
        if number not in known:
            parser.error(f"--only {number}: the numbers are {', '.join(known)}")
    outcomes = []
    for bug in [known[number] for number in asked.only or known]:
        outcomes.append(run(bug, asked.seconds, asked.seed))
        print(outcomes[-1], flush=True)
    found = sum(each.found for each in outcomes if each.bug is not NONE)
    wanted = len(outcomes) - sum(each.bug is NONE for each in outcomes)
    clean = not any(each.found for each in outcomes if each.bug is NONE)
    print(f"{found} of {wanted} found" + ("" if clean else ", and one where none is planted"))
    return 0 if clean and found >= (wanted if asked.only else ENOUGH) else 1


if __name__ == "__main__":
    raise SystemExit(main())
