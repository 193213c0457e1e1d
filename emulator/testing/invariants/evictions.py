"""Evictions and their cause: the part of invariant 8 that is about taints.

Rules: the taint manager deletes a pod that does not bear a NoExecute taint of its node. Every pod bears
the not-ready and unreachable taints for `patience`, 300 s unless its maker says otherwise (the rows do
not tell: whoever lets pods ask for less gives another patience here). A plan outlives a taint that went
and came back, or went just now, within `settle`. Source: Kubernetes facts section 8.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.domain.journal import Row
from emulator.domain.timefmt import SECOND
from emulator.testing.invariants.base import kind_of, name_of

PATIENCE = 300 * SECOND
SETTLE = 30 * SECOND
_BORNE = ("node.kubernetes.io/not-ready:NoExecute", "node.kubernetes.io/unreachable:NoExecute")


class _Node:
    """A node: since when it has had a taint that is borne, until when, and whether another one."""

    __slots__ = ("other", "since", "until")

    def __init__(self) -> None:
        self.since: int | None = None
        self.until: int | None = None  # None: it has one now
        self.other = False


class Evictions:
    """The taints of every node, and who is evicted from it."""

    __slots__ = ("_bound", "_nodes", "_patience", "_settle")

    def __init__(self, patience: int = PATIENCE, settle: int = SETTLE) -> None:
        self._patience = patience
        self._settle = settle
        self._nodes: dict[str, _Node] = {}
        self._bound: dict[str, str] = {}  # nodes, by pod

    def feed(self, row: Row) -> Iterator[str]:
        """A node, a binding, an eviction, or a pod that goes."""
        kind, name = row.kind, name_of(row.subject)
        if kind == "node":
            self._taint(row, name)
        elif kind == "bind":
            self._bound[name] = str(row.data.get("node", ""))
        elif kind == "object":
            if kind_of(row.subject) == "Pod" and row.data.get("op") == "DELETED":
                self._bound.pop(name, None)
        elif _marks(row):
            yield from self._evicted(row.t, name)

    def _taint(self, row: Row, name: str) -> None:
        node = self._nodes.setdefault(name, _Node())
        taints = [str(each) for each in row.data.get("taints", ())]
        node.other = any(each.endswith(":NoExecute") and each not in _BORNE for each in taints)
        if any(each in _BORNE for each in taints):
            if node.since is None or (node.until is not None and row.t > node.until + self._settle):
                node.since = row.t
            node.until = None
        elif node.since is not None and node.until is None:
            node.until = row.t

    def _evicted(self, now: int, pod: str) -> Iterator[str]:
        name = self._bound.get(pod)
        node = self._nodes.get(name) if name is not None else None
        if node is not None and node.other:
            return
        if node is None or node.since is None:
            yield f"Pod/{pod} is evicted, and its node has no NoExecute taint"
        elif node.until is not None and now > node.until + self._settle:
            yield f"Pod/{pod} is evicted, and Node/{name} has had no NoExecute taint for long"
        elif now < node.since + self._patience:
            seconds = (now - node.since) // SECOND
            yield f"Pod/{pod} is evicted, and Node/{name} has had its taint for {seconds} s only"


def _marks(event: Row) -> bool:
    """Whether the taint manager says that it deletes a pod now."""
    marked = str(event.data.get("note", "")).startswith("Marking for deletion")
    return marked and event.data.get("reason") == "TaintManagerEviction"
