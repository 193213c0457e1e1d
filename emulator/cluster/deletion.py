"""The way out of the store: graceful deletion of pods, and the children of what is gone.

Rules: a pod that was never placed, or has ended, goes at once; any other gets a grace (its own, 30 s
by default, when none is asked for) and goes when its kubelet says so, or at once with grace 0. What an
object owns goes after it (background propagation). Source: Kubernetes facts section 6.5.
"""

from __future__ import annotations

from functools import partial

from emulator.cluster.context import Cluster
from emulator.cluster.controllers.queue import Client
from emulator.cluster.objects import Deployment, Pod, ReplicaSet, Service, Stored
from emulator.cluster.objects.pods import TERMINAL
from emulator.cluster.settings import ClientRate
from emulator.cluster.store import DELETED
from emulator.domain.timefmt import SECOND


class Deletion:
    """Deletes objects and what they own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        rate = cluster.settings.controller_rate
        # the collector's client may ask twice as often as the others
        self._client = Client(rate and ClientRate(2 * rate.qps, rate.burst))
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
        if pod.owner is not None and pod.owner.terminating:
            self._close(pod.owner)

    def orphan(self, owner: Stored) -> None:
        """What an object owns is nobody's from now on."""
        left: list[Stored] = []
        if isinstance(owner, Deployment):
            left += owner.replica_sets
            owner.replica_sets.clear()
        elif isinstance(owner, ReplicaSet):
            left += owner.pods
            owner.pods.clear()
            owner.deleted_at = self._cluster.now  # it adopts none of them again
        for each in left:
            each.owner = None
            self._cluster.store.changed(each)

    def foreground(self, owner: Deployment | ReplicaSet) -> None:
        """Ends what an object owns first, and then the object."""
        owner.deleted_at = self._cluster.now
        owner.grace = 0
        self._cluster.store.changed(owner)
        if isinstance(owner, Deployment):
            for replica_set in tuple(owner.replica_sets):
                self.foreground(replica_set)
        else:
            self._delete_pods(owner)
        self._close(owner)

    def _close(self, owner: Stored) -> None:
        """Lets an object go that waits for what it owns, when there is nothing left of it."""
        if owner.removed:
            return
        if isinstance(owner, ReplicaSet) and not owner.pods:
            above = owner.owner
            self._cluster.store.remove(owner)
            if above is not None and above.terminating:
                self._close(above)
        elif isinstance(owner, Deployment) and not owner.replica_sets:
            self._cluster.store.remove(owner)

    # -- what is owned ---------------------------------------------------------------------------

    def _orphaned_sets(self, op: str, deployment: Deployment) -> None:
        if op == DELETED:
            group = deployment.group
            if group is not None and group.deployment is deployment:
                group.deployment = None
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
        """Deletes a ReplicaSet's pods as fast as the collector's client may: two requests each."""
        kernel = self._cluster.kernel
        for pod in tuple(replica_set.pods):
            if pod.terminating:
                continue
            self._client.take(kernel.now)
            if wait := self._client.take(kernel.now):
                kernel.call_in(wait, partial(self.delete_pod, pod))
            else:
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
