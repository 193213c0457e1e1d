"""The scheduling cycle: from a pod that waits to a pod that is bound, or to what is said of it.

Rules: nodes are looked at in a circle; all of them where there are fewer than 100, else until
max(5, 50 - n/125) percent of them, at least 100, have passed the filters. Equals are drawn. A pod is
booked on its node at once and until it is gone or has ended; the binding itself waits for the client.
A wish for room that the eviction of others will make (nomination) is kept free for its pod. A node that
has gone before the binding is no node: its pod is tried again. Another scheduler's pods are let be.
Source: Kubernetes facts section 5; pkg/scheduler/schedule_one.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from emulator.cluster.context import Cluster
from emulator.cluster.controllers.queue import Client
from emulator.cluster.deletion import Deletion
from emulator.cluster.objects import Node, Pod
from emulator.cluster.objects.nodes import ZONE
from emulator.cluster.objects.pods import DEFAULT_SCHEDULER, TERMINAL
from emulator.cluster.scheduler import filters, scores, texts
from emulator.cluster.scheduler.filters import Failure
from emulator.cluster.scheduler.named import Named
from emulator.cluster.scheduler.preemption import SOURCE, TERMINATING, Preemptor
from emulator.cluster.scheduler.queue import SchedulingQueue
from emulator.cluster.scheduler.spread import Peers
from emulator.cluster.store import ADDED, DELETED, MODIFIED

_FEW = 100
_NOTHING: Mapping[str, int] = {}


def nodes_to_find(total: int) -> int:
    """How many nodes that fit are enough to choose among."""
    if total < _FEW:
        return total
    return max(total * max(50 - total // 125, 5) // 100, _FEW)


class Scheduler:
    """Binds pods to nodes."""

    def __init__(self, cluster: Cluster, deletion: Deletion) -> None:
        self._cluster = cluster
        self._client = Client(cluster.settings.scheduler_rate)
        self._queue = SchedulingQueue(cluster.kernel, self._attempt)
        self._peers = Peers()
        self._unasked: scores.Unasked = {}
        self._scorer = scores.Scorer(cluster.settings.registry, self._peers, self._unasked)
        self._named = Named(cluster, self._book)
        self._preemptor = Preemptor(cluster, deletion, self._client, self._extra)
        self._priorities: dict[int, int] = {}
        self._assumed: dict[Pod, Node] = {}
        self._nominated: dict[Pod, Node] = {}
        self._seen: dict[Node, tuple[object, ...]] = {}
        self._zoned = 0
        self._start = 0
        self._freed = False
        cluster.store.on("Pod", self._heard)
        cluster.store.on("Node", self._heard_node)

    @property
    def waiting(self) -> list[Pod]:
        """The pods that fit nowhere, the one that was tried longest ago first."""
        return list(self._queue.parked)

    # -- what is heard ---------------------------------------------------------------------------

    def _heard(self, op: str, pod: Pod) -> None:
        if op == MODIFIED:
            if pod.deleted_at is not None:
                self._peers.remove(pod)
            if pod.booked and pod.phase in TERMINAL:
                self._free(pod)
        elif op == ADDED:
            if pod.node is None:
                self._take_up(pod)
            else:
                self._book(pod, pod.node)
        else:
            self._queue.forget(pod)
            self._named.forget(pod)
            if pod.booked:
                self._free(pod)
            if self._nominated.pop(pod, None) is not None:
                self._say_freed()

    def _take_up(self, pod: Pod) -> None:
        if pod.template.node_name:
            self._named.add(pod)
        elif pod.template.scheduler == DEFAULT_SCHEDULER:
            self._queue.add(pod, self._cluster.lag())

    def _heard_node(self, op: str, node: Node) -> None:
        before = self._seen.pop(node, None)
        if before is not None and before[0]:
            self._zoned -= 1
        if op == DELETED:
            return
        if op == ADDED:
            self._named.joined(node)
        zoned = ZONE in node.labels
        seen = (zoned, dict(node.labels), node.taints, node.unschedulable, dict(node.allocatable))
        self._seen[node] = seen
        self._zoned += zoned
        if seen != before and self._queue.parked:
            self._cluster.kernel.call_in(self._cluster.lag(), partial(self._wake_for, node))

    def _wake_for(self, node: Node) -> None:
        if not node.removed:
            self._queue.wake(lambda pod, rejected: filters.may_help(node, pod, rejected))

    def _say_freed(self) -> None:
        """Room has been made: who lacked it hears so once, however many have gone by then."""
        if not self._freed and self._queue.parked:
            self._freed = True
            self._cluster.kernel.call_in(self._cluster.lag(), self._wake_for_room)

    def _wake_for_room(self) -> None:
        self._freed = False
        self._queue.wake(lambda _, rejected: bool(rejected & filters.RESOURCES))

    # -- the books -------------------------------------------------------------------------------

    def _book(self, pod: Pod, node: Node) -> None:
        node.take(pod, 1)
        pod.booked = True
        self._peers.add(pod, node)
        priority = pod.template.priority
        self._priorities[priority] = self._priorities.get(priority, 0) + 1
        self._count_unasked(pod, node, 1)

    def _free(self, pod: Pod) -> None:
        node = self._assumed.pop(pod, None) or pod.node
        assert node is not None
        pod.booked = False
        node.take(pod, -1)
        self._peers.remove(pod)
        priority = pod.template.priority
        self._priorities[priority] -= 1
        if not self._priorities[priority]:
            del self._priorities[priority]
        self._count_unasked(pod, node, -1)
        self._say_freed()

    def _count_unasked(self, pod: Pod, node: Node, sign: int) -> None:
        """Keeps what a pod without requests counts as when free room is compared."""
        requests = pod.requests
        if "cpu" in requests and "memory" in requests:
            return
        held = self._unasked.setdefault(node, [0, 0])
        if "cpu" not in requests:
            held[0] += sign * scores.USUAL_CPU
        if "memory" not in requests:
            held[1] += sign * scores.USUAL_MEMORY
        if not any(held):
            del self._unasked[node]

    def _extra(self, node: Node, pod: Pod) -> Mapping[str, int]:
        """What pods of at least the same priority, nominated to a node, will take of it."""
        extra: dict[str, int] = {}
        for each, where in self._nominated.items():
            if (
                where is node
                and each is not pod
                and each.template.priority >= pod.template.priority
            ):
                extra["pods"] = extra.get("pods", 0) + 1
                for resource, amount in each.requests.items():
                    extra[resource] = extra.get(resource, 0) + amount
        return extra

    # -- one pod ---------------------------------------------------------------------------------

    def _attempt(self, pod: Pod) -> None:
        nodes = self._cluster.nodes
        if not nodes:
            self._fail(pod, texts.NO_NODES, 0)
            return
        fitting, failures = self._filter(pod, nodes)
        if not fitting:
            self._find_room(pod, nodes, failures)
        elif len(fitting) == 1:
            self._place(pod, fitting[0])
        else:
            mixed = 0 < self._zoned < len(nodes)
            equals = self._scorer.best(fitting, pod, nodes, mixed=mixed)
            if len(equals) == 1:
                self._place(pod, equals[0])
            else:
                dice = self._cluster.stream(pod.name, "node")
                self._place(pod, equals[dice.below(len(equals))])

    def _filter(self, pod: Pod, nodes: list[Node]) -> tuple[list[Node], list[Failure]]:
        """The nodes that fit; where none does, what keeps the pod off each, in the nodes' order."""
        wished = self._nominated.get(pod)
        if wished is not None and not wished.removed:
            failure = filters.check(wished, pod, self._extra(wished, pod))
            if failure is None:
                return [wished], []
        total = len(nodes)
        enough = nodes_to_find(total)
        start = self._start if self._start < total else 0
        ordered = nodes[start:] + nodes[:start] if start else nodes
        fitting: list[Node] = []
        failures: list[Failure] = []
        template = pod.template
        plain = not (self._nominated or template.node_selector or template.affinity)
        requests = [item for item in pod.requests.items() if item[1]]
        plain_fits = filters.plain_fits
        for examined, node in enumerate(ordered, 1):  # noqa: B007
            if not (plain and not node.taints and not node.unschedulable) or not plain_fits(
                node, requests
            ):
                extra = self._extra(node, pod) if self._nominated else _NOTHING
                failure = filters.check(node, pod, extra)
                if failure is not None:
                    failures.append(failure)
                    continue
            fitting.append(node)
            if len(fitting) == enough:
                break
        self._start = (start + examined) % total
        return fitting, failures[total - start :] + failures[: total - start]

    def _place(self, pod: Pod, node: Node) -> None:
        self._book(pod, node)
        self._nominated.pop(pod, None)
        wait = self._client.take(self._cluster.now)
        if wait:
            self._assumed[pod] = node
            self._cluster.kernel.call_in(wait, partial(self._bind, pod, node))
        else:
            self._bind(pod, node)

    def _bind(self, pod: Pod, node: Node) -> None:
        if pod.removed:
            return
        if node.removed:
            self._free(pod)
            self._queue.add(pod, 0)
            return
        cluster = self._cluster
        self._assumed.pop(pod, None)
        pod.node = node
        pod.nominated = ""
        pod.set_condition("PodScheduled", "True", cluster.now)
        cluster.record("bind", cluster.store.subject(pod), node=node.name, requests=pod.requests)
        text = f"Successfully assigned {pod.key} to {node.name}"
        pod.cause = cluster.event(pod, "Scheduled", text, source=SOURCE)
        cluster.store.changed(pod)

    # -- where nothing fits ----------------------------------------------------------------------

    def _find_room(self, pod: Pod, nodes: list[Node], failures: list[Failure]) -> None:
        lowest = min(self._priorities, default=pod.template.priority)
        candidate, text = self._preemptor.judge(pod, nodes, failures, lowest=lowest)
        rejected = 0
        reasons: list[str] = []
        for failure in failures:
            rejected |= failure.filter
            reasons += failure.reasons
        before = pod.nominated
        if candidate is not None:
            self._nominate(pod, candidate.node)
        elif text != TERMINATING and self._nominated.pop(pod, None) is not None:
            pod.nominated = ""
        said = texts.failed(texts.unavailable(len(nodes), reasons), text)
        self._fail(pod, said, rejected, changed=pod.nominated != before)
        if candidate is not None:
            self._preemptor.evict(candidate, pod)

    def _nominate(self, pod: Pod, node: Node) -> None:
        """Keeps the room that will be made on a node; who is less important has to look elsewhere."""
        for each, where in tuple(self._nominated.items()):
            if where is node and each.template.priority < pod.template.priority:
                self._drop_nomination(each)
        self._nominated[pod] = node
        pod.nominated = node.name

    def _drop_nomination(self, pod: Pod) -> None:
        del self._nominated[pod]
        pod.nominated = ""
        self._cluster.store.changed(pod)
        self._queue.wake_one(pod)

    def _fail(self, pod: Pod, text: str, rejected: int, *, changed: bool = False) -> None:
        cluster = self._cluster
        pod.attempts += 1
        pod.last_attempt = cluster.now
        self._queue.park(pod, rejected)
        pod.cause = cluster.event(
            pod, "FailedScheduling", texts.note(text), source=SOURCE, warning=True
        )
        changed |= pod.set_condition("PodScheduled", "False", cluster.now, "Unschedulable", text)
        if changed:
            self._client.take(cluster.now)
            cluster.store.changed(pod)
