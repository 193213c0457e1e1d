"""A cluster as traffic sees it, and nothing else: what the tests of traffic call.

Rules: pods are listed in the order of their names; a pod may be listed although it does not listen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from emulator.cluster.distributions import Constant
from emulator.cluster.kernel import Kernel
from emulator.cluster.streams import Streams
from emulator.cluster.traffic import Disturbance, Load, Open, Result, Serving, Traffic
from emulator.domain.journal import Journal, Row
from emulator.domain.timefmt import MILLISECOND, SECOND

SERVICE = "web"
FOREVER = 10**15  # 11 days: past the end of every load here that has one


class Cluster:
    """Directory, network and faults in one."""

    def __init__(self, pods: Sequence[str] = ("web-0",)) -> None:
        self.listed = sorted(pods)
        self.listening = set(pods)
        self.behaviour: Serving | None = None
        self.distance: int | None = 0
        self.disturbance: Disturbance | None = None
        self.chosen: list[str] = []
        self._watchers: list[Callable[[str], None]] = []

    def ready(self, service: str) -> Sequence[str]:
        return self.listed

    def listens(self, pod: str) -> bool:
        return pod in self.listening

    def serving(self, service: str) -> Serving | None:
        return self.behaviour

    def watch(self, fn: Callable[[str], None]) -> None:
        self._watchers.append(fn)

    def delay(self, part: str, pod: str) -> int | None:
        return self.distance

    def disturb(self, service: str, pod: str) -> Disturbance | None:
        assert pod in self.listed, "an endpoint that is not ready was chosen"
        self.chosen.append(pod)
        return self.disturbance

    def stop(self, pod: str, *, unlist: bool = True) -> None:
        """The pod's container stops; it may stay listed."""
        if unlist:
            self.listed = [each for each in self.listed if each != pod]
        self.listening.discard(pod)
        for fn in self._watchers:
            fn(pod)

    def start(self, pod: str) -> None:
        """The pod's container runs and is ready."""
        self.listening.add(pod)
        self.listed = sorted({*self.listed, pod})


class Scene:
    """A world with one cluster and its traffic."""

    def __init__(self, *pods: str, seed: int = 1, plain: bool = False) -> None:
        self.kernel = Kernel(Journal())
        self.cluster = Cluster(pods or ("web-0",))
        hooks = () if plain else (self.cluster, self.cluster)
        self.traffic = Traffic(self.kernel, Streams(seed), self.cluster, *hooks)

    def start(self, **fields: Any) -> Load:
        """Starts a load, a request a second and 10 ms of work each unless `fields` say otherwise."""
        load = Load(
            **{
                "name": "shop",
                "service": SERVICE,
                "arrivals": Open(Constant(SECOND)),
                "service_time": Constant(10 * MILLISECOND),
                "rows": True,
                **fields,
            }
        )
        self.traffic.start(load)
        return load

    def at(self, time: int, fn: Callable[..., object], *args: object) -> None:
        """Calls `fn(*args)` at an instant."""
        self.kernel.call_at(time, lambda: fn(*args))

    def run(self, until: int = FOREVER, name: str = "shop") -> Result:
        """Lets time pass; the load's books then."""
        self.kernel.advance(until)
        return self.traffic.results(name)

    def rows(self, *kinds: str) -> list[Row]:
        """The journal's rows of these kinds."""
        return [row for row in self.kernel.journal.rows if row.kind in kinds]
