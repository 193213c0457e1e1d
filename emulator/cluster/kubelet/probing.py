"""The prober: runs of probes, worked out instead of run.

Rules: a run whose result changes nothing costs no event. A timer stands only for the next run that
matters: the first of a row of failures (it is told of), the one that turns the result, and the first one
after the process has begun to answer. A worker's clock starts when the kubelet takes the pod, not with
the container, so runs fall on that grid; within a period of the kubelet's own start it begins at a
random place. Startup blocks the others; once it has passed, readiness is run at once, outside the
grid, as each status sync does until readiness has succeeded (the syncs every 60 to 90 s are left
out). The journal has one row for the first failure of a row; those that follow are a streak of the
same event, counted when somebody looks. On deletion startup and liveness end, readiness goes on.
Source: Kubernetes facts sections 6.4 and 6.5; kubernetes pkg/kubelet/prober.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emulator.cluster.context import Cluster
from emulator.cluster.kubelet.probes import (
    LIVENESS,
    NEVER,
    READINESS,
    STARTUP,
    Worker,
    complaint,
)
from emulator.cluster.kubelet.status import Status
from emulator.cluster.objects import Pod, Probe
from emulator.domain.timefmt import SECOND
from emulator.domain.workload import ProbeChange, Process

Kill = Callable[[Pod, str, int], None]


class Probing:
    """Every kubelet's prober.

    `kill(pod, kind, grace)` is called when a container has to go; `booted` has the instants at which
    kubelets started that were not there from the beginning.
    """

    def __init__(
        self, cluster: Cluster, status: Status, booted: dict[str, int], kill: Kill
    ) -> None:
        self._cluster = cluster
        self._kernel = cluster.kernel
        self._status = status
        self._booted = booted
        self._kill = kill

    # -- a container's beginning and end ---------------------------------------------------------

    def begin(self, pod: Pod, process: Process) -> bool:
        """A container has started; says whether it is ready at once."""
        template, now = pod.template, self._kernel.now
        startup, readiness = template.startup, template.readiness
        if startup is None and readiness is None and template.liveness is None:
            return True
        plan = process.plan
        if plan is not None and plan.probes:
            self._script(pod, plan.probes, now)
        if startup is not None:
            self._plan(pod, self._worker(pod, STARTUP, startup, now - 1))
            return False
        return self._startup_over(pod)

    def _startup_over(self, pod: Pod) -> bool:
        """The other workers may run; says whether the pod is ready at once."""
        template, now = pod.template, self._kernel.now
        if template.liveness is not None:
            self._plan(pod, self._worker(pod, LIVENESS, template.liveness, now))
        if template.readiness is None:
            return True
        worker = self._worker(pod, READINESS, template.readiness, now)
        if worker.last == now and not worker.hangs:
            self._count(pod, worker, now, worker.answers(now))
        self._plan(pod, worker)
        return worker.result is True

    def _worker(self, pod: Pod, kind: str, probe: Probe, last: int) -> Worker:
        process = pod.process
        assert process is not None
        assert pod.started is not None
        started = pod.state.started
        opens = NEVER
        if probe.kind == "exec" or process.listens(probe.port):
            opens = started if process.plan is None else started + process.plan.startup
        first = started + probe.delay - 1
        worker = Worker(kind, probe, self._base(pod, kind, probe), opens, max(last, first))
        self._force(pod, worker)
        if pod.workers is None:
            pod.workers = {}
        pod.workers[kind] = worker
        return worker

    def _base(self, pod: Pod, kind: str, probe: Probe) -> int:
        """Where the worker's clock begins."""
        assert pod.node is not None
        assert pod.started is not None
        booted = self._booted.get(pod.node.name)
        if booted is None:
            return pod.started
        base = max(pod.started, booted)
        if base - booted < probe.period:
            stream = self._cluster.stream(f"{pod.name}/{booted}", f"{kind}-phase")
            base += stream.below(probe.period)
        return base

    def end(self, pod: Pod) -> None:
        """The container has ended, or nobody probes it any more."""
        if pod.workers is not None:
            for worker in tuple(pod.workers.values()):
                self._drop(pod, worker)
            pod.workers = None
        if pod.script is not None:
            pod.script = None
            pod.cancel("script")

    def terminating(self, pod: Pod) -> None:
        """The pod's deletion has been asked for."""
        if pod.workers is not None:
            for kind in (STARTUP, LIVENESS):
                if (worker := pod.workers.get(kind)) is not None:
                    self._drop(pod, worker)

    def _drop(self, pod: Pod, worker: Worker) -> None:
        assert pod.workers is not None
        del pod.workers[worker.kind]
        pod.cancel(worker.kind)
        self._silence(pod, worker, self._kernel.now)

    # -- answers that change ---------------------------------------------------------------------

    def listening(self, pod: Pod) -> None:
        """A real process has begun to listen."""
        now = self._kernel.now
        assert pod.process is not None
        for worker in tuple((pod.workers or {}).values()):
            if pod.process.listens(worker.probe.port):
                self._settle(worker)
                worker.opens = now
                self._plan_anew(pod, worker)

    def changed(self, pod: Pod, kind: str) -> None:
        """What a fault or a script makes of a probe's answers has changed."""
        worker = (pod.workers or {}).get(kind)
        if worker is not None:
            self._settle(worker)
            if not self._in_flight(worker):
                self._force(pod, worker)
                self._plan_anew(pod, worker)

    def _force(self, pod: Pod, worker: Worker) -> None:
        kind = worker.kind
        worker.forced = pod.script.get(kind) if pod.script else None
        worker.hangs = False
        if pod.failing is not None and kind in pod.failing:
            worker.forced, worker.hangs = False, pod.failing[kind]

    def _settle(self, worker: Worker) -> None:
        worker.count_until(min(self._kernel.now, worker.flight))

    def _in_flight(self, worker: Worker) -> bool:
        """Whether a run has begun that has no answer yet; it ends as it would have ended."""
        return worker.flight <= self._kernel.now and worker.hangs

    def _plan_anew(self, pod: Pod, worker: Worker) -> None:
        if not self._in_flight(worker):
            if worker.failing and not worker.answers(worker.after(worker.last)):
                self._silence(pod, worker, self._kernel.now)
                worker.failing = False  # another text from now on
            self._plan(pod, worker)

    def _script(self, pod: Pod, changes: tuple[ProbeChange, ...], started: int) -> None:
        """Applies what is due of a plan's changes, and waits for the next one."""
        now = self._kernel.now
        if pod.script is None:
            pod.script = {}
        later = None
        for change in changes:
            at = started + change.after
            if at <= now:
                if pod.script.get(change.probe) is not change.ok:
                    pod.script[change.probe] = change.ok
                    self.changed(pod, change.probe)
            elif later is None:
                later = at
        if later is not None:
            pod.timers["script"] = self._kernel.call_at(
                later, partial(self._script, pod, changes, started)
            )

    # -- runs ------------------------------------------------------------------------------------

    def _plan(self, pod: Pod, worker: Worker) -> None:
        """Waits for the next run that matters, if there is one."""
        pod.cancel(worker.kind)
        worker.flight = NEVER
        first = worker.after(worker.last)
        period = worker.probe.period
        ok = worker.answers(first)
        if ok:
            if worker.failing:
                self._silence(pod, worker, min(first, self._kernel.now))
                worker.failing = False
            if worker.result is True:
                return
            run = first + (worker.turning(True) - 1) * period
        elif not worker.failing:
            run = first
        else:
            run = NEVER
            if worker.result is not False:
                run = first + (worker.turning(False) - 1) * period
            if worker.forced is None and worker.opens < NEVER:
                opened = worker.after(worker.opens - 1)
                if opened <= run:
                    run, ok = opened, True
            if run == NEVER:
                return
        worker.flight = run
        pod.timers[worker.kind] = self._kernel.call_at(
            run + worker.patience, partial(self._due, pod, worker, run, ok)
        )

    def _due(self, pod: Pod, worker: Worker, run: int, ok: bool) -> None:
        """A run that matters has its answer."""
        del pod.timers[worker.kind]
        worker.flight = NEVER
        before, known = worker.result, worker.failing
        self._count(pod, worker, run, ok)
        if worker.failing and not known:
            self._cluster.store.changed(pod)  # who watches it learns why it is not ready
        hung = worker.hangs
        self._force(pod, worker)
        if hung and not worker.hangs:
            self._silence(pod, worker, self._kernel.now)
            worker.failing = False
        if worker.result is before or not self._turned(pod, worker):
            self._plan(pod, worker)

    def _count(self, pod: Pod, worker: Worker, run: int, ok: bool) -> None:
        worker.count_until(run)
        worker.tally(ok, 1)
        worker.last = run
        if ok:
            if worker.failing:
                self._silence(pod, worker, run)
                worker.failing = False
        elif not worker.failing:
            self._complain(pod, worker)
        needed = worker.probe.successes if ok else worker.probe.failures
        if worker.count >= needed:
            worker.result = ok

    def _turned(self, pod: Pod, worker: Worker) -> bool:
        """Acts on a result that has turned; says whether the worker is done with this container."""
        if worker.kind == READINESS:
            self._status.report(pod, pod.phase, worker.result is True)
            return False
        if worker.result is True:
            if worker.kind == STARTUP:
                self._drop(pod, worker)
                if self._startup_over(pod):
                    self._status.report(pod, pod.phase, True)
                return True
            return False
        self._drop(pod, worker)
        grace = worker.probe.grace
        self._kill(pod, worker.kind, pod.template.grace * SECOND if grace is None else grace)
        return True

    # -- what is said ----------------------------------------------------------------------------

    def _complain(self, pod: Pod, worker: Worker) -> None:
        """Tells of the first failure of a row; the others repeat it."""
        worker.failing = True
        text = complaint(worker, pod.ip)
        self._status.say(pod, "Unhealthy", text, warning=True)
        period = worker.probe.period
        again = worker.after(worker.last) + worker.patience
        worker.streak = self._status.repeat(
            pod, (("Unhealthy", text),), range(again, NEVER, period)
        )

    def _silence(self, pod: Pod, worker: Worker, before: int) -> None:
        if worker.streak is not None:
            streak, worker.streak = worker.streak, None
            self._status.fall_silent(pod, streak, before)
