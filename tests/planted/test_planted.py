"""The planted bugs: each applies to the tree as it is and changes what the code does; some are found.

All of them are planted and looked for by hand (`plant.py`), for that takes up to 21 minutes.
"""

from __future__ import annotations

import ast
import re
import shutil

import pytest
from envs import need
from plant import NONE, ROOT, Bug, bugs, planted, run

from emulator.testing.invariants import ALONE

BUGS = bugs()
MOST = 6
_FILE = re.compile(r"^\+\+\+ b/(?P<path>.+)$", re.MULTILINE)
#: Those that take the fewest histories.
QUICK = ("01", "08", "11")


def _git() -> None:
    need(shutil.which("git"), "git, which applies the patches")


def _changed(bug: Bug) -> list[str]:
    lines = bug.patch.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")]


def _code(source: str) -> str:
    """What a module does: its syntax without docstrings and comments."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            del node.body[0]
    return ast.dump(tree)


def test_there_are_twenty_of_different_names_for_every_invariant_that_a_history_can_break() -> None:
    assert [bug.number for bug in BUGS] == [f"{number:02}" for number in range(1, 21)]
    assert len({bug.name for bug in BUGS}) == len({bug.says for bug in BUGS}) == 20
    assert {bug.invariant for bug in BUGS} == {*ALONE, 9}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.patch.stem)
def test_a_bug_is_small(bug: Bug) -> None:
    assert 1 <= len(_changed(bug)) <= MOST


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.patch.stem)
def test_a_bug_applies_to_the_tree_and_changes_what_it_does(bug: Bug) -> None:
    _git()
    path = _FILE.findall(bug.patch.read_text(encoding="utf-8"))
    assert len(path) == 1
    assert path[0].startswith("emulator/")
    with planted(bug) as tree:
        altered = (tree / path[0]).read_text(encoding="utf-8")
        compile(altered, path[0], "exec")
        assert _code(altered) != _code((ROOT / path[0]).read_text(encoding="utf-8"))


@pytest.mark.slow  # campaigns in processes of their own, a minute each at most
@pytest.mark.parametrize("number", QUICK)
def test_a_planted_bug_is_found(number: str) -> None:
    _git()
    outcome = run(next(bug for bug in BUGS if bug.number == number))
    assert outcome.found, str(outcome)


@pytest.mark.slow  # a campaign in a process of its own
def test_nothing_is_found_where_nothing_is_planted() -> None:
    outcome = run(NONE, 20.0)
    assert not outcome.found, str(outcome)
