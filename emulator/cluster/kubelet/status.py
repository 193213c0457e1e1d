"""What a kubelet says of a pod: its phase, its conditions and its events.

Rules: conditions stand in the kubelet's order (PodReadyToStartContainers, Initialized, Ready,
ContainersReady, PodScheduled), what others wrote behind them. `report` writes phase and readiness at
once: ContainersReady and Ready are the same here (no readiness gates), and what the node controller made
of Ready is overwritten by the kubelet's own word. Each change of phase or readiness is a row.
A sandbox is there as soon as the pod has an address. Source: Kubernetes facts section 6.
"""

from __future__ import annotations

from collections.abc import Sequence

from emulator.cluster.context import Cluster
from emulator.cluster.events import Streak
from emulator.cluster.objects import Pod
from emulator.cluster.scheduler.filters import shortage
from emulator.domain.kube import Condition

_SOURCE = "kubelet"
_NOT_READY = "ContainersNotReady"
_COMPLETED = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}


class Status:
    """The reporting of every kubelet."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._kernel = cluster.kernel

    # -- phase and conditions --------------------------------------------------------------------

    def admitted(self, pod: Pod) -> None:
        """The first report: the pod has its sandbox if it has an address, nothing runs yet."""
        now = self._kernel.now
        sandbox = "True" if pod.ip else "False"
        others = dict(pod.conditions)
        scheduled = others.pop("PodScheduled", None)
        text = unready(pod)
        pod.conditions = {
            "PodReadyToStartContainers": Condition("PodReadyToStartContainers", sandbox, now),
            "Initialized": Condition("Initialized", "True", now),
            "Ready": Condition("Ready", "False", now, _NOT_READY, text),
            "ContainersReady": Condition("ContainersReady", "False", now, _NOT_READY, text),
            "PodScheduled": scheduled or Condition("PodScheduled", "True", now),
            **others,
        }
        self._cluster.store.changed(pod)

    def rejected(self, pod: Pod) -> None:
        """The node has no room for a pod that came without the scheduler; the pod has failed."""
        node = pod.node
        assert node is not None
        short = (each.removeprefix("Insufficient ") for each in shortage(node, pod).reasons)
        resource = next((each for each in short if each in node.allocatable), "pods")
        requested = 1 if resource == "pods" else pod.requests[resource]
        pod.reason = f"OutOf{resource}"
        self.say(
            pod,
            pod.reason,
            f"Node didn't have enough resource: {resource}, requested: {requested},"
            f" used: {node.used[resource]}, capacity: {node.allocatable[resource]}",
            warning=True,
        )
        self.report(pod, "Failed", False)

    def sandbox_made(self, pod: Pod) -> None:
        """The sandbox could not be made at first; it is there now."""
        pod.set_condition("PodReadyToStartContainers", "True", self._kernel.now)
        self._cluster.store.changed(pod)

    def report(self, pod: Pod, phase: str, ready: bool) -> None:
        """Writes the pod's phase and readiness, and tells everybody that the pod has changed."""
        cluster = self._cluster
        moved = phase != pod.phase or ready != pod.ready
        if moved or ready != pod.containers_ready:
            now = self._kernel.now
            pod.phase = phase
            if ready:
                pod.set_condition("Ready", "True", now)
                pod.set_condition("ContainersReady", "True", now)
                if not pod.ready:
                    pod.ready_at = now
            else:
                self._not_ready(pod, phase, now)
            pod.ready = pod.containers_ready = ready
            if moved:
                subject = cluster.store.subject(pod)
                cluster.record("pod", subject, ready=ready, phase=phase)
        cluster.store.changed(pod)

    def _not_ready(self, pod: Pod, phase: str, now: int) -> None:
        reason = _COMPLETED.get(phase)
        if reason is None:
            text = unready(pod)
            pod.set_condition("Ready", "False", now, _NOT_READY, text)
            pod.set_condition("ContainersReady", "False", now, _NOT_READY, text)
            return
        pod.set_condition("PodReadyToStartContainers", "False", now)
        if phase == "Succeeded":
            pod.set_condition("Initialized", "True", now, reason)
        pod.set_condition("Ready", "False", now, reason)
        pod.set_condition("ContainersReady", "False", now, reason)

    # -- events ----------------------------------------------------------------------------------

    def say(self, pod: Pod, reason: str, note: str, warning: bool = False) -> None:
        """An event about the pod."""
        self._cluster.event(pod, reason, note, source=_SOURCE, warning=warning)

    def repeat(
        self, pod: Pod, texts: Sequence[tuple[str, str]], instants: Sequence[int]
    ) -> Streak | None:
        """Says events that were just said (reason, note) again at `instants`, without waking for it."""
        return self._cluster.events.begin(pod, _SOURCE, texts, instants, lambda: self._kernel.now)

    def fall_silent(self, pod: Pod, streak: Streak, before: int) -> None:
        """Ends what `repeat` began: nothing is said at `before` or later."""
        self._cluster.events.end(pod, _SOURCE, streak, before)


def unready(pod: Pod) -> str:
    """The message of a pod whose container is not ready."""
    return f"containers with unready status: [{pod.template.container}]"
