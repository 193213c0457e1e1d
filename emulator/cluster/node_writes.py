"""How the parts of the cluster write to nodes: one row of the journal a change, and a client's rate.

Rules: a change of readiness, taints or `unschedulable` is told once, here. What the writers of several
nodes do is a row each, siblings of one cause.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.cluster.context import Cluster
from emulator.cluster.controllers.queue import Client
from emulator.cluster.objects import Node, Taint


def tell(cluster: Cluster, node: Node) -> None:
    """A node is ready, tainted or unschedulable in another way than before."""
    journal = cluster.journal
    before = journal.cause
    note(cluster, node)
    cluster.store.changed(node)
    journal.cause = before


def note(cluster: Cluster, node: Node) -> None:
    """Puts how a node is into the journal."""
    cluster.record(
        "node",
        cluster.store.subject(node),
        ready=node.ready,
        taints=[f"{each.key}:{each.effect}" for each in node.taints],
        unschedulable=node.unschedulable,
    )


def set_taints(cluster: Cluster, node: Node, taints: tuple[Taint, ...]) -> None:
    """Gives a node these taints, and tells it where they differ from those that it has."""
    if taints != node.taints:
        node.taints = taints
        tell(cluster, node)


def paced(cluster: Cluster, client: Client, fn: Callable[[], None]) -> None:
    """Makes a request as soon as the client's rate lets it."""
    if wait := client.take(cluster.now):
        cluster.kernel.call_in(wait, fn)
    else:
        fn()
