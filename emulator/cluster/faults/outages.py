"""Nodes under faults: which are down, not ready or drained, and the way from one to the other.

Rules: what a node is to be follows from the faults that are active and strike it; `told` is what was
last made of each node that is struck, `own` what it is by itself, which no fault mends: what it was
before, and what others have made of it since. A node that joins while a fault lasts is struck as well.
One that is down is not also not ready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from emulator.cluster.faults.active import Active
from emulator.cluster.faults.base import Fault
from emulator.cluster.objects import Node
from emulator.cluster.store import ADDED, DELETED

if TYPE_CHECKING:
    from emulator.cluster.faults.engine import Faults

DOWN = "down"
NOT_READY = "not ready"
DRAINED = "drained"


class NodeFault(Fault):
    """A fault that makes something of nodes."""

    takes: ClassVar[tuple[str, ...]] = ("node", "zone")
    #: What becomes of a node that is struck.
    makes: ClassVar[str] = ""

    def entity(self, node: Node) -> str:
        """Whose chance it is."""
        return node.name

    def begin(self, faults: Faults, me: Active) -> None:
        """The nodes become what the fault makes of them."""
        faults.outages.settle()

    def end(self, faults: Faults, me: Active) -> None:
        """The nodes become what the other faults make of them."""
        faults.outages.settle()


class Outages:
    """The nodes of one cluster under its faults."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.told: dict[str, frozenset[str]] = {}
        self.own: dict[str, frozenset[str]] = {}

    def heard(self, op: str, node: Node) -> None:
        """A node has joined, or has gone."""
        if op == DELETED:
            self.told.pop(node.name, None)
            self.own.pop(node.name, None)
        elif op == ADDED:
            self._faults.cluster.kernel.call_in(0, self.settle)

    def settle(self) -> None:
        """Makes of every node what the active faults make of it."""
        struck = self._faults.of(NodeFault)
        for node in tuple(self._faults.cluster.nodes):
            wanted = frozenset(
                fault.makes
                for active, fault in struck
                if fault.target.has_node(node) and active.strikes(fault.entity(node))
            )
            told = self.told.get(node.name, frozenset())
            if wanted != told:
                self._change(node, told, wanted)

    def _change(self, node: Node, told: frozenset[str], wanted: frozenset[str]) -> None:
        nodes = self._faults.system.nodes
        # What a fault has made is the node's own only where it was that before the fault.
        own = _present(node) - (told - self.own.get(node.name, frozenset()))
        if wanted:
            self.told[node.name] = wanted
            self.own[node.name] = own
        else:
            del self.told[node.name], self.own[node.name]
        before, after = _worst(told | own), _worst(wanted | own)
        if before != after:
            if before:
                nodes.restore(node)
            if after == DOWN:
                nodes.lose(node)
            elif after == NOT_READY:
                nodes.not_ready(node)
        if DRAINED in wanted - told:
            nodes.drain(node)
        elif DRAINED in told - wanted - own:
            nodes.uncordon(node)


def _present(node: Node) -> frozenset[str]:
    """What a node is now, whoever made it so."""
    states = []
    if not node.up:
        states.append(DOWN)
    if node.unschedulable:
        states.append(DRAINED)
    return frozenset(states)


def _worst(states: frozenset[str]) -> str:
    return DOWN if DOWN in states else NOT_READY if NOT_READY in states else ""
