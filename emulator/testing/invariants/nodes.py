"""Invariant 7: a node never holds more than it can allocate.

Rules: what a pod asks for counts on its node from its `bind` row until the pod is DELETED or has
reached a phase that ends it; the number of pods counts against `pods`. A resource that a node does not
name it has none of. A pod is bound once, while it and its node are there.
Source: Kubernetes facts section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from emulator.domain.journal import Row
from emulator.testing.invariants.base import Violation, kind_of, name_of

#: Phases in which a pod holds nothing any more.
OVER = frozenset({"Failed", "Succeeded"})


class Usage:
    """What the pods of a cluster hold on its nodes: shared by the checkers of 7 and 10."""

    __slots__ = ("allocatable", "bound", "used")

    def __init__(self) -> None:
        self.allocatable: dict[str, Mapping[str, int]] = {}
        self.used: dict[str, dict[str, int]] = {}
        self.bound: dict[str, tuple[str, dict[str, int]]] = {}  # node and requests, by pod

    def bind(self, pod: str, node: str, requests: Mapping[str, int]) -> None:
        """The pod holds `requests`, and one of `pods`, on the node."""
        asked = {**requests, "pods": 1}
        self.bound[pod] = (node, asked)
        used = self.used.setdefault(node, {})
        for name, amount in asked.items():
            used[name] = used.get(name, 0) + amount

    def free(self, pod: str) -> None:
        """The pod holds nothing any more, wherever it was."""
        node, asked = self.bound.pop(pod, ("", {}))
        for name, amount in asked.items():
            self.used[node][name] -= amount

    def left(self, node: str, name: str) -> int:
        """What a node has left of a resource; negative where too much of it is held."""
        held = self.used.get(node, {}).get(name, 0)
        return self.allocatable.get(node, {}).get(name, 0) - held


class Capacity:
    """Invariant 7: the requests that are bound to a node stay within what it can allocate."""

    invariant = 7
    kinds: frozenset[str] | None = frozenset({"object", "bind", "pod"})

    def __init__(self) -> None:
        self._usage = Usage()
        self._pods: set[str] = set()

    def feed(self, row: Row) -> Iterable[Violation]:
        """A node or a pod that comes or goes, a binding, a phase."""
        if row.kind == "pod":
            if row.data.get("phase") in OVER:
                self._usage.free(name_of(row.subject))
            return ()
        texts = self._bind(row) if row.kind == "bind" else self._object(row)
        return [Violation(self.invariant, row.n, text) for text in texts]

    def finish(self, end_time: int) -> Iterable[Violation]:
        """Nothing is due."""
        return ()

    def _object(self, row: Row) -> Iterator[str]:
        kind, name, added = (
            kind_of(row.subject),
            name_of(row.subject),
            row.data.get("op") == "ADDED",
        )
        if kind == "Pod" and added:
            self._pods.add(name)
        elif kind == "Pod":
            self._pods.discard(name)
            self._usage.free(name)
        elif kind == "Node" and added:
            self._usage.allocatable[name] = row.data.get("allocatable", {})
            yield from self._full(name, self._usage.used.get(name, ()))
        elif kind == "Node":
            self._usage.allocatable.pop(name, None)

    def _bind(self, row: Row) -> Iterator[str]:
        pod, node = name_of(row.subject), str(row.data.get("node", ""))
        if pod in self._usage.bound:
            yield f"{row.subject} is bound to {node}, and is on {self._usage.bound[pod][0]}"
            return
        if pod not in self._pods:
            yield f"{row.subject} is bound to {node}, and it is not there"
        if node not in self._usage.allocatable:
            yield f"{row.subject} is bound to {node}, which is no node"
            return
        self._usage.bind(pod, node, row.data.get("requests", {}))
        yield from self._full(node, self._usage.bound[pod][1])

    def _full(self, node: str, resources: Iterable[str]) -> Iterator[str]:
        for name in resources:
            if (left := self._usage.left(node, name)) < 0:
                total = self._usage.allocatable[node].get(name, 0)
                yield f"Node/{node} holds {total - left} of {name}, and can allocate {total}"
