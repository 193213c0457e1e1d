"""The end of a namespace: what is in it goes first, and nothing new comes in meanwhile.

Rules: a deleted namespace is Terminating until the last object in it has gone, and then goes itself, a
reaction later. What Kubernetes cannot do without may not be deleted. Events do not hold a namespace.
Source: the apiserver's admission plugin NamespaceLifecycle; Kubernetes docs, "Namespaces".
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.cluster.apiserver.status import forbidden, terminating
from emulator.cluster.context import Cluster
from emulator.cluster.objects import Stored
from emulator.cluster.objects.plain import Namespace
from emulator.cluster.store import ADDED, DELETED, Store

#: The namespaces that stay.
_IMMORTAL = frozenset({"default", "kube-public", "kube-system"})
_HELD_BY = (
    "ConfigMap",
    "Deployment",
    "EndpointSlice",
    "LimitRange",
    "Pod",
    "ReplicaSet",
    "ResourceQuota",
    "Secret",
    "Service",
)


def check_end(name: str) -> None:
    """Raises Rejected (403) for a namespace that may not be deleted."""
    if name in _IMMORTAL:
        raise forbidden("", "namespaces", name, "this namespace may not be deleted")


def check_new(store: Store, group: str, resource: str, name: str, namespace: str) -> None:
    """Raises Rejected (403) for a new object in a namespace that is on its way out."""
    held = store.get("Namespace", namespace)
    if held is not None and held.terminating:
        raise terminating(group, resource, name, namespace)


def end(cluster: Cluster, held: Namespace, empty: Callable[[str], None]) -> None:
    """Begins to end a namespace; `empty` asks for the end of all in it. Idempotent."""
    if held.terminating:
        return
    held.deleted_at = cluster.now
    cluster.store.changed(held)
    _Ending(cluster, held)
    empty(held.name)


class _Ending:
    """One namespace on its way out: counts what is left in it."""

    def __init__(self, cluster: Cluster, held: Namespace) -> None:
        self._cluster = cluster
        self._held = held
        self._left = sum(
            each.namespace == held.name for kind in _HELD_BY for each in cluster.store.all(kind)
        )
        self._stop = cluster.store.tap(self._heard)
        if not self._left:
            cluster.kernel.call_in(cluster.lag(), self._finish)

    def _heard(self, op: str, obj: Stored) -> None:
        if obj.namespace != self._held.name or obj.kind not in _HELD_BY:
            return
        if op == ADDED:
            self._left += 1
        elif op == DELETED:
            self._left -= 1
            if not self._left:
                self._cluster.kernel.call_in(self._cluster.lag(), self._finish)

    def _finish(self) -> None:
        if not self._left and not self._held.removed:
            self._stop()
            self._cluster.store.remove(self._held)
