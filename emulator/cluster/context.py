"""What the parts of the simulated cluster share: the kernel, the dice, the journal, the objects.

Rules: parts talk through the objects held here and through `changed`; a part never keeps a copy of
another's state. Every fact that happens is recorded here, once: as an Event of Kubernetes where
Kubernetes has one (`event`), else as a row of the journal (`record`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.cluster.kernel import Kernel
from emulator.cluster.objects import Node, ServiceState, WorkloadState
from emulator.cluster.settings import ClusterSettings
from emulator.cluster.streams import Stream, Streams
from emulator.domain.journal import Journal
from emulator.domain.kube import EventRecord
from emulator.domain.workload import ContainerRuntime
from emulator.platform import Change

MAX_EVENTS = 100


class Cluster:
    """The shared state of one simulated cluster."""

    def __init__(
        self, kernel: Kernel, streams: Streams, settings: ClusterSettings, runtime: ContainerRuntime
    ) -> None:
        self.kernel = kernel
        self.streams = streams
        self.settings = settings
        self.runtime = runtime
        self.workloads: dict[str, WorkloadState] = {}
        self.services: dict[str, ServiceState] = {}
        self.deployments: dict[str, WorkloadState] = {}
        self.addresses: dict[str, ServiceState] = {}
        self.nodes: list[Node] = [
            Node(f"{pool.name}-{number}", pool)
            for pool in settings.pools
            for number in range(1, pool.count + 1)
        ]
        self._sinks: list[Callable[[Change], None]] = []

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

    def record(self, kind: str, subject: str, *, cause: int | None = None, **data: Any) -> int:
        """Adds a row to the journal, at the present."""
        return self.journal.record(self.now, kind, subject, cause=cause, **data)

    def event(
        self,
        workload: WorkloadState,
        kind: str,
        name: str,
        reason: str,
        note: str,
        *,
        warning: bool = False,
        cause: int | None = None,
    ) -> int:
        """Records an Event about a Deployment, a Pod or a Service; an identical one bumps its count."""
        level = "Warning" if warning else "Normal"
        events = workload.events
        for index, old in enumerate(events):
            if (old.reason, old.name, old.note) == (reason, name, note):
                del events[index]
                events.append(EventRecord(level, reason, note, self.now, kind, name, old.count + 1))
                break
        else:
            events.append(EventRecord(level, reason, note, self.now, kind, name))
            if len(events) > MAX_EVENTS:
                del events[0]
        return self.record(
            "event", f"{kind}/{name}", cause=cause, type=level, reason=reason, note=note
        )

    def watch(self, sink: Callable[[Change], None]) -> Callable[[], None]:
        """Hands every change to `sink` until the returned function is called."""
        self._sinks.append(sink)

        def stop() -> None:
            if sink in self._sinks:
                self._sinks.remove(sink)

        return stop

    def changed(self, workload: WorkloadState, kind: str) -> None:
        """Tells the watchers that an object of the workload is not as it was."""
        change = Change(workload.name, kind)
        for sink in tuple(self._sinks):
            sink(change)
