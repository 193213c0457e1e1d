"""Image pulls: one after the other on a node, over a registry with a latency and a bandwidth.

Rules: a kubelet pulls one image at a time and may begin `rate.qps` pulls a second, `rate.burst` at once:
one too many fails with `pull QPS exceeded`. A pull takes the registry's latency, then its size over the
bandwidth; layers that are there already are not fetched again, the registry is asked all the same. Where
the registry's bandwidth is shared, all pulls under way get the same part of it: what a pull has got is
counted as the service that any flow has had since the beginning, so a change costs one timer for all
(processor sharing). A pull whose pod is gone is broken off. Source: Kubernetes facts section 6.2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heapify, heappop, heappush

from emulator.cluster.context import Cluster
from emulator.cluster.distributions import Constant
from emulator.cluster.kernel import Timer
from emulator.cluster.kubelet.disturb import RegistryState
from emulator.cluster.objects import Node
from emulator.cluster.settings import ClientRate
from emulator.domain.timefmt import SECOND

QPS_EXCEEDED = "pull QPS exceeded"


class Pull:
    """A pull, waiting or under way. `took` leaves out the waiting; `error` is empty for a good one."""

    __slots__ = (
        "asked",
        "began",
        "done",
        "due",
        "error",
        "image",
        "left",
        "node",
        "over",
        "rate",
        "since",
        "size",
        "took",
        "waited",
        "who",
    )

    def __init__(
        self, node: Node, image: str, who: str, now: int, done: Callable[[Pull], None]
    ) -> None:
        self.node = node
        self.image = image
        self.who = who
        self.done = done
        self.asked = self.began = self.since = now
        self.took = self.waited = 0
        self.size = 0
        self.error = ""
        self.left = 0  # bytes x nanoseconds a second that are still to come, as of `since`
        self.rate = 0
        self.due: Timer | None = None
        self.over = False


class _Puller:
    """One node's kubelet: its queue and its tokens (a token is a second divided by the rate)."""

    __slots__ = ("at", "current", "queue", "tokens")

    def __init__(self, rate: ClientRate | None) -> None:
        self.queue: deque[Pull] = deque()
        self.current: Pull | None = None
        self.tokens = rate.burst * SECOND if rate is not None else 0
        self.at = 0

    def spend(self, rate: ClientRate | None, now: int) -> bool:
        if rate is None:
            return True
        self.tokens = min(self.tokens + (now - self.at) * rate.qps, rate.burst * SECOND)
        self.at = now
        if self.tokens < SECOND:
            return False
        self.tokens -= SECOND
        return True


class _Flows:
    """The pulls that share the registry's bandwidth, as a heap of the service at which each is done."""

    __slots__ = ("at", "flows", "rate", "serial", "served", "timer")

    def __init__(self) -> None:
        self.flows: list[tuple[int, int, Pull]] = []
        self.served = 0
        self.rate = 0
        self.at = 0
        self.serial = 0
        self.timer: Timer | None = None


class Pulls:
    """The pulls of every node."""

    def __init__(self, cluster: Cluster, state: RegistryState) -> None:
        self._cluster = cluster
        self._registry = cluster.settings.registry
        self._state = state
        self._pullers: dict[str, _Puller] = {}
        self._shared = _Flows()
        state.on_change(self._changed)

    def ask(self, node: Node, image: str, who: str, done: Callable[[Pull], None]) -> Pull:
        """Queues a pull on a node; `done` is called with it when it has ended, well or not."""
        puller = self._pullers.get(node.name)
        if puller is None:
            puller = self._pullers[node.name] = _Puller(self._registry.rate)
        pull = Pull(node, image, who, self._cluster.now, done)
        puller.queue.append(pull)
        if puller.current is None:
            self._next(puller)
        return pull

    def forget(self, pull: Pull) -> None:
        """Breaks a pull off: nobody waits for it. Idempotent."""
        if pull.over:
            return
        pull.over = True
        puller = self._pullers[pull.node.name]
        if puller.current is not pull:
            return
        self._let_go(pull)
        self._next(puller)

    def node_lost(self, node: Node) -> None:
        """Everything that the node was pulling is lost, and its kubelet's memory too."""
        puller = self._pullers.pop(node.name, None)
        if puller is None:
            return
        for each in puller.queue:
            each.over = True
        if puller.current is not None:
            puller.current.over = True
            self._let_go(puller.current)

    # -- one pull --------------------------------------------------------------------------------

    def _next(self, puller: _Puller) -> None:
        """Begins the next pull that somebody waits for."""
        puller.current = None
        while puller.queue:
            pull = puller.queue.popleft()
            if not pull.over:
                puller.current = pull
                self._begin(puller, pull)
                return

    def _begin(self, puller: _Puller, pull: Pull) -> None:
        cluster, registry, state = self._cluster, self._registry, self._state
        now = pull.began = pull.since = cluster.now
        if not puller.spend(registry.rate, now):
            pull.error = QPS_EXCEEDED
            pull.due = cluster.kernel.call_in(0, partial(self._ended, pull))
            return
        image = pull.image
        entry = registry.find(image)
        pull.size = registry.size if entry.size is None else entry.size
        latency = registry.latency
        delay = latency.ns if type(latency) is Constant else self._draw(pull)
        if state.latency is not None:
            delay += cluster.draw(state.latency, f"{pull.who}/{pull.asked}", "registry-fault")
        error = entry.error
        if not error and state.refusals:
            error = state.refuses(image, lambda: cluster.stream(f"{pull.who}/{now}", "refusal"))
        if error:
            pull.error = f'failed to pull and unpack image "{image}": {error}'
        elif image not in pull.node.images:
            pull.left = pull.size * SECOND
        if not pull.left:
            pull.due = cluster.kernel.call_in(delay, partial(self._ended, pull))
        elif registry.shared is None:
            pull.since = now + delay
            self._schedule(pull)
        else:
            pull.due = cluster.kernel.call_in(delay, partial(self._join, pull))

    def _draw(self, pull: Pull) -> int:
        return self._cluster.draw(self._registry.latency, f"{pull.who}/{pull.asked}", "registry")

    def _ended(self, pull: Pull) -> None:
        now = self._cluster.now
        pull.due = None
        pull.over = True
        pull.took = now - pull.began
        pull.waited = now - pull.asked
        if not pull.error:
            pull.node.images.add(pull.image)
        pull.done(pull)
        puller = self._pullers.get(pull.node.name)
        if puller is not None and puller.current is pull:
            self._next(puller)

    def _let_go(self, pull: Pull) -> None:
        """Takes a pull that is under way out of the traffic."""
        if pull.due is not None:
            pull.due.cancel()
            pull.due = None
            return
        shared = self._shared
        flows = [each for each in shared.flows if each[2] is not pull]
        if len(flows) < len(shared.flows):
            self._serve()
            shared.flows = flows
            heapify(flows)
            self._share()

    # -- a bandwidth of its own ------------------------------------------------------------------

    def _schedule(self, pull: Pull) -> None:
        rate = pull.rate = self._state.slowed(self._registry.bandwidth)
        if rate:
            end = max(pull.since, self._cluster.now) + pull.left // rate
            pull.due = self._cluster.kernel.call_at(end, partial(self._ended, pull))

    def _changed(self) -> None:
        """The bandwidth has changed: what is under way is counted and scheduled anew."""
        if self._registry.shared is not None:
            self._serve()
            self._share()
            return
        now = self._cluster.now
        for puller in self._pullers.values():
            pull = puller.current
            if pull is None or not pull.left:
                continue
            if pull.since < now:
                pull.left -= pull.rate * (now - pull.since)
                pull.since = now
            if pull.due is not None:
                pull.due.cancel()
                pull.due = None
            self._schedule(pull)

    # -- a part of what all share ----------------------------------------------------------------

    def _join(self, pull: Pull) -> None:
        pull.due = None
        shared = self._shared
        self._serve()
        shared.serial += 1
        heappush(shared.flows, (shared.served + pull.left, shared.serial, pull))
        self._share()

    def _serve(self) -> None:
        """Counts what every flow has got until now."""
        shared, now = self._shared, self._cluster.now
        shared.served += shared.rate * (now - shared.at)
        shared.at = now

    def _share(self) -> None:
        """Divides the bandwidth anew, and waits for the flow that will be done first."""
        shared = self._shared
        if shared.timer is not None:
            shared.timer.cancel()
            shared.timer = None
        shared.rate = 0
        if not shared.flows:
            return
        state, registry = self._state, self._registry
        assert registry.shared is not None
        part = state.slowed(registry.shared) // len(shared.flows)
        rate = shared.rate = min(part, state.slowed(registry.bandwidth))
        if rate:
            left = max(shared.flows[0][0] - shared.served, 0)
            shared.timer = self._cluster.kernel.call_in(-(-left // rate), self._arrived)

    def _arrived(self) -> None:
        shared = self._shared
        shared.timer = None
        self._serve()
        done = []
        while shared.flows and shared.flows[0][0] <= shared.served:
            done.append(heappop(shared.flows)[2])
        self._share()
        for pull in done:
            self._ended(pull)
