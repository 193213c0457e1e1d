"""The Deployment controller: makes ReplicaSets, scales them, and says how it goes.

Rules: a Deployment has one current ReplicaSet, the one of its template; older ones (strategy Recreate
only) go to zero and their pods must be gone before the new one is made. The Progressing condition
follows the progress of the counts; without any for the deadline it says so, and nothing is rolled
back. Times of conditions have a resolution of one second. Source: Kubernetes facts sections 0.8, 4.
"""

from __future__ import annotations

from operator import attrgetter

from emulator.cluster.context import Cluster
from emulator.cluster.controllers.queue import Client, WorkQueue
from emulator.cluster.objects import Deployment, ReplicaSet
from emulator.cluster.store import DELETED
from emulator.cluster.templates import share
from emulator.domain.timefmt import SECOND

_SOURCE = "deployment-controller"
_AVAILABLE = ("MinimumReplicasAvailable", "Deployment has minimum availability.")
_UNAVAILABLE = ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
_DONE = "NewReplicaSetAvailable"
#: The numbers of a status, in the order in which they are compared.
_COUNTS = (
    "observed",
    "replicas",
    "updated",
    "ready",
    "available",
    "unavailable",
    "terminating_pods",
)
_counts_of = attrgetter(*_COUNTS)


class Deployments:
    """The controller of every Deployment of the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._client = Client(cluster.settings.controller_rate)
        self._queue: WorkQueue[Deployment] = WorkQueue(cluster.kernel, cluster.lag, self._sync)
        cluster.store.on("Deployment", self._heard)
        cluster.store.on("ReplicaSet", self._heard_set)

    def _heard(self, op: str, deployment: Deployment) -> None:
        if op != DELETED:
            if deployment.observed != deployment.generation:
                self._queue.add(deployment)
        elif deployment.timer is not None:
            deployment.timer.cancel()
            deployment.timer = None

    def _heard_set(self, op: str, replica_set: ReplicaSet) -> None:
        owner = replica_set.owner
        if isinstance(owner, Deployment) and not owner.removed:
            self._queue.add(owner)

    # -- the ReplicaSets -------------------------------------------------------------------------

    def _sync(self, deployment: Deployment) -> None:
        if deployment.removed or deployment.terminating:
            return
        current = _current(deployment)
        olds = [each for each in deployment.replica_sets if each is not current]
        if self._wind_down(deployment, olds):
            self._write_status(deployment, current)
            return
        if current is None:
            if wait := self._client.admit(deployment, self._cluster.now):
                self._queue.add_after(deployment, wait)
            else:
                self._create(deployment)
            return
        if current.wanted != deployment.wanted:
            self._scale(deployment, current, deployment.wanted)
        self._write_status(deployment, current)

    def _wind_down(self, deployment: Deployment, olds: list[ReplicaSet]) -> bool:
        """Takes the older ReplicaSets to zero; says whether their pods are still there."""
        for old in olds:
            if old.wanted:
                self._scale(deployment, old, 0)
        return any(old.pods or old.wanted for old in olds)

    def _create(self, deployment: Deployment) -> None:
        cluster = self._cluster
        digest = deployment.digest
        name = f"{deployment.name}-{digest}"
        held = cluster.store.get("ReplicaSet", f"{deployment.namespace}/{name}")
        if isinstance(held, ReplicaSet):
            if held.owner is None:
                self._adopt(deployment, held)
            else:  # that of an earlier Deployment of this name has yet to be collected
                self._queue.add_after(deployment, cluster.lag())
            return
        labels = {**deployment.template.labels, "pod-template-hash": digest}
        replica_set = ReplicaSet(
            name,
            deployment.namespace,
            cluster.now,
            wanted=deployment.wanted,
            template=deployment.template,
            selector=share({**deployment.selector, "pod-template-hash": digest}, labels),
            labels=labels,
            owner=deployment,
            group=deployment.group,
        )
        replica_set.hash = digest
        replica_set.revision = 1 + max(
            (each.revision for each in deployment.replica_sets), default=0
        )
        replica_set.maximum = deployment.wanted + surge(deployment)
        deployment.replica_sets.append(replica_set)
        group = deployment.group
        cluster.store.add(replica_set, owner=deployment.name, workload=group.name if group else "")
        text = f'Created new replica set "{name}"'
        self._progress(deployment, "True", "NewReplicaSetCreated", text)
        cluster.store.changed(deployment)
        if deployment.wanted:
            self._say_scaled(deployment, replica_set, 0, deployment.wanted)

    def _adopt(self, deployment: Deployment, replica_set: ReplicaSet) -> None:
        """Takes over a ReplicaSet that an earlier Deployment has left to nobody."""
        replica_set.owner = deployment
        deployment.replica_sets.append(replica_set)
        name = f'Found new replica set "{replica_set.name}"'
        self._progress(deployment, "True", "FoundNewReplicaSet", name)
        self._cluster.store.changed(replica_set)
        self._cluster.store.changed(deployment)

    def _scale(self, deployment: Deployment, replica_set: ReplicaSet, wanted: int) -> None:
        before, replica_set.wanted = replica_set.wanted, wanted
        replica_set.generation += 1
        replica_set.desired = deployment.wanted
        replica_set.maximum = deployment.wanted + surge(deployment)
        self._cluster.store.changed(replica_set)
        self._say_scaled(deployment, replica_set, before, wanted)

    def _say_scaled(
        self, deployment: Deployment, replica_set: ReplicaSet, before: int, wanted: int
    ) -> None:
        way = "up" if wanted > before else "down"
        text = f"Scaled {way} replica set {replica_set.name} from {before} to {wanted}"
        self._cluster.event(deployment, "ScalingReplicaSet", text, source=_SOURCE)

    # -- the status ------------------------------------------------------------------------------

    def _write_status(self, deployment: Deployment, current: ReplicaSet | None) -> None:
        """Counts, conditions and deadline, after the last sync of the ReplicaSets."""
        sets = deployment.replica_sets
        updated = current.replicas if current else 0
        counts = (
            deployment.generation,
            sum([each.replicas for each in sets]),
            updated,
            sum([each.ready for each in sets]),
            available := sum([each.available for each in sets]),
            max(sum([each.wanted for each in sets]) - available, 0),
            sum([each.terminating_pods or 0 for each in sets]),
        )
        before = _counts_of(deployment)
        done = self._is_done(deployment, counts[1], updated)
        for name, count in zip(_COUNTS, counts, strict=True):
            setattr(deployment, name, count)
        changed = counts != before
        if deployment.generation != before[0]:
            self._arm(deployment)
        changed |= self._judge_availability(deployment)
        if not done:
            changed |= self._judge_progress(deployment, current, before)
        changed |= self._judge_failure(deployment)
        if changed:
            self._client.take(self._cluster.now)
            self._cluster.store.changed(deployment)

    def _is_done(self, deployment: Deployment, replicas: int, updated: int) -> bool:
        """Whether an earlier sync found the rollout complete, and nothing new has begun since."""
        condition = deployment.conditions.get("Progressing")
        return condition is not None and condition.reason == _DONE and replicas == updated

    def _judge_availability(self, deployment: Deployment) -> bool:
        enough = deployment.available >= deployment.wanted - unavailable(deployment)
        status, (reason, text) = ("True", _AVAILABLE) if enough else ("False", _UNAVAILABLE)
        held = deployment.conditions.get("Available")
        if held is not None and held.status == status and held.reason == reason:
            return False
        deployment.put_condition("Available", status, self._cluster.now, reason, text)
        return True

    def _judge_progress(
        self,
        deployment: Deployment,
        current: ReplicaSet | None,
        before: tuple[int | None, ...],
    ) -> bool:
        _, replicas, updated, ready, available, _, _ = before
        assert replicas is not None
        assert updated is not None
        assert ready is not None
        assert available is not None
        name = f'ReplicaSet "{current.name}"' if current else f'Deployment "{deployment.name}"'
        wanted = deployment.wanted
        if deployment.updated == deployment.replicas == deployment.available == wanted:
            self._cancel(deployment)
            self._progress(deployment, "True", _DONE, f"{name} has successfully progressed.")
            return True
        if (
            deployment.updated > updated
            or deployment.replicas - deployment.updated < replicas - updated
            or deployment.ready > ready
            or deployment.available > available
        ):
            self._progress(deployment, "True", "ReplicaSetUpdated", f"{name} is progressing.")
            return True
        if self._timed_out(deployment):
            text = f"{name} has timed out progressing."
            held = deployment.conditions["Progressing"]
            if held.status == "False":
                return False
            self._cancel(deployment)
            now = self._cluster.now
            deployment.put_condition("Progressing", "False", now, "ProgressDeadlineExceeded", text)
            self._cluster.record(
                "deployment",
                self._cluster.store.subject(deployment),
                reason="ProgressDeadlineExceeded",
            )
            return True
        return False

    def _judge_failure(self, deployment: Deployment) -> bool:
        """Carries the ReplicaSets' ReplicaFailure over."""
        failure = next(
            (
                each.conditions["ReplicaFailure"]
                for each in deployment.replica_sets
                if "ReplicaFailure" in each.conditions
            ),
            None,
        )
        if failure is None:
            return deployment.conditions.pop("ReplicaFailure", None) is not None
        return deployment.set_condition(
            "ReplicaFailure", "True", self._cluster.now, failure.reason, failure.message
        )

    # -- the deadline ----------------------------------------------------------------------------

    def _progress(self, deployment: Deployment, status: str, reason: str, text: str) -> None:
        now = self._cluster.now
        deployment.put_condition("Progressing", status, now, reason, text)
        deployment.progressed = now
        self._arm(deployment)

    def _arm(self, deployment: Deployment) -> None:
        """Sets the timer of the deadline, where there is one to wait for."""
        self._cancel(deployment)
        condition = deployment.conditions.get("Progressing")
        waits = condition is not None and condition.status == "True" and condition.reason != _DONE
        if waits and deployment.deadline:
            deployment.timer = self._cluster.kernel.call_at(
                max(self._due(deployment), self._cluster.now), lambda: self._check(deployment)
            )

    def _due(self, deployment: Deployment) -> int:
        """The instant of the check: deadline and a second after the last progress, as written."""
        epoch = self._cluster.settings.epoch
        written = (epoch + deployment.progressed) // SECOND * SECOND - epoch
        return written + deployment.deadline + SECOND

    def _timed_out(self, deployment: Deployment) -> bool:
        condition = deployment.conditions.get("Progressing")
        if condition is None or not deployment.deadline:
            return False
        return condition.status == "False" or self._cluster.now >= self._due(deployment)

    def _check(self, deployment: Deployment) -> None:
        deployment.timer = None
        self._sync(deployment)

    @staticmethod
    def _cancel(deployment: Deployment) -> None:
        if deployment.timer is not None:
            deployment.timer.cancel()
            deployment.timer = None


def _current(deployment: Deployment) -> ReplicaSet | None:
    for replica_set in deployment.replica_sets:
        if replica_set.hash == deployment.digest:
            return replica_set
    return None


def _share(value: int | str, replicas: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    percent = int(value.rstrip("%"))
    return -(-replicas * percent // 100) if up else replicas * percent // 100


def surge(deployment: Deployment) -> int:
    """How many pods more than wanted there may be: rounded up."""
    if deployment.strategy == "Recreate":
        return 0
    return _share(deployment.max_surge, deployment.wanted, up=True)


def unavailable(deployment: Deployment) -> int:
    """How many pods may be missing while it is Available: rounded down, 1 where both come to 0."""
    if deployment.strategy == "Recreate" or not deployment.wanted:
        return 0
    missing = _share(deployment.max_unavailable, deployment.wanted, up=False)
    if not missing and not surge(deployment):
        missing = 1
    return min(missing, deployment.wanted)
