"""The kinds of faults that strike containers.

Rules: chance decides for each pod. A container is struck while it runs, in an event of its own; a crash
loop strikes each container that a pod starts, a single exit and a single OOM kill only the first one
that it meets. A probe fails as long as one fault makes it fail.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from emulator.cluster.faults.active import Active
from emulator.cluster.faults.base import PodFault
from emulator.cluster.faults.values import Choice, Number, Span, attribute
from emulator.cluster.objects import Pod

if TYPE_CHECKING:
    from emulator.cluster.faults.engine import Faults


def _runs(pod: Pod) -> bool:
    """Whether there is a container to strike, on a node whose kubelet is at work."""
    node = pod.node
    return (
        pod.state.phase == "running"
        and not pod.terminating
        and not pod.removed
        and node is not None
        and node.up
    )


def _strike(
    faults: Faults, me: Active, pod: Pod, time: int, fn: Callable[[], None], *, once: bool
) -> None:
    """Does it to the container that the pod runs now, at an instant, if that still runs then."""
    if not _runs(pod) or pod.key in me.timers:
        return
    container = _container(pod)
    done = me.done.get(pod.key)
    if done == container or (once and done is not None):
        return

    def act() -> None:
        if _runs(pod) and _container(pod) == container:
            me.done[pod.key] = container
            fn()
        else:
            faults.look(me, pod)

    faults.later(me, pod, max(time, faults.cluster.now), act)


def _container(pod: Pod) -> tuple[int, int | None]:
    """Which of the containers that a pod has one after the other."""
    return (pod.restarts, pod.state.started)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrashLoop(PodFault):
    """Containers exit with `code`, `after` so long, every time that they start."""

    kind: ClassVar[str] = "crash-loop"

    after: int = attribute(Span(), 0)
    code: int = attribute(Number(1, 255), 1)

    def strike(self, faults: Faults, me: Active, pod: Pod) -> None:
        """Has the container end when its time is over."""
        _strike(
            faults,
            me,
            pod,
            (pod.state.started or 0) + self.after,
            lambda: faults.system.kubelet.kill(pod, self.code, "Error"),
            once=False,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExitCode(PodFault):
    """Containers exit with `code`, once a pod."""

    kind: ClassVar[str] = "exit-code"

    code: int = attribute(Number(0, 255), 1)

    def strike(self, faults: Faults, me: Active, pod: Pod) -> None:
        """Has the container end now."""
        reason = "Error" if self.code else "Completed"
        _strike(
            faults,
            me,
            pod,
            0,
            lambda: faults.system.kubelet.kill(pod, self.code, reason),
            once=True,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class OOM(PodFault):
    """Containers are killed for want of memory, once a pod."""

    kind: ClassVar[str] = "oom"

    def strike(self, faults: Faults, me: Active, pod: Pod) -> None:
        """Has the kernel kill the container now."""
        _strike(faults, me, pod, 0, lambda: faults.system.kubelet.oom(pod), once=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FailingProbe(PodFault):
    """Probes of one `probe` fail, whatever the container does."""

    kind: ClassVar[str] = "failing-probe"

    probe: str = attribute(Choice(("readiness", "liveness", "startup")), "readiness")

    def strike(self, faults: Faults, me: Active, pod: Pod) -> None:
        """The probe's answer is no from now on."""
        if pod.key not in me.done:
            me.done[pod.key] = True
            faults.system.kubelet.probe_answers(pod, self.probe, False)

    def end(self, faults: Faults, me: Active) -> None:
        """The probe's answer is the container's again, unless another fault strikes it."""
        others = [other for other, fault in faults.of(FailingProbe) if fault.probe == self.probe]
        for key in me.done:
            pod = faults.cluster.store.get("Pod", key)
            if pod is not None and not any(key in other.done for other in others):
                faults.system.kubelet.probe_answers(pod, self.probe, True)
