"""The zones of the node controller: how fast nodes that are not ready get the NoExecute taint.

Rules: a zone taints 0.1 nodes a second (token bucket, burst 1, tried every 100 ms), also when none of
its nodes is ready; when at least 55 % of them, and more than two, are not ready it is partially
disrupted: 0.01 a second with more than 50 nodes, else none. When all zones are fully disrupted no node
is tainted and those that are lose the taint; when that ends the buckets begin empty. A zone whose last
node is removed is forgotten before the others are compared with what they were.
Source: Kubernetes facts sections 0.6 and 8 (nodelifecycle handleDisruption, rate_limited_queue).
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.cluster.context import Cluster
from emulator.cluster.kernel import Timer
from emulator.cluster.node_writes import set_taints
from emulator.cluster.objects import Node, Taint
from emulator.cluster.objects.nodes import NO_EXECUTE, NOT_READY, UNREACHABLE
from emulator.domain.timefmt import MILLISECOND, SECOND

TRY = 100 * MILLISECOND
EVERY = 10 * SECOND
EVERY_SLOW = 100 * SECOND
LARGE = 50
UNHEALTHY_PERCENT = 55

NORMAL = "Normal"
PARTIAL = "PartialDisruption"
FULL = "FullDisruption"

_OPPOSITE = {NOT_READY: UNREACHABLE, UNREACHABLE: NOT_READY}
_OF_CONTROLLER = frozenset(_OPPOSITE)


class Zone:
    """One zone: `period` is the time between two nodes, None for never; `queue` keeps its order."""

    __slots__ = ("free_at", "period", "queue", "state", "timer")

    def __init__(self) -> None:
        self.state = NORMAL
        self.period: int | None = EVERY
        self.free_at = 0
        self.queue: dict[Node, None] = {}
        self.timer: Timer | None = None

    def swap(self, period: int | None, now: int) -> None:
        """Sets another rate; a bucket that had nothing left is replaced by an empty one."""
        if period == self.period:
            return
        empty = self.period is None or now < self.free_at
        self.period = period
        if period is not None:
            self.free_at = now + period if empty else now


class Zones:
    """Every zone that has a node; `phase` is an instant of the controller's loops."""

    def __init__(self, cluster: Cluster, phase: int) -> None:
        self._cluster = cluster
        self._phase = phase
        self._zones: dict[str, Zone] = {}

    def state(self, name: str) -> str:
        """The state that the last pass found a zone in."""
        return self._zone(name).state

    def _zone(self, name: str) -> Zone:
        return self._zones.setdefault(name, Zone())

    # -- single nodes ----------------------------------------------------------------------------

    def review(self, node: Node) -> None:
        """Queues a node that is not ready for its taint; one that is loses it.

        A taint that names the wrong condition is swapped at once.
        """
        key = taint_key(node)
        if key is None:
            self._spare(node)
        elif node.tainted(_OPPOSITE[key], NO_EXECUTE):
            self._taint(node, key)
        elif not node.tainted(key, NO_EXECUTE):
            queue = self._zone(node.zone).queue
            queue.pop(node, None)
            queue[node] = None

    def drop(self, node: Node) -> None:
        """A node is no more."""
        self._zone(node.zone).queue.pop(node, None)

    def _spare(self, node: Node) -> None:
        self.drop(node)
        set_taints(self._cluster, node, _without(node))

    def _taint(self, node: Node, key: str) -> None:
        taint = Taint(key, NO_EXECUTE, added=self._cluster.now)
        set_taints(self._cluster, node, (*_without(node), taint))

    # -- the state of the zones ------------------------------------------------------------------

    def judge(self, nodes: list[Node]) -> None:
        """Finds each zone's state after a pass over the nodes, and sets the rates by it."""
        members: dict[str, list[Node]] = {}
        for node in nodes:
            members.setdefault(node.zone, []).append(node)
        for name in [each for each in self._zones if each not in members]:
            self._cancel(self._zones.pop(name))
        if not members:
            return
        states = {name: zone_state(each) for name, each in members.items()}
        all_were = all(self._zone(name).state == FULL for name in members)
        all_are = all(state == FULL for state in states.values())
        if all_are and not all_were:
            self._stop(nodes, states)
        elif not all_are:
            for name, state in states.items():
                zone = self._zone(name)
                if state != zone.state or all_were:
                    zone.state = state
                    zone.swap(_period(state, len(members[name])), self._cluster.now)
        if all_were and not all_are:
            self._restart(nodes)
        for name in members:
            self._plan(self._zone(name))

    def _stop(self, nodes: list[Node], states: dict[str, str]) -> None:
        """Nobody is ready: it is the control plane that is cut off, so nothing is evicted."""
        for node in nodes:
            self._spare(node)
        for name in states:
            zone = self._zone(name)
            zone.state = FULL
            zone.swap(None, self._cluster.now)

    def _restart(self, nodes: list[Node]) -> None:
        """Somebody is ready again: the grace of those that are still silent begins anew."""
        for node in nodes:
            if not node.up:
                node.lease = self._cluster.now

    # -- the rate --------------------------------------------------------------------------------

    def _plan(self, zone: Zone) -> None:
        """Wakes when the next node of the queue may be tainted."""
        self._cancel(zone)
        if zone.queue and zone.period is not None:
            now = self._cluster.now
            when = next_instant(self._phase, TRY, max(now + 1, zone.free_at))
            zone.timer = self._cluster.kernel.call_at(when, self._try(zone))

    def _try(self, zone: Zone) -> Callable[[], None]:
        def act() -> None:
            zone.timer = None
            if not zone.queue:
                return
            assert zone.period is not None
            zone.free_at = self._cluster.now + zone.period
            node = next(iter(zone.queue))
            del zone.queue[node]
            key = taint_key(node)
            if key is not None:
                self._taint(node, key)
            self._plan(zone)

        return act

    @staticmethod
    def _cancel(zone: Zone) -> None:
        if zone.timer is not None:
            zone.timer.cancel()
            zone.timer = None


def next_instant(phase: int, period: int, least: int) -> int:
    """The first instant of `phase`, `phase + period`... that is not before `least`."""
    return least + (phase - least) % period


def taint_key(node: Node) -> str | None:
    """The taint that goes with a node's Ready condition; None where it is ready or never posted."""
    condition = node.conditions.get("Ready")
    if condition is None or condition.status == "True":
        return None
    return NOT_READY if condition.status == "False" else UNREACHABLE


def zone_state(nodes: list[Node]) -> str:
    """How many of a zone's nodes are ready, in a word."""
    missing = sum([node.ready != "True" for node in nodes])
    if missing == len(nodes):
        return FULL
    if missing > 2 and missing * 100 >= len(nodes) * UNHEALTHY_PERCENT:
        return PARTIAL
    return NORMAL


def _period(state: str, size: int) -> int | None:
    if state != PARTIAL:
        return EVERY
    return EVERY_SLOW if size > LARGE else None


def _without(node: Node) -> tuple[Taint, ...]:
    return tuple(
        each for each in node.taints if each.effect != NO_EXECUTE or each.key not in _OF_CONTROLLER
    )
