"""The taint manager: deletes the pods that do not bear the NoExecute taints of their node.

Rules: a pod that tolerates them all for a time is deleted when the shortest of these times is over,
counted from when that was planned first; one that does not is deleted at once, one that tolerates them
without end never. Every pod bears the not-ready and unreachable taints for 300 s unless it says
otherwise of them. When the taints go, so does the plan. A deletion has the pod's own grace, so on a
node that is down the pod hangs. Source: Kubernetes facts section 8 (tainteviction).
"""

from __future__ import annotations

from functools import partial

from emulator.cluster.context import Cluster
from emulator.cluster.controllers.queue import Client, WorkQueue
from emulator.cluster.deletion import Deletion
from emulator.cluster.kernel import Timer
from emulator.cluster.node_writes import paced
from emulator.cluster.objects import Node, Pod, Taint, Toleration
from emulator.cluster.objects.nodes import NO_EXECUTE, NOT_READY, UNREACHABLE
from emulator.cluster.scheduler.filters import tolerates
from emulator.cluster.store import DELETED
from emulator.domain.timefmt import SECOND

DEFAULT_SECONDS = 300

_SOURCE = "taint-eviction-controller"
_REASON = "DeletionByTaintManager"
_TEXT = "Taint manager: deleting due to NoExecute taint"


class TaintManager:
    """Plans and makes the evictions of every node."""

    def __init__(self, cluster: Cluster, deletion: Deletion) -> None:
        self._cluster = cluster
        self._deletion = deletion
        self._client = Client(cluster.settings.controller_rate)
        self._queue: WorkQueue[Node] = WorkQueue(cluster.kernel, cluster.lag, self._sync)
        self._tainted: dict[Node, tuple[Taint, ...]] = {}
        self._planned: dict[Pod, tuple[int, Timer]] = {}  # since when
        self._done: dict[Pod, None] = {}
        cluster.store.on("Node", self._heard)
        cluster.store.on("Pod", self._heard_pod)

    @property
    def planned(self) -> tuple[Pod, ...]:
        """The pods that will be deleted unless the taints go."""
        return tuple(self._planned)

    def _heard(self, op: str, node: Node) -> None:
        if op == DELETED:
            self._tainted.pop(node, None)  # what is planned stays so
        elif _no_execute(node) != self._tainted.get(node, ()):
            self._queue.add(node)

    def _heard_pod(self, op: str, pod: Pod) -> None:
        if op == DELETED:
            self._cancel(pod)
        elif self._tainted and pod not in self._planned and pod not in self._done:
            node = pod.node
            if node is not None and node in self._tainted:
                self._process(pod, self._tainted[node])

    def _sync(self, node: Node) -> None:
        if node.removed:
            return
        taints = _no_execute(node)
        if taints:
            self._tainted[node] = taints
        else:
            self._tainted.pop(node, None)
        for pod in tuple(node.pods.values()):
            if taints:
                self._process(pod, taints)
            else:
                self._cancel(pod)

    # -- one pod ---------------------------------------------------------------------------------

    def _process(self, pod: Pod, taints: tuple[Taint, ...]) -> None:
        patience = bears(tolerations_of(pod), taints)
        if patience is None:
            self._cancel(pod)
            return
        now = self._cluster.now
        if patience and (pod in self._done or self._since(pod) < now):
            return  # an earlier plan stays, also where the patience is less now
        self._cancel(pod)
        if not patience:
            self._fire(pod)
            return
        timer = self._cluster.kernel.call_at(now + patience, partial(self._fire, pod))
        self._planned[pod] = (now, timer)

    def _since(self, pod: Pod) -> int:
        plan = self._planned.get(pod)
        return self._cluster.now if plan is None else plan[0]

    def _cancel(self, pod: Pod) -> None:
        self._done.pop(pod, None)
        plan = self._planned.pop(pod, None)
        if plan is None:
            return
        plan[1].cancel()
        self._say(pod, f"Cancelling deletion of Pod {pod.key}")

    def _fire(self, pod: Pod) -> None:
        self._planned.pop(pod, None)
        self._done[pod] = None
        self._say(pod, f"Marking for deletion Pod {pod.key}")
        self._client.take(self._cluster.now)  # the condition; the deletion is the next request
        paced(self._cluster, self._client, partial(self._delete, pod))

    def _delete(self, pod: Pod) -> None:
        cluster = self._cluster
        if pod.removed:
            return
        before = cluster.journal.cause
        if pod.set_condition("DisruptionTarget", "True", cluster.now, _REASON, _TEXT):
            cluster.store.changed(pod)
        self._deletion.delete_pod(pod)
        cluster.journal.cause = before

    def _say(self, pod: Pod, text: str) -> None:
        cause = self._cluster.journal.cause
        self._cluster.event(pod, "TaintManagerEviction", text, source=_SOURCE, cause=cause)


def tolerations_of(pod: Pod) -> tuple[Toleration, ...]:
    """What a pod tolerates, with what admission adds for a node that is lost."""
    given = pod.template.tolerations
    added = tuple(
        Toleration(key, "Exists", "", NO_EXECUTE, DEFAULT_SECONDS)
        for key in (NOT_READY, UNREACHABLE)
        if not any(each.key in (key, "") and each.effect in (NO_EXECUTE, "") for each in given)
    )
    return given + added


def bears(tolerations: tuple[Toleration, ...], taints: tuple[Taint, ...]) -> int | None:
    """How long a pod bears the taints, in nanoseconds: 0 not at all, None without end."""
    seconds: list[int] = []
    for taint in taints:
        match = next((each for each in tolerations if tolerates((each,), taint)), None)
        if match is None:
            return 0
        if match.seconds is not None:
            seconds.append(max(match.seconds, 0))
    return min(seconds) * SECOND if seconds else None


def _no_execute(node: Node) -> tuple[Taint, ...]:
    return tuple(each for each in node.taints if each.effect == NO_EXECUTE)
