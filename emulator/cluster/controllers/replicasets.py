"""The ReplicaSet controller: keeps as many pods as are wanted.

Rules: pods are made in batches of 1, 2, 4, 8..., at most 500 a sync; a batch with a failure is the
last one of its sync and the work comes back later. A pod counts until its deletion is asked for or it
has ended; what is lost is replaced. A pod that matches and has no owner is adopted. The status is
written after the pods, from the view before them. Source: Kubernetes facts section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter

from emulator.cluster.context import Cluster
from emulator.cluster.controllers.queue import Client, WorkQueue, retry_delay
from emulator.cluster.deletion import Deletion
from emulator.cluster.labels import matches
from emulator.cluster.objects import Deployment, Pod, ReplicaSet
from emulator.cluster.objects.pods import TERMINAL
from emulator.cluster.store import ADDED, DELETED, MODIFIED
from emulator.domain import names
from emulator.domain.timefmt import SECOND

_SOURCE = "replicaset-controller"
_MAX_A_SYNC = 500
#: The numbers of a status, in the order in which they are counted.
_COUNTS = ("observed", "replicas", "ready", "available", "terminating_pods")
_counts_of = attrgetter(*_COUNTS)


class PodRefused(Exception):
    """The API server takes no such pod now; the text is what the event quotes."""


def _fits(replica_set: ReplicaSet, pod: Pod) -> bool:
    """Whether a ReplicaSet selects a pod."""
    return replica_set.namespace == pod.namespace and matches(replica_set.selector, pod.labels)


class ReplicaSets:
    """The controller of every ReplicaSet; `admit` may raise PodRefused (quota)."""

    def __init__(self, cluster: Cluster, deletion: Deletion, admit: Callable[[Pod], None]) -> None:
        self._cluster = cluster
        self._deletion = deletion
        self._admit = admit
        self._client = Client(cluster.settings.controller_rate)
        self._orphans: dict[str, Pod] = {}
        self._queue: WorkQueue[ReplicaSet] = WorkQueue(cluster.kernel, cluster.lag, self._sync)
        cluster.store.on("ReplicaSet", self._heard)
        cluster.store.on("Pod", self._heard_pod)

    def _heard(self, op: str, replica_set: ReplicaSet) -> None:
        if op == ADDED:
            for pod in tuple(self._orphans.values()):
                if _fits(replica_set, pod):
                    self._adopt(replica_set, pod)
        if op != DELETED and replica_set.observed != replica_set.generation:
            self._queue.add(replica_set)

    def _heard_pod(self, op: str, pod: Pod) -> None:
        owner = pod.owner
        if owner is None:
            self._heard_orphan(op, pod)
            return
        if isinstance(owner, ReplicaSet):
            if op == MODIFIED and pod.labels is not owner.labels and not _fits(owner, pod):
                self._release(owner, pod)
                return
            if op == DELETED:
                owner.pods.remove(pod)
                counted = -1
            else:
                counted = pod.ready + 2 * pod.terminating + 4 * (pod.phase in TERMINAL)
            if counted != pod.counted:  # nothing else of a pod shows in a ReplicaSet
                pod.counted = counted
                if not owner.removed:
                    self._queue.add(owner)

    def _heard_orphan(self, op: str, pod: Pod) -> None:
        """A pod that nobody owns: it is adopted by who selects it, now or later."""
        self._orphans.pop(pod.key, None)
        if op == DELETED or not pod.active:
            return
        self._orphans[pod.key] = pod
        for replica_set in self._cluster.store.all("ReplicaSet"):
            if _fits(replica_set, pod) and not replica_set.terminating:
                self._adopt(replica_set, pod)
                return

    def _adopt(self, replica_set: ReplicaSet, pod: Pod) -> None:
        self._orphans.pop(pod.key, None)
        pod.owner = replica_set
        pod.counted = -2
        replica_set.pods.append(pod)
        if (group := replica_set.group) is not None:
            self._cluster.store.join(pod, group)
            group.pods.append(pod)
        self._cluster.store.changed(pod)

    def _release(self, replica_set: ReplicaSet, pod: Pod) -> None:
        """Lets a pod go that the ReplicaSet selects no more."""
        pod.owner = None
        replica_set.pods.remove(pod)
        self._queue.add(replica_set)
        self._cluster.store.changed(pod)

    # -- pods ------------------------------------------------------------------------------------

    def _sync(self, replica_set: ReplicaSet) -> None:
        if replica_set.removed or replica_set.busy:
            return
        active = [pod for pod in replica_set.pods if pod.active]
        missing = replica_set.wanted - len(active)
        if replica_set.terminating:
            missing = 0
        if missing > 0:
            replica_set.busy = True
            counts = self._count(replica_set, active)
            self._batch(replica_set, min(missing, _MAX_A_SYNC), 1, counts)
            return
        if missing < 0:
            self._delete(replica_set, self._victims(replica_set, active, -missing))
            return
        self._forgive(replica_set)
        self._write_status(replica_set, self._count(replica_set, active))

    def _delete(self, replica_set: ReplicaSet, victims: list[Pod]) -> None:
        """Deletes pods, each when the client's rate lets it; the work goes on after the last."""
        cluster = self._cluster
        replica_set.busy = True
        counts = self._count(replica_set, [pod for pod in replica_set.pods if pod.active])
        last = 0
        for pod in victims[:_MAX_A_SYNC]:
            last = self._client.take(cluster.now)
            if last:
                cluster.kernel.call_in(last, partial(self._delete_one, replica_set, pod))
            else:
                self._delete_one(replica_set, pod)
        then = partial(self._finish, replica_set, counts, failed=False)
        if last:
            cluster.kernel.call_in(last, then)
        else:
            then()

    def _delete_one(self, replica_set: ReplicaSet, pod: Pod) -> None:
        if pod.removed or replica_set.removed:
            return
        text = f"Deleted pod: {pod.name}"
        self._cluster.event(replica_set, "SuccessfulDelete", text, source=_SOURCE)
        self._deletion.delete_pod(pod)

    def _forgive(self, replica_set: ReplicaSet) -> None:
        """A sync without an error takes the failure back."""
        replica_set.retries = 0
        if replica_set.conditions.pop("ReplicaFailure", None) is not None:
            self._cluster.store.changed(replica_set)

    def _victims(self, replica_set: ReplicaSet, active: list[Pod], count: int) -> list[Pod]:
        """Whom a scale-down takes: unassigned, pending, not ready, later ready, restarted, newer."""
        ranked = sorted(
            active,
            key=lambda pod: (
                pod.node is not None,
                pod.phase != "Pending",
                pod.ready,
                -pod.ready_at,
                -pod.restarts,
                -pod.created,
            ),
        )
        return ranked[:count]

    def _batch(
        self, replica_set: ReplicaSet, left: int, size: int, counts: tuple[int, ...]
    ) -> None:
        """Makes a batch of pods; the next one, twice as large, follows when all of it went well."""
        cluster = self._cluster
        if replica_set.removed:
            return
        refused: list[bool] = []
        last = 0
        for _ in range(min(left, size)):
            wait = self._client.take(cluster.now)
            last = max(last, wait)
            if wait:
                cluster.kernel.call_in(wait, partial(self._create_late, replica_set, refused))
            elif not self._create(replica_set):
                refused.append(True)
        left -= min(left, size)
        then = partial(self._go_on, replica_set, left, size * 2, counts, refused)
        if left and not refused:
            cluster.kernel.call_in(last + cluster.api_delay(replica_set.name, "create"), then)
        elif last:
            cluster.kernel.call_in(last, then)
        else:
            then()

    def _create_late(self, replica_set: ReplicaSet, refused: list[bool]) -> None:
        if not replica_set.removed and not self._create(replica_set):
            refused.append(True)

    def _go_on(
        self,
        replica_set: ReplicaSet,
        left: int,
        size: int,
        counts: tuple[int, ...],
        refused: list[bool],
    ) -> None:
        """A batch is through: the next one, or the end."""
        if left and not refused:
            self._batch(replica_set, left, size, counts)
        else:
            self._finish(replica_set, counts, bool(refused))

    def _finish(self, replica_set: ReplicaSet, counts: tuple[int, ...], failed: bool) -> None:
        replica_set.busy = False
        if replica_set.removed:
            return
        self._write_status(replica_set, counts)
        if failed:
            replica_set.retries += 1
            self._queue.add_after(replica_set, retry_delay(replica_set.retries))
        else:
            self._forgive(replica_set)
            self._queue.add(replica_set)

    def _create(self, replica_set: ReplicaSet) -> bool:
        """Makes one pod; says whether the API server took it."""
        cluster = self._cluster
        group = replica_set.group
        pod = Pod(
            self._new_name(replica_set),
            replica_set.namespace,
            cluster.now,
            replica_set.template,
            group=group,
            owner=replica_set,
        )
        try:
            self._admit(pod)
        except PodRefused as refused:
            self._failed(replica_set, str(refused))
            return False
        if replica_set.labels:
            pod.labels = replica_set.labels
        replica_set.pods.append(pod)
        if group is not None:
            group.pods.append(pod)
        journal = cluster.journal
        before = journal.cause
        cluster.store.add(pod, owner=replica_set.name, workload=group.name if group else "")
        cluster.event(replica_set, "SuccessfulCreate", f"Created pod: {pod.name}", source=_SOURCE)
        journal.cause = before
        return True

    def _new_name(self, replica_set: ReplicaSet) -> str:
        """A pod's name that no pod has, not even one that is on its way out."""
        cluster = self._cluster
        while True:
            replica_set.serial += 1
            stream = cluster.stream(f"{replica_set.name}/{replica_set.serial}", "suffix")
            suffix = names.suffix(stream.below(names.SUFFIXES))
            name = names.pod_name(replica_set.name, suffix)
            if cluster.store.get("Pod", f"{replica_set.namespace}/{name}") is None:
                return name

    def _failed(self, replica_set: ReplicaSet, text: str) -> None:
        cluster = self._cluster
        cluster.event(
            replica_set, "FailedCreate", f"Error creating: {text}", source=_SOURCE, warning=True
        )
        # The first refusal's text stays: a new one would be a change, and so a reason to try at once.
        if "ReplicaFailure" not in replica_set.conditions:
            replica_set.set_condition("ReplicaFailure", "True", cluster.now, "FailedCreate", text)
            cluster.store.changed(replica_set)

    # -- status ----------------------------------------------------------------------------------

    def _count(self, replica_set: ReplicaSet, active: list[Pod]) -> tuple[int, ...]:
        """observedGeneration, replicas, ready, available, terminating: as they are now."""
        ready = [pod for pod in active if pod.ready]
        return (
            replica_set.generation,
            len(active),
            len(ready),
            self._available(replica_set, ready),
            sum([pod.terminating for pod in replica_set.pods]),
        )

    def _available(self, replica_set: ReplicaSet, ready: list[Pod]) -> int:
        owner = replica_set.owner
        patience = owner.min_ready if isinstance(owner, Deployment) else replica_set.min_ready
        if not patience:
            return len(ready)
        now = self._cluster.now
        waits = [wait for pod in ready if (wait := pod.ready_at + patience - now) > 0]
        if waits:
            self._queue.add_after(replica_set, max(min(waits), SECOND))
        return len(ready) - len(waits)

    def _write_status(self, replica_set: ReplicaSet, counts: tuple[int, ...]) -> None:
        held = _counts_of(replica_set)
        if counts == held:
            return
        for name, count in zip(_COUNTS, counts, strict=True):
            setattr(replica_set, name, count)
        self._client.take(self._cluster.now)
        self._cluster.store.changed(replica_set)
