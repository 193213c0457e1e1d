"""What the parts of the simulated cluster share: the kernel, the dice, the store, the settings.

Rules: parts talk through the objects of the store and its handlers; a part never keeps a copy of
another's state. Every fact that happens is recorded here, once: as an Event of Kubernetes where
Kubernetes has one (`event`), else as a row of the journal (`record`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.cluster.distributions import Constant, Distribution
from emulator.cluster.events import MAX_SHOWN, Recorder
from emulator.cluster.kernel import Kernel
from emulator.cluster.objects import Group, Node, Service, Stored
from emulator.cluster.settings import ClusterSettings
from emulator.cluster.store import Store
from emulator.cluster.streams import Stream, Streams
from emulator.domain.journal import Journal
from emulator.domain.workload import ContainerRuntime
from emulator.platform import Change

#: The kinds whose changes the platform's watchers hear of, and as what.
_SHOWN = {
    "Deployment": "Deployment",
    "EndpointSlice": "Service",
    "Pod": "Pod",
    "Service": "Service",
}


class Cluster:
    """The shared state of one simulated cluster."""

    def __init__(
        self, kernel: Kernel, streams: Streams, settings: ClusterSettings, runtime: ContainerRuntime
    ) -> None:
        self.kernel = kernel
        self.streams = streams
        self.settings = settings
        self.runtime = runtime
        self.store = Store(kernel, settings.namespace)
        self.events = Recorder()
        self.addresses: dict[str, Service] = {}
        self.nodes: list[Node] = []
        self.extra_lag = 0
        self._sinks: tuple[Callable[[Change], None], ...] = ()
        for kind, shown in _SHOWN.items():
            self.store.on(kind, self._shows(shown))

    @property
    def groups(self) -> dict[str, Group]:
        """The workloads of the platform, by name."""
        return self.store.groups

    @property
    def now(self) -> int:
        """The present of the simulation."""
        return self.kernel.now

    @property
    def journal(self) -> Journal:
        """The world's journal."""
        return self.kernel.journal

    def stream(self, entity: str, purpose: str) -> Stream:
        """The random stream of an entity for one purpose."""
        return self.streams.stream(entity, purpose)

    def uid(self, obj: Stored) -> str:
        """An object's uid: the same however often it is asked for."""
        digits = self.stream(f"{obj.kind}/{obj.key}/{obj.created}", "uid").hex(32)
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def draw(self, distribution: Distribution, entity: str, purpose: str) -> int:
        """A duration for an entity and a purpose, in nanoseconds."""
        if type(distribution) is Constant:
            return distribution.ns
        return distribution.sample(self.streams.stream(entity, purpose))

    def lag(self) -> int:
        """How long a change takes to reach who watches it."""
        return self.settings.reaction + self.extra_lag

    def api_delay(self, entity: str, verb: str) -> int:
        """How long a request to the API server takes."""
        return self.draw(self.settings.api_latency, f"{entity}/{verb}", "api") + self.extra_lag

    def record(self, kind: str, subject: str, *, cause: int | None = None, **data: Any) -> int:
        """Adds a row to the journal, at the present."""
        return self.journal.record(self.kernel.now, kind, subject, cause=cause, **data)

    def event(
        self,
        about: Stored,
        reason: str,
        note: str,
        *,
        source: str,
        warning: bool = False,
        cause: int | None = None,
    ) -> int:
        """Says something about an object; the number of its row (0 where the recorder drops it)."""
        now = self.kernel.now
        level = "Warning" if warning else "Normal"
        event = self.events.say(about, source, level, reason, note, now)
        if event is None:
            return 0
        group = about.group
        if group is not None:
            shown = group.events
            if event.count > 1 and event in shown:
                shown.remove(event)
            shown.append(event)
            if len(shown) > MAX_SHOWN:
                del shown[0]
        subject = self.store.subject(about)
        row = self.record("event", subject, cause=cause, type=level, reason=reason, note=event.note)
        self.store.published(event)
        return row

    def watch(self, sink: Callable[[Change], None]) -> Callable[[], None]:
        """Hands every change of a workload's objects to `sink` until the result is called."""
        self._sinks = (*self._sinks, sink)

        def stop() -> None:
            self._sinks = tuple(each for each in self._sinks if each is not sink)

        return stop

    def _shows(self, kind: str) -> Callable[[str, Stored], None]:
        def heard(_op: str, obj: Stored) -> None:
            group = obj.group
            if group is not None:
                change = Change(group.name, kind)
                for sink in self._sinks:
                    sink(change)

        return heard
