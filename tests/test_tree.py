"""What holds of the source tree as a whole: size, docstrings, layers, and nothing of one machine."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from envs import need

ROOT = Path(__file__).parent.parent
MODULES = sorted((*ROOT.glob("emulator/**/*.py"), *ROOT.glob("real/**/*.py")))
LIMIT = 350
CONTRACT_LIMIT = 120

#: Where a path of one machine begins. Written in parts, so as not to be found here.
MACHINE = [f"/{name}/".encode() for name in ("work", "root")]


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=_named)
def test_a_module_is_short_and_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    limit = CONTRACT_LIMIT if _named(path) == "emulator/platform.py" else LIMIT
    assert lines <= limit, f"{_named(path)} has {lines} lines, at most {limit}"
    assert ast.get_docstring(ast.parse(text)), f"{_named(path)} has no docstring"


def test_the_modules_are_found() -> None:
    assert {"emulator/platform.py", "emulator/world.py"} <= {_named(each) for each in MODULES}


def test_the_layers_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    need(program.exists(), "import-linter beside the interpreter of the tests")
    ended = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


def test_no_file_knows_the_machine_that_it_was_written_on() -> None:
    git = shutil.which("git")
    need(git and (ROOT / ".git").exists(), "a checkout by git, which knows the project's files")
    assert git is not None
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    found = []
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            content = path.read_bytes()
            found += [f"{name}: {word.decode()}" for word in MACHINE if word in content]
    assert found == []
