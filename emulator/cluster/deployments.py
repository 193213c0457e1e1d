"""The Deployment and ReplicaSet controllers, as far as a service of the platform lives through them.

Rules: a Deployment makes its pods, replaces lost ones, counts, and says how it goes (conditions with
Kubernetes' reasons and texts); it is complete when all wanted pods are ready; without progress for
its deadline it says so, and nothing is rolled back. Source: Kubernetes facts sections 0.8 and 4.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from emulator.cluster.context import Cluster
from emulator.cluster.objects import DeploymentState, Pod, WorkloadState
from emulator.domain import names
from emulator.domain.timefmt import SECOND


class Deployments:
    """Every Deployment of the cluster; `place` is handed each new pod."""

    def __init__(self, cluster: Cluster, place: Callable[[Pod], None]) -> None:
        self._cluster = cluster
        self._place = place

    def create(self, workload: WorkloadState) -> None:
        """Makes the ReplicaSet and the pods of a new Deployment, at once."""
        cluster = self._cluster
        deployment = workload.deployment
        assert deployment is not None
        template = json.dumps(deployment.manifest["spec"]["template"], sort_keys=True)
        deployment.replica_set = f"{deployment.name}-{names.template_hash(template)}"
        cluster.deployments[deployment.name] = workload
        self._unavailable(deployment)
        deployment.set_condition(
            "Progressing",
            "True",
            cluster.now,
            "NewReplicaSetCreated",
            f'Created new replica set "{deployment.replica_set}"',
        )
        scaled = cluster.event(
            workload,
            "Deployment",
            deployment.name,
            "ScalingReplicaSet",
            f"Scaled up replica set {deployment.replica_set} from 0 to {deployment.replicas}",
        )
        self._expect_progress(workload, deployment)
        for _ in range(deployment.replicas):
            self._create_pod(workload, deployment, scaled)

    def _create_pod(self, workload: WorkloadState, deployment: DeploymentState, cause: int) -> None:
        cluster = self._cluster
        workload.serial += 1
        stream = cluster.stream(f"{deployment.replica_set}/{workload.serial}", "suffix")
        suffix = "".join(stream.choice(names.SUFFIX_ALPHABET) for _ in range(5))
        pod = Pod(
            names.pod_name(deployment.replica_set, suffix),
            workload,
            deployment.template,
            cluster.now,
        )
        workload.pods.append(pod)
        row = cluster.event(
            workload,
            "ReplicaSet",
            deployment.replica_set,
            "SuccessfulCreate",
            f"Created pod: {pod.name}",
            cause=cause,
        )
        before, cluster.journal.cause = cluster.journal.cause, row
        self._place(pod)
        cluster.journal.cause = before

    def readiness_changed(self, pod: Pod) -> None:
        """A pod has become ready or unready: counts, conditions, deadline."""
        workload = pod.workload
        deployment = workload.deployment
        if deployment is None:
            return
        cluster = self._cluster
        ready = ready_count(workload)
        if ready >= minimum(deployment.replicas):
            deployment.set_condition(
                "Available",
                "True",
                cluster.now,
                "MinimumReplicasAvailable",
                "Deployment has minimum availability.",
            )
        else:
            self._unavailable(deployment)
        if ready >= deployment.replicas and not deployment.complete:
            deployment.complete = True
            self._cancel_deadline(deployment)
            self._progressing(deployment, "NewReplicaSetAvailable", "has successfully progressed")
        elif pod.ready and not deployment.complete:
            self._progressing(deployment, "ReplicaSetUpdated", "is progressing")
            self._expect_progress(workload, deployment)
        cluster.changed(workload, "Deployment")

    def pod_gone(self, pod: Pod) -> None:
        """A pod is no more: it is replaced while its Deployment lives."""
        workload = pod.workload
        workload.pods.remove(pod)
        deployment = workload.deployment
        if deployment is not None and len(workload.pods) < deployment.replicas:
            self._create_pod(workload, deployment, self._cluster.journal.cause)

    def delete(self, workload: WorkloadState) -> None:
        """The Deployment is no more; its pods are ended by the caller."""
        deployment, workload.deployment = workload.deployment, None
        if deployment is not None:
            self._cancel_deadline(deployment)
            del self._cluster.deployments[deployment.name]
            self._cluster.record("deployment", f"Deployment/{deployment.name}", gone=True)

    def _unavailable(self, deployment: DeploymentState) -> None:
        deployment.set_condition(
            "Available",
            "False",
            self._cluster.now,
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )

    def _progressing(self, deployment: DeploymentState, reason: str, text: str) -> None:
        deployment.set_condition(
            "Progressing",
            "True",
            self._cluster.now,
            reason,
            f'ReplicaSet "{deployment.replica_set}" {text}.',
        )

    def _expect_progress(self, workload: WorkloadState, deployment: DeploymentState) -> None:
        self._cancel_deadline(deployment)
        deployment.timer = self._cluster.kernel.call_in(
            deployment.deadline + SECOND, lambda: self._timed_out(workload, deployment)
        )

    def _timed_out(self, workload: WorkloadState, deployment: DeploymentState) -> None:
        deployment.timer = None
        text = f'ReplicaSet "{deployment.replica_set}" has timed out progressing.'
        deployment.set_condition(
            "Progressing", "False", self._cluster.now, "ProgressDeadlineExceeded", text
        )
        self._cluster.record(
            "deployment", f"Deployment/{deployment.name}", reason="ProgressDeadlineExceeded"
        )
        self._cluster.changed(workload, "Deployment")

    @staticmethod
    def _cancel_deadline(deployment: DeploymentState) -> None:
        if deployment.timer is not None:
            deployment.timer.cancel()
            deployment.timer = None


def ready_count(workload: WorkloadState) -> int:
    """How many pods are ready and stay."""
    return sum(pod.ready and not pod.terminating for pod in workload.pods)


def minimum(replicas: int) -> int:
    """The pods that must be there for `Available`: all but a quarter, rounded down."""
    unavailable = replicas * 25 // 100
    surge = -(-replicas * 25 // 100)
    return replicas - (1 if surge == unavailable == 0 else unavailable)
