"""Preemption: pods of lower priority go where that lets a pod in.

Rules: only a node whose failure is a shortage is looked at. All its pods of lower priority are thought
away; if the pod then fits, as many as possible are kept, the more important ones first, and the rest
are victims. The node whose victims matter least is nominated; the pod waits there for their end. There
are no disruption budgets. Source: Kubernetes facts section 5; pkg/scheduler/framework/preemption and
plugins/defaultpreemption.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from emulator.cluster.context import Cluster
from emulator.cluster.controllers.queue import Client
from emulator.cluster.deletion import Deletion
from emulator.cluster.objects import Node, Pod
from emulator.cluster.scheduler import texts
from emulator.cluster.scheduler.filters import Failure

SOURCE = "default-scheduler"
_NOT_HELPFUL = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"
_NEVER = "not eligible due to preemptionPolicy=Never."
TERMINATING = "not eligible due to a terminating pod on the nominated node."
_REASON = "PreemptionByScheduler"
_MESSAGE = f"{SOURCE}: preempting to accommodate a higher priority pod"

Extra = Callable[[Node, Pod], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node and who would have to leave it, the most important first."""

    node: Node
    victims: list[Pod]


class Preemptor:
    """Finds victims and evicts them; `extra` is what nominated pods will take of a node."""

    def __init__(self, cluster: Cluster, deletion: Deletion, client: Client, extra: Extra) -> None:
        self._cluster = cluster
        self._deletion = deletion
        self._client = client
        self._extra = extra

    def judge(
        self, pod: Pod, nodes: list[Node], failures: list[Failure], *, lowest: int
    ) -> tuple[Candidate | None, str]:
        """Who has to go, and where; where nobody is, what is said of it.

        `lowest` is the lowest priority that any placed pod has.
        """
        if pod.template.spec.get("preemptionPolicy") == "Never":
            return None, _NEVER
        if self._waits(pod, nodes, failures):
            return None, TERMINATING
        reasons: list[str] = []
        candidates: list[Candidate] = []
        for node, failure in zip(nodes, failures, strict=True):
            if not failure.resolvable:
                reasons.append(_NOT_HELPFUL)
            elif lowest >= pod.template.priority:
                reasons.append(_NO_VICTIMS)
            else:
                found = self._dry_run(pod, node)
                if isinstance(found, Candidate):
                    candidates.append(found)
                else:
                    reasons += found
        if candidates:
            return self._choose(candidates, pod), ""
        return None, texts.unavailable(len(nodes), reasons)

    def _waits(self, pod: Pod, nodes: list[Node], failures: list[Failure]) -> bool:
        """Whether the victims of an earlier attempt are still on their way out."""
        for node, failure in zip(nodes, failures, strict=True):
            if node.name == pod.nominated:
                return failure.resolvable and any(
                    each.terminating and _preempted(each)
                    for each in node.pods.values()
                    if each.template.priority < pod.template.priority
                )
        return False

    def _dry_run(self, pod: Pod, node: Node) -> Candidate | tuple[str, ...]:
        """The victims on one node, or why it would not help to have any."""
        priority = pod.template.priority
        lower = [each for each in node.pods.values() if each.template.priority < priority]
        if not lower:
            return (_NO_VICTIMS,)
        free = self._free(node, pod)
        for each in lower:
            _give(free, each, 1)
        if lacking := _lacking(free, pod):
            return lacking
        victims = []
        for each in sorted(lower, key=lambda it: (-it.template.priority, self._started(it))):
            _give(free, each, -1)
            if _lacking(free, pod):
                _give(free, each, 1)
                victims.append(each)
        return Candidate(node, victims)

    def _free(self, node: Node, pod: Pod) -> dict[str, int]:
        extra = self._extra(node, pod)
        used = node.used
        return {
            name: whole - used.get(name, 0) - extra.get(name, 0)
            for name, whole in node.allocatable.items()
        }

    def _started(self, pod: Pod) -> int:
        return self._cluster.now if pod.started is None else pod.started

    def _choose(self, candidates: list[Candidate], pod: Pod) -> Candidate:
        """The one whose victims matter least; among equals one is drawn."""

        def cost(each: Candidate) -> tuple[int, int, int, int]:
            highest = each.victims[0].template.priority
            started = min(
                self._started(it) for it in each.victims if it.template.priority == highest
            )
            total = sum(it.template.priority + 2**31 for it in each.victims)
            return (highest, total, len(each.victims), -started)

        best = min(cost(each) for each in candidates)
        equals = [each for each in candidates if cost(each) == best]
        if len(equals) == 1:
            return equals[0]
        return equals[self._cluster.stream(pod.name, "preemption").below(len(equals))]

    def evict(self, candidate: Candidate, pod: Pod) -> None:
        """Asks for the end of the victims."""
        cluster = self._cluster
        for victim in candidate.victims:
            if victim.terminating or victim.removed:
                continue
            self._client.take(cluster.now)
            self._client.take(cluster.now)
            victim.set_condition("DisruptionTarget", "True", cluster.now, _REASON, _MESSAGE)
            self._deletion.delete_pod(victim)
            text = f"Preempted by pod {cluster.uid(pod)} on node {candidate.node.name}"
            cluster.event(victim, "Preempted", text, source=SOURCE)


def _preempted(pod: Pod) -> bool:
    condition = pod.conditions.get("DisruptionTarget")
    return condition is not None and condition.reason == _REASON


def _give(free: dict[str, int], pod: Pod, sign: int) -> None:
    for resource, amount in pod.requests.items():
        free[resource] = free.get(resource, 0) + sign * amount
    free["pods"] += sign


def _lacking(free: Mapping[str, int], pod: Pod) -> tuple[str, ...]:
    short = [
        f"Insufficient {resource}"
        for resource, amount in pod.requests.items()
        if amount and amount > free.get(resource, 0)
    ]
    if free["pods"] < 1:
        short.append("Too many pods")
    return tuple(short)
