"""YAML text as plain values that remember where they stand.

Rules: only the events of the YAML parser are used, never a constructor: values are None, bool, int,
float, str, lists and mappings with text keys (the core schema of YAML 1.2, without infinities), and
nothing in a file can make anything else. Aliases are shared nodes; what they would come to when
written out is counted, not made, until it is known to be small enough. Everything that is wrong is a
ScenarioError with one problem: after a syntax error nothing further can be known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.scenario.rules import START, Mark, ScenarioError, problem, short

MAX_BYTES = 2**20
MAX_NODES = 100_000
MAX_DEPTH = 64

_INTEGERS = (
    (re.compile(r"[-+]?[0-9]+"), 10),
    (re.compile(r"0o[0-7]+"), 8),
    (re.compile(r"0x[0-9a-fA-F]+"), 16),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {word: word[0] in "tT" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_MAX_DIGITS = 300

Path = Sequence[int | str]


@dataclass(slots=True)
class Node:
    """A value in the file: where it begins, and how many nodes and levels it comes to."""

    mark: Mark
    scalar: Any = None
    items: list[Node] | None = None
    entries: dict[str, tuple[Mark, Node]] | None = None
    size: int = 1
    depth: int = 0

    def value(self) -> Any:
        """The plain value; an alias gives a copy."""
        if self.items is not None:
            return [item.value() for item in self.items]
        if self.entries is not None:
            return {key: node.value() for key, (_, node) in self.entries.items()}
        return self.scalar

    def child(self, part: int | str) -> Node | None:
        """The node under a key or an index, if there is one."""
        if self.entries is not None and isinstance(part, str):
            entry = self.entries.get(part)
            return entry[1] if entry else None
        if self.items is not None and isinstance(part, int) and 0 <= part < len(self.items):
            return self.items[part]
        return None

    def locate(self, path: Path) -> Mark:
        """Where the value at `path` begins, or its nearest ancestor that is there."""
        node = self
        for part in path:
            found = node.child(part)
            if found is None:
                break
            node = found
        return node.mark

    def locate_key(self, path: Path) -> Mark:
        """Where the last key of `path` stands, or as `locate` where it is no key."""
        node: Node | None = self
        for part in path[:-1]:
            node = node.child(part) if node else None
        if node and node.entries is not None and path and path[-1] in node.entries:
            return node.entries[str(path[-1])][0]
        return self.locate(path)


def decode(raw: bytes, file: str) -> str:
    """The text of a file. Raises ScenarioError (E002, E003)."""
    if len(raw) > MAX_BYTES:
        message = f"the file holds {len(raw)} bytes, at most {MAX_BYTES} are allowed"
        raise ScenarioError([problem("E002", START, "", message)], file)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", errors="replace")
        message = f"byte {raw[error.start]:#04x} is not UTF-8"
        raise ScenarioError([problem("E003", _end_of(before), "", message)], file) from None


def read(text: str, file: str) -> Node:
    """The top mapping of `text`. Raises ScenarioError (E002 to E013)."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    if len(text) > MAX_BYTES:
        message = f"the text holds {len(text)} characters, at most {MAX_BYTES} are allowed"
        raise ScenarioError([problem("E002", START, "", message)], file)
    try:
        root = _Tree(file).read(YAML(typ="safe", pure=True).parse(text))
    except ReaderError as error:
        mark = _end_of(text[: error.position])
        message = f"character {text[error.position]!r} is not allowed"
        raise ScenarioError([problem("E003", mark, "", message)], file) from None
    except MarkedYAMLError as error:
        raise _syntax(error, file) from None
    except ScenarioError:
        raise
    except Exception as error:  # the parser's own slips, as chr() of an escape out of range
        message = f"not YAML: {error}"
        raise ScenarioError([problem("E004", START, "", message)], file) from None
    if root is None or (root.items is None and root.entries is None and root.scalar is None):
        raise ScenarioError([problem("E007", START, "", "the file is empty")], file)
    if root.entries is None:
        what = "a list" if root.items is not None else short(root.scalar)
        message = f"the top level is {what}, not a mapping"
        raise ScenarioError([problem("E008", root.mark, "", message)], file)
    return root


def _end_of(before: str) -> Mark:
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return Mark(len(lines), len(lines[-1].removeprefix("\ufeff")) + 1)


def _syntax(error: Any, file: str) -> ScenarioError:
    """A syntax error; one at the end of the file is told at what was left open."""
    at_end = "stream" in (error.problem or "") and error.context_mark is not None
    mark = error.context_mark if at_end else error.problem_mark
    place = Mark(mark.line + 1, mark.column + 1) if mark else START
    what = ", ".join(part for part in (error.context, error.problem) if part) or "not YAML"
    rule = "E004"
    if "'\\t'" in what:
        rule, what = "E005", "a tab stands where YAML wants spaces"
    return ScenarioError([problem(rule, place, "", what)], file)


@dataclass(slots=True)
class _Open:
    """A collection that is being read; `key` waits for its value."""

    node: Node
    anchor: str | None
    key: tuple[str, Mark] | None = None


class _Tree:
    """Builds nodes from the parser's events, with limits, without recursion."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._anchors: dict[str, Node] = {}
        self._open: list[_Open] = []
        self._root: Node | None = None
        self._documents = 0

    def read(self, events: Iterable[Any]) -> Node | None:
        """The document's node, None where there is no document."""
        for event in events:
            mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
            match type(event).__name__:
                case "DocumentStartEvent":
                    self._documents += 1
                    if self._documents > 1:
                        raise self._wrong("E011", mark, "a second document begins here")
                case "ScalarEvent":
                    self._refuse_tag(event, mark)
                    self._place(Node(mark, self._scalar(event, mark)), event.anchor, mark)
                case "SequenceStartEvent" | "MappingStartEvent" as name:
                    self._refuse_tag(event, mark)
                    self._begin(mark, event.anchor, mapping=name == "MappingStartEvent")
                case "SequenceEndEvent" | "MappingEndEvent":
                    done = self._open.pop()
                    self._place(done.node, done.anchor, done.node.mark)
                case "AliasEvent":
                    self._place(self._alias(event.anchor, mark), None, mark)
        return self._root

    def _wrong(self, rule: str, mark: Mark, message: str) -> ScenarioError:
        return ScenarioError([problem(rule, mark, "", message)], self._file)

    def _refuse_tag(self, event: Any, mark: Mark) -> None:
        if event.tag is not None:
            raise self._wrong("E010", mark, f"the tag {short(str(event.tag))} is not allowed")

    def _scalar(self, event: Any, mark: Mark) -> Any:
        text: str = event.value
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise self._wrong("E003", mark, f"{short(text)} holds half of a surrogate pair")
        return self._plain(text, mark) if event.implicit[0] else text

    def _plain(self, text: str, mark: Mark) -> Any:
        """What an unquoted text means in YAML 1.2's core schema."""
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        for pattern, base in _INTEGERS:
            if pattern.fullmatch(text):
                if len(text) > _MAX_DIGITS:
                    raise self._wrong("E105", mark, f"{short(text)} has {len(text)} digits")
                return int(text, base)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isinf(number):
                raise self._wrong("E105", mark, f"{short(text)} is too large a number")
            return number
        return text

    def _begin(self, mark: Mark, anchor: str | None, *, mapping: bool) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise self._wrong("E009", mark, f"the file goes deeper than {MAX_DEPTH} levels")
        node = Node(mark, entries={}) if mapping else Node(mark, items=[])
        node.depth = 1
        self._open.append(_Open(node, anchor))

    def _alias(self, name: str, mark: Mark) -> Node:
        node = self._anchors.get(name)
        if node is None:
            raise self._wrong("E013", mark, f"the alias *{name} names no complete anchor above it")
        return node

    def _place(self, node: Node, anchor: str | None, mark: Mark) -> None:
        """Puts a finished node where it belongs: a key, a value, an item or the root."""
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self._root = node
            return
        top = self._open[-1]
        parent = top.node
        if parent.items is not None:
            parent.items.append(node)
        elif parent.entries is not None:
            if top.key is None:
                top.key = self._key(node, mark, parent.entries)
                return
            key, at = top.key
            parent.entries[key] = (at, node)
            top.key = None
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.size > MAX_NODES or len(self._open) + node.depth > MAX_DEPTH:
            message = f"the file comes to more than {MAX_NODES} nodes or {MAX_DEPTH} levels"
            raise self._wrong("E009", mark, message)

    def _key(
        self, node: Node, mark: Mark, entries: dict[str, tuple[Mark, Node]]
    ) -> tuple[str, Mark]:
        key = node.scalar
        if not isinstance(key, str):
            what = "a collection" if node.depth else short(key)
            raise self._wrong("E012", mark, f"{what} stands where a key must be")
        if key in entries:
            first = entries[key][0]
            message = f"the key {short(key)} is already there, at line {first.line}"
            raise self._wrong("E006", mark, message)
        return key, mark
