"""A container's life on its node: create, start, run, end, and the way back through the back-off.

Rules: a container that ends comes back as the pod's restart policy says; the first restart has no wait,
the later ones 10 s doubling to 300 s, until a run of more than 600 s. The pod's phase stays Running all
the while. What SIGTERM does is the plan's or the cluster's (`stop`); SIGKILL follows the grace, which
is never shorter than 2 s. A container that cannot be created is tried again at every sync; one that was
created and cannot be run has ended with code 128. Source: Kubernetes facts sections 0.1, 6, 6.1, 6.5.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emulator.cluster.backoff import RETRY, crash_looks, jittered
from emulator.cluster.context import Cluster
from emulator.cluster.distributions import Constant
from emulator.cluster.kubelet.disturb import Disturb
from emulator.cluster.kubelet.images import RELIST
from emulator.cluster.kubelet.probing import Probing
from emulator.cluster.kubelet.status import Status
from emulator.cluster.objects import Pod
from emulator.cluster.texts import go_duration
from emulator.domain.kube import ContainerState
from emulator.domain.timefmt import SECOND
from emulator.domain.workload import ContainerStart, Plan, RunFailed, StartFailed

MIN_GRACE = 2 * SECOND
KILLED, STOPPED, NOT_STARTED = 137, 143, 128
OOM = "OOMKilled"


class Containers:
    """Every kubelet's containers.

    `ensure` gets a pod's image, `gone` is called when the container of a pod that is being deleted has
    ended; `probing` is given later, it needs these containers itself.
    """

    probing: Probing

    def __init__(
        self,
        cluster: Cluster,
        status: Status,
        disturb: Disturb,
        ensure: Callable[[Pod], None],
        gone: Callable[[Pod], None],
    ) -> None:
        self._cluster = cluster
        self._kernel = cluster.kernel
        self._status = status
        self._disturb = disturb
        self._ensure = ensure
        self._gone = gone

    # -- start -----------------------------------------------------------------------------------

    def create(self, pod: Pod) -> None:
        """Begins to make the container; the image is there."""
        start = self._cluster.settings.start
        delay = start.ns if type(start) is Constant else self._draw_start(pod)
        for slow in self._disturb.starts:
            if slow.matches(pod):
                delay += self._cluster.draw(slow.delay, f"{pod.name}/{pod.restarts}", "slow-start")
        pod.timers["start"] = self._kernel.call_in(delay, partial(self._start, pod))

    def _draw_start(self, pod: Pod) -> int:
        return self._cluster.draw(
            self._cluster.settings.start, f"{pod.name}/{pod.restarts}", "start"
        )

    def _start(self, pod: Pod) -> None:
        del pod.timers["start"]
        heard = partial(self._heard, pod, pod.restarts)
        try:
            process = self._cluster.runtime.start(self._describe(pod), heard)
        except RunFailed as failed:
            self._cannot_run(pod, str(failed))
            return
        except StartFailed as failed:
            self._cannot_create(pod, str(failed))
            return
        status = self._status
        pod.process = process
        pod.state = ContainerState("running", started=self._kernel.now)
        status.say(pod, "Created", "Container created")
        status.say(pod, "Started", "Container started")
        plan = process.plan
        if plan is not None and (plan.exit is not None or plan.memory is not None):
            self._wait_for_end(pod, plan)
        status.report(pod, "Running", self.probing.begin(pod, process))

    def _wait_for_end(self, pod: Pod, plan: Plan) -> None:
        """A scripted process ends by itself, or is killed for its memory, whichever comes first."""
        end = plan.exit
        memory = plan.memory
        if memory is not None and (end is None or memory.after < end.after):
            limit = pod.template.limits.get("memory", 0)
            if limit and memory.amount > limit:
                killed = partial(self.ended, pod, KILLED, OOM)
                pod.timers["exit"] = self._kernel.call_in(memory.after, killed)
                return
        if end is not None:
            ended = partial(self.ended, pod, end.code, end.reason)
            pod.timers["exit"] = self._kernel.call_in(end.after, ended)

    def _describe(self, pod: Pod) -> ContainerStart:
        template, group = pod.template, pod.group
        service = group.service if group else None
        ports = template.ports
        if service is not None:
            ports = tuple([port.target_port for port in service.ports])
        return ContainerStart(
            workload=group.name if group else "",
            service=service.name if service else "",
            namespace=pod.namespace,
            pod=pod.name,
            container=template.container,
            image=template.image,
            command=template.command,
            args=template.args,
            env=template.env,
            ports=ports,
            restarts=pod.restarts,
            started_unix=self._cluster.settings.epoch + self._kernel.now,
        )

    def _cannot_create(self, pod: Pod, text: str) -> None:
        self._status.say(pod, "Failed", f"Error: {text}", warning=True)
        pod.state = ContainerState("waiting", "CreateContainerError", text)
        stream = self._cluster.stream(f"{pod.name}/{self._kernel.now}", "sync")
        pod.timers["sync"] = self._kernel.call_in(
            jittered(RETRY, stream), partial(self._try_again, pod)
        )
        self._status.report(pod, pod.phase, False)

    def _try_again(self, pod: Pod) -> None:
        del pod.timers["sync"]
        self._ensure(pod)

    def _cannot_run(self, pod: Pod, text: str) -> None:
        """The container was made: it counts as one that has ended."""
        self._status.say(pod, "Created", "Container created")
        self._status.say(pod, "Failed", f"Error: {text}", warning=True)
        pod.state = ContainerState("running", started=self._kernel.now)
        self.ended(pod, NOT_STARTED, "StartError")
        if pod.state.phase == "terminated" and pod.phase != "Failed":
            pod.state = ContainerState("waiting", "RunContainerError", text)

    # -- end -------------------------------------------------------------------------------------

    def _heard(self, pod: Pod, restarts: int, what: str, code: int) -> None:
        """A real process tells; what it says of an earlier life is nothing."""
        if pod.process is None or pod.restarts != restarts or pod.state.phase != "running":
            return
        if what == "exited":
            self.ended(pod, code, "Completed" if code == 0 else "Error")
        else:
            self.probing.listening(pod)

    def ended(self, pod: Pod, code: int, reason: str) -> None:
        """The container has ended: by itself, by a signal, for its memory."""
        now = self._kernel.now
        self.probing.end(pod)
        pod.cancel()
        started = pod.state.started
        pod.state = ContainerState(
            "terminated", reason, exit_code=code, started=started, finished=now
        )
        if pod.terminating:
            self._gone(pod)
            return
        cluster, policy = self._cluster, pod.template.restart
        subject = cluster.store.subject(pod)
        cluster.record("exit", subject, code=code, reason=reason, restarts=pod.restarts)
        if policy == "Never" or (policy == "OnFailure" and code == 0):
            self._status.report(pod, "Failed" if code else "Succeeded", False)
            return
        pod.last = pod.state
        self._status.report(pod, pod.phase, False)
        self._come_back(pod, started, now)

    def _come_back(self, pod: Pod, started: int, now: int) -> None:
        nominal = pod.crash.crash(started, now)
        if not nominal:
            pod.timers["restart"] = self._kernel.call_in(0, partial(self.restart, pod))
            return
        stream = self._cluster.stream(f"{pod.name}/{pod.restarts}", "crash-backoff")
        looks = [now + look for look in crash_looks(nominal, stream)]
        pod.timers["sync"] = self._kernel.call_in(
            RELIST, partial(self._back_off, pod, nominal, looks[:-1])
        )
        pod.timers["restart"] = self._kernel.call_at(looks[-1], partial(self.restart, pod))

    def _back_off(self, pod: Pod, nominal: int, looks: list[int]) -> None:
        del pod.timers["sync"]
        container = pod.template.container
        where = f"{pod.name}_{pod.namespace}({self._cluster.uid(pod)})"
        note = f"Back-off restarting failed container {container} in pod {where}"
        pod.state = ContainerState(
            "waiting",
            "CrashLoopBackOff",
            f"back-off {go_duration(nominal)} restarting failed container={container} pod={where}",
        )
        self._status.say(pod, "BackOff", note, warning=True)
        pod.streak = self._status.repeat(pod, (("BackOff", note),), looks)
        self._cluster.store.changed(pod)

    def restart(self, pod: Pod) -> None:
        """Begins the container's next life."""
        pod.timers.pop("restart", None)
        self.silence(pod)
        self.let_go(pod)
        pod.restarts += 1
        self._ensure(pod)

    def silence(self, pod: Pod) -> None:
        """The container waits for nothing of which it would have to speak again."""
        if pod.streak is not None:
            streak, pod.streak = pod.streak, None
            self._status.fall_silent(pod, streak, self._kernel.now)

    def let_go(self, pod: Pod) -> None:
        """Ends what is left of the pod's process."""
        if pod.process is not None:
            process, pod.process = pod.process, None
            process.stop()

    # -- signals ---------------------------------------------------------------------------------

    def probe_failed(self, pod: Pod, kind: str, grace: int) -> None:
        """A probe wants the container restarted."""
        container = pod.template.container
        note = f"Container {container} failed {kind} probe, will be restarted"
        self._status.say(pod, "Killing", note)
        self.stop(pod, grace)

    def stop(self, pod: Pod, grace: int) -> None:
        """SIGTERM, and SIGKILL after the grace in nanoseconds, at least 2 s; the container runs."""
        assert pod.process is not None
        grace = max(grace, MIN_GRACE)
        plan = pod.process.plan
        code = STOPPED
        after: int | None
        if plan is not None and plan.stop is not None:
            after, code = plan.stop.after, plan.stop.code
        else:
            stop = self._cluster.settings.stop
            after = (
                stop.ns if type(stop) is Constant else self._cluster.draw(stop, pod.name, "stop")
            )
        if after is None or after > grace:
            after, code = grace, KILLED
        self._stop_at(pod, self._kernel.now + after, code)

    def hurry(self, pod: Pod, grace: int) -> None:
        """SIGKILL comes after another grace, where that is sooner than the container's own end."""
        kill_at = self._kernel.now + max(grace, MIN_GRACE)
        if kill_at < pod.stops_at:
            pod.cancel("stop")
            self._stop_at(pod, kill_at, KILLED)

    def _stop_at(self, pod: Pod, at: int, code: int) -> None:
        pod.stops_at = at
        pod.timers["stop"] = self._kernel.call_at(
            at, partial(self.ended, pod, code, "Error" if code else "Completed")
        )
