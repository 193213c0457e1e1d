"""`--behaviours FILE`: the rules of a file, with the place of whatever is wrong in it.

Rules: the file is YAML: a list of rules, or a mapping with the list under `behaviours` (so that a
scenario serves as well). An error is `FILE:LINE:COLUMN: what is wrong`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.commands.problem import Problem

if TYPE_CHECKING:
    from emulator.scenario.positions import Node
    from emulator.workloads.rules import Rule

_KEY = "behaviours"
_OPTION = "--behaviours"
_DOCUMENT = re.compile(r"\A((?:[ \t]*(?:#.*)?\r?\n)*)---[ \t]*(?=\r?\n)")
_FLOW = re.compile(r"(\s|#.*\n)*\[")


def read_rules(path: str) -> tuple[Rule, ...]:
    """The rules of the file, in order. Raises Problem (exit 2)."""
    from emulator.scenario import positions
    from emulator.scenario.rules import ScenarioError
    from emulator.workloads.rules import RuleError, parse_rules

    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        what = f"{path!r} cannot be read: {error.strerror or error}"
        raise Problem(what, field=_OPTION, mend="give the path of a YAML file") from None
    try:
        node, offset = _list(positions.decode(raw, path), path)
    except ScenarioError as error:
        first = error.problems[0]
        place = f"{path}:{first.line}:{first.column}"
        raise Problem(first.message, field=f"{_OPTION}: {place}", mend=first.mend) from None
    try:
        return parse_rules(node.value())
    except RuleError as error:
        mark = node.locate_key(error.path) if error.path else node.mark
        place = f"{path}:{mark.line - offset}:{mark.column}"
        raise Problem(str(error), field=f"{_OPTION}: {place}") from None


def _list(text: str, path: str) -> tuple[Node, int]:
    """The node of the list, and how many lines its marks are further down than in the file."""
    from emulator.scenario import positions
    from emulator.scenario.rules import ScenarioError

    try:
        root = positions.read(text, path)
    except ScenarioError as error:
        first = error.problems[0]
        if first.rule == "E007":
            raise _no_rules(path, first.line, first.column) from None
        if first.rule != "E008":  # the top level is no mapping: a list, with luck
            raise
    else:
        node = root.child(_KEY)
        if node is None:
            raise _no_rules(path, *root.mark)
        return node, 0
    try:
        root = positions.read(_wrapped(_DOCUMENT.sub(_blank, text)), path)
    except ScenarioError:  # a text alone, which is no value of a key at the margin
        raise _no_rules(path, first.line, first.column) from None
    node = root.child(_KEY)
    assert node is not None
    return node, 1


def _wrapped(text: str) -> str:
    """The list as the one value of a mapping, a line further down; in braces if in brackets."""
    return f"{{{_KEY}:\n{text}\n}}" if _FLOW.match(text) else f"{_KEY}:\n{text}"


def _no_rules(path: str, line: int, column: int) -> Problem:
    mend = f"write a list of rules, or put it under the key {_KEY}"
    return Problem("there are no rules", field=f"{_OPTION}: {path}:{line}:{column}", mend=mend)


def _blank(start: re.Match[str]) -> str:
    return start[1]
