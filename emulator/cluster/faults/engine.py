"""The faults of one cluster: started, at work, and gone without a trace.

Rules: names are unique among the faults that there are. A fault is entered at the present; its start
and its end, where they lie ahead, are timers of the kernel. What the world is under faults is computed
from those that are active, so they overlap in any order and each is healed by itself. Every start is a
row `fault` with the op `started`, every end one with `ended` (its time was over) or `healed`; what
follows at once has that row as its cause.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from emulator.cluster.context import Cluster
from emulator.cluster.faults.active import Active
from emulator.cluster.faults.base import Fault, PodFault
from emulator.cluster.faults.calls import Calls, Until
from emulator.cluster.faults.outages import Outages
from emulator.cluster.faults.table import make
from emulator.cluster.faults.target import NamesOf, plain_names
from emulator.cluster.faults.values import FaultError, near
from emulator.cluster.objects import Node, Pod
from emulator.cluster.store import DELETED
from emulator.cluster.system import System

F = TypeVar("F", bound=Fault)

#: A fault's name; `all` is every fault's.
FAULT_NAME = re.compile(r"(?!all$)[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")


def _at_once(fn: Callable[[], None]) -> None:
    fn()


class Faults:
    """Starts faults, heals them, and tells which there are.

    `names_of` tells how a workload is called. `enter` lets something into the world at the present;
    `until` lets simulated time come to an instant, for a call (`Calls`).
    """

    def __init__(
        self,
        cluster: Cluster,
        system: System,
        *,
        names_of: NamesOf = plain_names,
        enter: Callable[[Callable[[], None]], None] = _at_once,
        until: Until | None = None,
    ) -> None:
        self.cluster = cluster
        self.system = system
        self.names_of = names_of
        self.calls = Calls(self, until)
        self.outages = Outages(self)
        self._enter = enter
        self._all: dict[str, Active] = {}
        self._active: list[Active] = []
        self._on_pods: list[Active] = []
        cluster.store.on("Pod", self._heard_pod)
        cluster.store.on("Node", self._heard_node)

    # -- by hand ---------------------------------------------------------------------------------

    def start(
        self,
        fault: Fault | str,
        name: str = "",
        *,
        target: object = "cluster",
        start: int | None = None,
        duration: int | None = None,
        **attributes: object,
    ) -> str:
        """Starts a fault, or has it start at its `start`; its name (of its kind where none is given).

        A fault by its kind takes the target and the attributes as people write them. Raises FaultError.
        """
        if isinstance(fault, str):
            fault = make(
                fault, target=target, start=start, duration=duration, attributes=attributes
            )
        elif target != "cluster" or start is not None or duration is not None or attributes:
            raise TypeError("a Fault has its target, its times and its attributes already")
        if name and FAULT_NAME.fullmatch(name) is None:
            mend = "write 1 to 63 of a-z, 0-9, dots and -, but not all"
            raise FaultError("name", name, "is no name of a fault", mend)
        if name in self._all:
            raise FaultError("name", name, "is the name of a fault already", "choose another name")
        self._check(fault)
        active = Active(name or self._free_name(fault.kind), fault, self.cluster.streams)
        self._enter(partial(self._accept, active))
        return active.name

    def heal(self, name: str) -> None:
        """Ends a fault, begun or not. Raises FaultError for an unknown name."""
        active = self._all.get(name)
        if active is None:
            known = ", ".join(self._all) or "none"
            mend = f"{near(name, self._all)}the faults are: {known}"
            raise FaultError("name", name, "is not the name of a fault", mend)
        self._enter(partial(self._finish, active, "healed"))

    def heal_all(self) -> None:
        """Ends every fault, the youngest first."""
        for name in reversed(tuple(self._all)):
            self.heal(name)

    def all(self) -> list[Active]:
        """The faults that there are, begun or not, in the order of their being asked for."""
        return list(self._all.values())

    @property
    def waiting(self) -> bool:
        """Whether the start or the end of a fault lies ahead."""
        return any(each.clock is not None for each in self._all.values())

    # -- what the kinds ask ----------------------------------------------------------------------

    def present(self) -> int:
        """The present, once it is the kernel's."""
        self._enter(lambda: None)
        return self.cluster.now

    def of(self, kind: type[F]) -> list[tuple[Active, F]]:
        """The active faults of a kind, in the order in which they began."""
        return [(each, each.fault) for each in self._active if isinstance(each.fault, kind)]

    def hits(self, me: Active, pod: Pod) -> bool:
        """Whether a fault strikes a pod."""
        return me.fault.target.has_pod(pod, self.names_of) and me.strikes(pod.key)

    def look(self, me: Active, pod: Pod) -> None:
        """Has a fault strike a pod, if it is struck."""
        fault = me.fault
        assert isinstance(fault, PodFault)
        if self.hits(me, pod):
            fault.strike(self, me, pod)

    def later(self, me: Active, pod: Pod, time: int, fn: Callable[[], None]) -> None:
        """Does something to a pod at an instant, unless the fault or the pod has gone by then.

        A fault has at most one such plan for each pod.
        """

        def act() -> None:
            me.timers.pop(pod.key, None)
            fn()

        me.timers[pod.key] = self.cluster.kernel.call_at(time, act)

    # -- begin and end ---------------------------------------------------------------------------

    def _check(self, fault: Fault) -> None:
        cluster = self.cluster
        if fault.start is not None and fault.start < cluster.now:
            mend = f"give an instant from {cluster.now} on"
            raise FaultError("start", fault.start, "is past", mend)
        nodes = {node.name for node in cluster.nodes}
        zones = {node.zone for node in cluster.nodes} - {""}
        for part, known in (("node", nodes), ("zone", zones)):
            wanted = getattr(fault.target, part)
            if wanted and wanted not in known:
                listed = ", ".join(sorted(known)) or "none"
                mend = f"{near(wanted, sorted(known))}the {part}s are: {listed}"
                raise FaultError("target", wanted, f"is no {part}", mend)

    def _free_name(self, kind: str) -> str:
        number, name = 1, kind
        while name in self._all:
            number += 1
            name = f"{kind}-{number}"
        return name

    def _accept(self, active: Active) -> None:
        self._all[active.name] = active
        start = active.fault.start
        kernel = self.cluster.kernel
        if start is not None and start > kernel.now:
            active.clock = kernel.call_at(start, partial(self._begin, active))
        else:
            self._begin(active)

    def _begin(self, active: Active) -> None:
        fault, kernel = active.fault, self.cluster.kernel
        active.clock = None
        active.began = kernel.now
        self._active.append(active)
        if isinstance(fault, PodFault):
            self._on_pods.append(active)
        before = self._record(active, "started")
        fault.begin(self, active)
        if fault.duration is not None:
            active.clock = kernel.call_in(fault.duration, partial(self._finish, active, "ended"))
        kernel.journal.cause = before

    def _finish(self, active: Active, how: str) -> None:
        del self._all[active.name]
        active.cancel()
        if active.began is None:
            return
        self._active.remove(active)
        if isinstance(active.fault, PodFault):
            self._on_pods.remove(active)
        before = self._record(active, how)
        active.fault.end(self, active)
        self.cluster.journal.cause = before

    def _record(self, active: Active, how: str) -> int:
        """Writes the row; what follows has it as its cause. Returns the cause to go back to."""
        before = self.cluster.journal.cause
        fault = active.fault
        about: dict[str, Any] = {"attributes": fault.attributes(), "target": fault.target.text}
        self.cluster.record("fault", f"Fault/{active.name}", op=how, fault=fault.kind, **about)
        return before

    # -- what is heard ---------------------------------------------------------------------------

    def _heard_pod(self, op: str, pod: Pod) -> None:
        if op == DELETED:
            for active in self._active:
                active.forget(pod.key)
            return
        for active in self._on_pods:
            self.look(active, pod)

    def _heard_node(self, op: str, node: Node) -> None:
        if self._active:
            self.outages.heard(op, node)
