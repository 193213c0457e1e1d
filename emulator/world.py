"""The composition root: the one module that knows every part of a world and puts them together.

Rules: a world has one seed, one journal, one kernel, one platform and one control plane. Offline it is
driven by `run_until`; live, a `Pacer` drives it. Everything that enters the world while it lives enters
through `command` or `enter`, which first make the present the kernel's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from emulator import __version__
from emulator.cluster.context import Cluster
from emulator.cluster.faults import Faults, Names
from emulator.cluster.kernel import Kernel
from emulator.cluster.platform import SimulatedPlatform
from emulator.cluster.settings import ClusterSettings, Image
from emulator.cluster.streams import Streams
from emulator.control.driver import Driver
from emulator.control.entities import Run
from emulator.control.plane import ControlPlane
from emulator.control.settings import ControlSettings
from emulator.domain import names
from emulator.domain.errors import BuildError
from emulator.domain.journal import SCHEMA, Journal, Sink
from emulator.domain.lifecycle import WANTED, State
from emulator.pacing import Mode, Pacer, Wall
from emulator.platform import Capability, NoRoute, Route
from emulator.workloads.behaviours import PullError, Rule
from emulator.workloads.runtime import BehaviourRuntime
from emulator.workloads.watched import Watched

if TYPE_CHECKING:
    from emulator.cluster.traffic import Traffic

T = TypeVar("T")

_RETRY_AFTER = 5


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """Everything that makes a world. `boot` keeps ids of later starts apart from earlier ones."""

    seed: int = 0
    boot: int = 0
    control: ControlSettings = field(default_factory=ControlSettings)
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    rules: tuple[Rule, ...] = ()
    header: dict[str, Any] = field(default_factory=dict)


class SeededIds:
    """Ids and names from the world's seed."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._count = 0

    def id(self) -> str:
        """32 hex digits."""
        self._count += 1
        return self._streams.stream(f"id/{self._count}", "id").hex(32)

    def name(self) -> str:
        """`adjective-animal`."""
        self._count += 1
        stream = self._streams.stream(f"name/{self._count}", "name")
        return f"{stream.choice(names.ADJECTIVES)}-{stream.choice(names.ANIMALS)}"


class World:
    """One emulated platform: journal, kernel, cluster, control plane."""

    def __init__(
        self, settings: WorldSettings, *, sink: Sink | None = None, keep: bool = True
    ) -> None:
        self.settings = settings
        self.journal = Journal(sink=sink, keep=keep)
        self.journal.record(
            0,
            "world",
            "World",
            schema=SCHEMA,
            version=__version__,
            seed=settings.seed,
            profile=settings.control.profile.name,
            platform="simulated",
            boot=settings.boot,
            namespace=settings.cluster.namespace,
            ranges={
                "balancer": settings.cluster.balancer_range,
                "pod": settings.cluster.pod_range,
                "service": settings.cluster.service_range,
            },
            **settings.header,
        )
        self.journal.cause = 0
        self.kernel = Kernel(self.journal)
        self.streams = Streams(settings.seed, settings.boot)
        self.behaviours = BehaviourRuntime(settings.rules)
        self._runtime = Watched(self.behaviours, self.enter)
        cluster = _with_refusals(settings.cluster, settings.rules)
        self.cluster = Cluster(self.kernel, self.streams, cluster, self._runtime)
        self.platform = SimulatedPlatform(self.cluster)
        self.plane = ControlPlane(
            settings.control,
            self.journal,
            SeededIds(self.streams),
            complete_watch=Capability.COMPLETE_WATCH in self.platform.capabilities,
        )
        self.driver = Driver(self.plane, self.platform, self.kernel)
        self.pacer: Pacer | None = None
        self.faults = Faults(
            self.cluster,
            self.platform.system,
            names_of=self._names_of,
            enter=self.enter,
            until=self._until,
        )
        self.platform.between = self.faults.calls.call
        self._traffic: Traffic | None = None

    @property
    def traffic(self) -> Traffic:
        """The simulated clients of this world; made when they are first asked for."""
        if self._traffic is None:
            from emulator.cluster.traffic.binding import bind

            self._traffic = bind(self.cluster, self.faults.calls)
        return self._traffic

    # -- time ------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The present, in nanoseconds since the world began."""
        return self.pacer.present if self.pacer else self.kernel.now

    def pace(self, mode: Mode, wall: Wall) -> Pacer:
        """Makes this a living world, driven from an event loop (`Pacer.start`)."""
        self.pacer = Pacer(
            self.kernel,
            mode,
            wall,
            self._unsettled,
            lambda: bool(self._runtime.starting),
        )
        return self.pacer

    def _unsettled(self) -> Iterator[str]:
        """What nobody should wait for on the wall: runs on their way, and what follows at their end."""
        for run in self.plane.moving():
            yield run.id
        if self.platform.settling:
            yield "platform"

    def run_until(self, condition: Callable[[], bool], limit: int) -> bool:
        """Offline: goes on until `condition` holds, at most to `limit`; says whether it does."""
        self.kernel.run_while(lambda: not condition(), limit)
        return condition()

    # -- what enters -----------------------------------------------------------------------------

    def command(self, verb: str, subject: str, fn: Callable[[int], T]) -> T:
        """Applies a client's command at the present. Raises what `fn` raises."""
        if self.pacer is None:
            return self.driver.command(verb, subject, fn)
        self.pacer.sync()
        try:
            return self.driver.command(verb, subject, fn)
        finally:
            self.pacer.kick()

    def enter(self, fn: Callable[[], None]) -> None:
        """Lets something from outside (a real process's word) in, at the present."""
        if self.pacer is not None:
            self.pacer.sync()
        fn()
        if self.pacer is not None:
            self.pacer.kick()

    async def _until(self, instant: int) -> None:
        """Lets simulated time come to an instant, for a call; offline it is the call that moves it."""
        if self.pacer is None:
            self.kernel.advance(instant)
        elif instant > self.now:
            await self.pacer.until(instant)

    def _names_of(self, workload: str) -> Names:
        """What the run of a workload, and its function, are called."""
        run = self.plane.repository.find_run(workload)
        if run is None:
            return Names((workload,))
        function = names.parse_function_ref(run.spec.get("function"))
        return Names(
            (run.id, run.name, _service_name(run)), function.name if function is not None else ""
        )

    def close(self) -> None:
        """Ends every real process; idempotent."""
        if self.pacer is not None:
            self.pacer.stop()
        self.behaviours.close()

    # -- the directory that the gateway asks -----------------------------------------------------

    def route(self, host: str, port: int) -> Route | NoRoute:
        """A ready endpoint behind a name or an address."""
        if self.pacer is not None:
            self.pacer.sync()
        host = host.lower().rstrip(".")
        found = self.platform.route(host, port)
        if isinstance(found, NoRoute) and not found.workload:
            return self._on_its_way(host) or found
        return found

    def _on_its_way(self, host: str) -> NoRoute | None:
        """The service of a run whose objects are not made yet."""
        bare = self.platform.bare(host)
        for run in self.plane.moving():
            if run.state is State.READY and _service_name(run) == bare:
                return NoRoute(run.id, bare)
        return None

    def is_platform_name(self, host: str, port: int) -> bool:
        """Whether a host is the platform's own, known or not: such a host is never looked up outside."""
        host = host.lower().rstrip(".")
        namespace = self.settings.cluster.namespace
        if self.platform.owns(host) or host.endswith(
            (".svc", ".svc.cluster.local", f".{namespace}")
        ):
            return True
        return "." not in host and ":" not in host and host != "localhost"

    def why(self, workload: str) -> tuple[str, int | None]:
        """Why a service does not answer, and after how many seconds it may."""
        run = self.plane.repository.find_run(workload)
        if run is None:
            return "", None
        waiting = run.state in (State.READY, State.PENDING)
        return run.message, _RETRY_AFTER if waiting else None

    def ended(self, host: str) -> str:
        """Why a name that once was a service is none any more; empty when it never was one."""
        bare = self.platform.bare(host.lower().rstrip("."))
        for run in self.plane.repository.runs():
            if bare == _service_name(run) and run.state not in WANTED:
                return f"its run {run.id} is in state {run.state}"
        return ""

    def invoked(
        self, route: Route | None, method: str, host: str, status: int, *, began: int | None = None
    ) -> None:
        """Notes an invocation in the journal: where it went and what came back, never the body.

        `began` is when its pod was chosen; the row says how long it `took` since, if it did.
        """
        subject = f"Service/{route.service}" if route else "Gateway"
        pod = route.pod if route else ""
        took = 0 if began is None else self.kernel.now - began
        self.journal.record(
            self.kernel.now,
            "invocation",
            subject,
            cause=0,
            method=method,
            host=host,
            status=status,
            pod=pod,
            **({"took": took} if took else {}),
        )

    def service_name(self, run: Run) -> str:
        """The name of a run's Service; empty where it cannot have one."""
        return _service_name(run)

    def find_runs(self, text: str) -> list[Run]:
        """The runs that a person's word names: id, prefix of it, name, function or service name."""
        runs = list(self.plane.repository.runs())
        for test in (
            lambda run: run.id == text,
            lambda run: run.name == text,
            lambda run: _service_name(run) == text,
            lambda run: run.id.startswith(text),
            lambda run: f"/{text}:" in str(run.spec.get("function", "")),
        ):
            if found := [run for run in runs if test(run)]:
                return found
        return []


def _with_refusals(cluster: ClusterSettings, rules: tuple[Rule, ...]) -> ClusterSettings:
    """The cluster whose registry refuses what a rule says that it refuses.

    The rules come before the registry's own entries, in their order, and only up to the last refusal:
    a rule above one shields its images from it.
    """
    last = max(
        (n for n, rule in enumerate(rules) if isinstance(rule.behaviour, PullError)), default=-1
    )
    entries = []
    for rule in rules[: last + 1]:
        refused = rule.behaviour
        error = refused.text if isinstance(refused, PullError) else ""
        entries.append(Image(rule.image, error=error))
    registry = replace(cluster.registry, images=(*entries, *cluster.registry.images))
    return replace(cluster, registry=registry)


def _service_name(run: Run) -> str:
    try:
        return names.service_name(run.row.task, run.id)
    except BuildError:  # a run whose name cannot be built has no service
        return ""
