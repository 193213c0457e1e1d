"""The way out of the store: graceful deletion of pods, and the children of what is gone.

Rules: a pod that was never placed, or has ended, goes at once; any other gets a grace (its own, 30 s
by default, when none is asked for) and goes when its kubelet says so, or at once with grace 0. What an
object owns goes after it (background propagation). Source: Kubernetes facts section 6.5.
"""

from __future__ import annotations

from functools import partial

from emulator.cluster.context import Cluster
from emulator.cluster.objects import Deployment, Pod, ReplicaSet, Service, Stored
from emulator.cluster.objects.pods import TERMINAL
from emulator.cluster.store import DELETED
from emulator.domain.timefmt import SECOND


class Deletion:
    """Deletes objects and what they own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        cluster.store.on("Deployment", self._orphaned_sets)
        cluster.store.on("ReplicaSet", self._orphaned_pods)
        cluster.store.on("Service", self._orphaned_slices)

    def delete_pod(self, pod: Pod, grace: int | None = None) -> None:
        """Asks for a pod's end; `grace` in seconds, None for the pod's own, negative counts as 1."""
        if pod.removed:
            return
        if grace is None:
            grace = pod.template.grace
        elif grace < 0:
            grace = 1
        at_once = pod.node is None or pod.phase in TERMINAL
        if pod.terminating and not at_once and grace >= (pod.grace or 0):
            return
        if at_once:
            grace = 0
        pod.deleted_at = self._cluster.now + grace * SECOND
        pod.grace = grace
        pod.generation += 1
        if grace == 0:
            self.finish_pod(pod)
        else:
            self._cluster.store.changed(pod)

    def finish_pod(self, pod: Pod) -> None:
        """The pod is no more: its last change (grace 0), then its removal."""
        cluster = self._cluster
        if pod.removed:
            return
        pod.grace = 0
        if pod.deleted_at is None:
            pod.deleted_at = cluster.now
        cluster.store.changed(pod)
        group = pod.group
        if group is not None and pod in group.pods:
            group.pods.remove(pod)
        cluster.store.remove(pod)
        owner = pod.owner.owner if pod.owner is not None else None
        if isinstance(owner, Deployment) and owner.terminating and not owner.removed:
            self._close(owner)

    def orphan(self, owner: Stored) -> None:
        """What an object owns is nobody's from now on."""
        if isinstance(owner, Deployment):
            for replica_set in owner.replica_sets:
                replica_set.owner = None
            owner.replica_sets.clear()
        elif isinstance(owner, ReplicaSet):
            for pod in owner.pods:
                pod.owner = None
            owner.pods.clear()

    def foreground(self, deployment: Deployment) -> None:
        """Ends what a Deployment owns first, and then the Deployment."""
        deployment.deleted_at = self._cluster.now
        deployment.grace = 0
        self._cluster.store.changed(deployment)
        for replica_set in tuple(deployment.replica_sets):
            replica_set.deleted_at = self._cluster.now
            for pod in tuple(replica_set.pods):
                self.delete_pod(pod)
        self._close(deployment)

    def _close(self, deployment: Deployment) -> None:
        """Lets a Deployment go that waits for its pods, when there are none."""
        if any(replica_set.pods for replica_set in deployment.replica_sets):
            return
        for replica_set in tuple(deployment.replica_sets):
            self._cluster.store.remove(replica_set)
        self._cluster.store.remove(deployment)

    # -- what is owned ---------------------------------------------------------------------------

    def _orphaned_sets(self, op: str, deployment: Deployment) -> None:
        if op == DELETED:
            for replica_set in deployment.replica_sets:
                self._cluster.kernel.call_in(
                    self._cluster.lag(), partial(self._cluster.store.remove, replica_set)
                )

    def _orphaned_pods(self, op: str, replica_set: ReplicaSet) -> None:
        if op != DELETED:
            return
        owner = replica_set.owner
        if isinstance(owner, Deployment) and replica_set in owner.replica_sets:
            owner.replica_sets.remove(replica_set)
        if replica_set.pods:
            self._cluster.kernel.call_in(
                self._cluster.lag(), partial(self._delete_pods, replica_set)
            )

    def _delete_pods(self, replica_set: ReplicaSet) -> None:
        for pod in tuple(replica_set.pods):
            self.delete_pod(pod)

    def _orphaned_slices(self, op: str, service: Service) -> None:
        if op == DELETED:
            self._cluster.kernel.call_in(self._cluster.lag(), partial(self._drop_slices, service))

    def _drop_slices(self, service: Service) -> None:
        for each in service.slices:
            self._cluster.store.remove(each)
            each.endpoints.clear()
        service.slices.clear()
        service.endpoints.clear()
        service.ready.clear()
