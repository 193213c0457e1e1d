"""The kinds of faults that strike nodes.

Rules: chance decides for each node, and for each zone where a zone is lost. What a node is under several
faults is computed (`outages`).
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from emulator.cluster.faults.outages import DOWN, DRAINED, NOT_READY, NodeFault
from emulator.cluster.objects import Node


@dataclasses.dataclass(frozen=True, kw_only=True)
class NodeDown(NodeFault):
    """Nodes are lost, with all that runs on them, and come back."""

    kind: ClassVar[str] = "node-down"
    makes: ClassVar[str] = DOWN


@dataclasses.dataclass(frozen=True, kw_only=True)
class NodeNotReady(NodeFault):
    """Kubelets report that their nodes are not ready; what runs goes on."""

    kind: ClassVar[str] = "node-not-ready"
    makes: ClassVar[str] = NOT_READY


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drain(NodeFault):
    """Nodes are cordoned and their pods evicted, and uncordoned in the end."""

    kind: ClassVar[str] = "drain"
    makes: ClassVar[str] = DRAINED


@dataclasses.dataclass(frozen=True, kw_only=True)
class ZoneLoss(NodeFault):
    """Every node of a zone is lost at once."""

    kind: ClassVar[str] = "zone-loss"
    makes: ClassVar[str] = DOWN
    takes: ClassVar[tuple[str, ...]] = ("zone",)
    needs: ClassVar[tuple[str, ...]] = ("zone",)

    def entity(self, node: Node) -> str:
        """The zone's chance."""
        return f"zone/{node.zone}"
