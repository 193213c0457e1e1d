"""The kubelet: a pod's life on its node, from the image to the last breath.

Rules: pull, create, start, probe, run, exit, restart with back-off, terminate; each step says what
Kubernetes says (reasons, events, conditions). A pod at rest has no timer. A real process (one without
a plan) tells when it listens and when it has exited; a scripted one has timers for it.
Source: Kubernetes facts section 6.
"""

from __future__ import annotations

from collections.abc import Callable

from emulator.cluster import probes
from emulator.cluster.allocators import AddressAllocator
from emulator.cluster.backoff import Backoff, real_wait
from emulator.cluster.context import Cluster
from emulator.cluster.images import Images, Pull, valid_reference
from emulator.cluster.objects import WAITING_TO_CREATE, Pod, PodTemplate, Probe
from emulator.cluster.texts import go_duration, go_seconds
from emulator.domain.kube import ContainerState
from emulator.domain.timefmt import SECOND
from emulator.domain.workload import ContainerStart, Process, StartFailed

_SYNC = SECOND
_NOT_READY = "containers with unready status: [{}]"


class Kubelet:
    """Every node's kubelet. `ready_changed` and `gone` are told of a pod."""

    def __init__(
        self,
        cluster: Cluster,
        ready_changed: Callable[[Pod], None],
        gone: Callable[[Pod], None],
    ) -> None:
        self._cluster = cluster
        self._images = Images(cluster)
        self._ready_changed = ready_changed
        self._gone = gone
        self._ips = AddressAllocator(cluster.settings.pod_range)

    # -- start -----------------------------------------------------------------------------------

    def run(self, pod: Pod) -> None:
        """Begins the life of a pod that has just got its node."""
        now = self._cluster.now
        pod.started = now
        pod.ip = self._ips.allocate(self._cluster.stream(pod.name, "ip"))
        pod.state = WAITING_TO_CREATE
        pod.set_condition("PodReadyToStartContainers", "True", now)
        pod.set_condition("Initialized", "True", now)
        self._set_ready(pod, False)
        self._ensure_image(pod)

    def _ensure_image(self, pod: Pod) -> None:
        template = pod.template
        cluster = self._cluster
        node = pod.node
        assert node is not None
        if not valid_reference(template.image):
            text = (
                f'Failed to apply default image tag "{template.image}": couldn\'t parse image name '
                f'"{template.image}": invalid reference format'
            )
            pod.state = ContainerState("waiting", "InvalidImageName", text)
            self._event(pod, "InspectFailed", text, warning=True)
            self._event(pod, "Failed", "Error: InvalidImageName", warning=True)
            cluster.changed(pod.workload, "Pod")
            return
        present = template.image in node.images
        if template.pull_policy == "Never" and not present:
            text = f'Container image "{template.image}" is not present with pull policy of Never'
            pod.state = ContainerState("waiting", "ErrImageNeverPull", text)
            self._event(pod, "ErrImageNeverPull", text, warning=True)
            self._event(pod, "Failed", "Error: ErrImageNeverPull", warning=True)
            cluster.changed(pod.workload, "Pod")
            return
        if present and template.pull_policy != "Always":
            self._event(
                pod,
                "Pulled",
                f'Container image "{template.image}" already present on machine and can be accessed '
                "by the pod",
            )
            self._create(pod)
            return
        self._event(pod, "Pulling", f'Pulling image "{template.image}"')
        pod.timers["pull"] = self._images.pull(
            node, template.image, pod.name, lambda pull: self._pulled(pod, pull)
        )

    def _pulled(self, pod: Pod, pull: Pull) -> None:
        pod.timers.pop("pull", None)
        image = pod.template.image
        if not pull.error:
            pod.pull = Backoff()
            took, waited = go_seconds(pull.took), go_seconds(pull.waited)
            self._event(
                pod,
                "Pulled",
                f'Successfully pulled image "{image}" in {took} ({waited} including waiting). '
                f"Image size: {pull.size} bytes.",
            )
            pod.state = WAITING_TO_CREATE
            self._create(pod)
            return
        self._event(pod, "Failed", f'Failed to pull image "{image}": {pull.error}', warning=True)
        self._event(pod, "Failed", "Error: ErrImagePull", warning=True)
        pod.state = ContainerState("waiting", "ErrImagePull", pull.error)
        self._cluster.changed(pod.workload, "Pod")
        stream = self._cluster.stream(f"{pod.name}/{pod.pull.length}", "pull-backoff")
        wait = real_wait(pod.pull.failed_pull(self._cluster.now), stream)
        kernel = self._cluster.kernel
        pod.timers["sync"] = kernel.call_in(
            _SYNC + stream.below(_SYNC // 2), lambda: self._back_off_pull(pod, pull.error)
        )
        pod.timers["pull"] = kernel.call_in(wait, lambda: self._ensure_image(pod))

    def _back_off_pull(self, pod: Pod, error: str) -> None:
        pod.timers.pop("sync", None)
        image = pod.template.image
        text = f'Back-off pulling image "{image}"'
        self._event(pod, "BackOff", text)
        self._event(pod, "Failed", "Error: ImagePullBackOff", warning=True)
        pod.state = ContainerState("waiting", "ImagePullBackOff", f"{text}: ErrImagePull: {error}")
        self._cluster.changed(pod.workload, "Pod")

    def _create(self, pod: Pod) -> None:
        delay = self._cluster.settings.start.sample(
            self._cluster.stream(f"{pod.name}/{pod.restarts}", "start")
        )
        pod.timers["start"] = self._cluster.kernel.call_in(delay, lambda: self._start(pod))

    def _start(self, pod: Pod) -> None:
        pod.timers.pop("start", None)
        cluster = self._cluster
        now = cluster.now
        template = pod.template
        holder: list[Process] = []

        def notify(what: str, code: int) -> None:
            if holder and pod.process is holder[0]:
                self._notified(pod, what, code)

        try:
            process = cluster.runtime.start(self._describe(pod, template), notify)
        except StartFailed as failed:
            text = str(failed)
            pod.state = ContainerState("waiting", "CreateContainerError", text)
            self._event(pod, "Failed", f"Error: {text}", warning=True)
            cluster.changed(pod.workload, "Pod")
            return
        holder.append(process)
        pod.process = process
        pod.state = ContainerState("running", started=now)
        pod.phase = "Running"
        self._event(pod, "Created", "Container created")
        self._event(pod, "Started", "Container started")
        if process.plan is not None and (end := process.plan.exit) is not None:
            pod.timers["exit"] = cluster.kernel.call_in(
                end.after, lambda: self._exited(pod, end.code, end.reason)
            )
        self._probe(pod, template)
        cluster.changed(pod.workload, "Pod")

    def _describe(self, pod: Pod, template: PodTemplate) -> ContainerStart:
        service = pod.workload.service
        return ContainerStart(
            workload=pod.workload.name,
            service=service.name if service else "",
            namespace=pod.workload.namespace,
            pod=pod.name,
            container=template.container,
            image=template.image,
            command=template.command,
            args=template.args,
            env=template.env,
            ports=template.ports,
            restarts=pod.restarts,
            started_unix=self._cluster.settings.epoch + self._cluster.now,
        )

    # -- readiness -------------------------------------------------------------------------------

    def _probe(self, pod: Pod, template: PodTemplate) -> None:
        process, started = pod.process, pod.state.started
        assert process is not None
        probe = template.startup or template.readiness
        if probe is None:
            self._set_ready(pod, True)
            return
        kernel = self._cluster.kernel
        answers = process.listens(probe.port)
        if process.plan is not None and answers:
            when = probes.next_run(started, probe, started + process.plan.startup)
            pod.timers["probe"] = kernel.call_at(when, lambda: self._answered(pod))
            late = when > started
        else:
            late = True
        if late:
            pod.timers["unhealthy"] = kernel.call_at(
                started, lambda: self._unhealthy(pod, template, probe)
            )
        if template.startup is not None:
            pod.timers["give-up"] = kernel.call_at(
                probes.exhausted(started, template.startup), lambda: self._give_up(pod, template)
            )

    def _unhealthy(self, pod: Pod, template: PodTemplate, probe: Probe) -> None:
        pod.timers.pop("unhealthy", None)
        kind = "Startup" if template.startup is not None else "Readiness"
        self._event(pod, "Unhealthy", probes.refusal(kind, pod.ip, probe.port), warning=True)
        self._cluster.changed(pod.workload, "Pod")

    def _answered(self, pod: Pod) -> None:
        pod.cancel("probe", "unhealthy", "give-up")
        self._set_ready(pod, True)
        self._cluster.changed(pod.workload, "Pod")

    def _give_up(self, pod: Pod, template: PodTemplate) -> None:
        pod.timers.pop("give-up", None)
        self._event(
            pod,
            "Killing",
            f"Container {template.container} failed startup probe, will be restarted",
        )
        self._stop_process(pod)
        self._exited(pod, 137, "Error")

    def _notified(self, pod: Pod, what: str, code: int) -> None:
        if pod.terminating or pod.process is None:
            return
        if what == "exited":
            self._exited(pod, code, "Completed" if code == 0 else "Error")
            return
        template = pod.template
        probe = template.startup or template.readiness
        if probe is not None and not pod.ready:
            when = probes.next_run(pod.state.started, probe, self._cluster.now)
            pod.cancel("probe")
            pod.timers["probe"] = self._cluster.kernel.call_at(when, lambda: self._answered(pod))

    def _set_ready(self, pod: Pod, ready: bool) -> None:
        now = self._cluster.now
        reason = "" if ready else "ContainersNotReady"
        text = "" if ready else _NOT_READY.format(pod.template.container)
        for kind in ("ContainersReady", "Ready"):
            pod.set_condition(kind, "True" if ready else "False", now, reason, text)
        if pod.ready != ready:
            pod.ready = ready
            self._cluster.record("pod", f"Pod/{pod.name}", ready=ready, phase=pod.phase)
            self._ready_changed(pod)

    # -- exit and restart ------------------------------------------------------------------------

    def _exited(self, pod: Pod, code: int, reason: str) -> None:
        cluster = self._cluster
        now = cluster.now
        pod.cancel()
        started = pod.state.started
        pod.state = ContainerState(
            "terminated", reason, exit_code=code, started=started, finished=now
        )
        pod.last = pod.state
        cluster.record("exit", f"Pod/{pod.name}", code=code, reason=reason, restarts=pod.restarts)
        self._set_ready(pod, False)
        cluster.changed(pod.workload, "Pod")
        nominal = pod.crash.crash(started, now)
        wait = real_wait(nominal, cluster.stream(f"{pod.name}/{pod.restarts}", "crash-backoff"))
        if wait:
            pod.timers["sync"] = cluster.kernel.call_in(
                _SYNC, lambda: self._back_off_crash(pod, nominal)
            )
        pod.timers["restart"] = cluster.kernel.call_in(wait, lambda: self._restart(pod))

    def _back_off_crash(self, pod: Pod, nominal: int) -> None:
        pod.timers.pop("sync", None)
        container = pod.template.container
        where = f"{pod.name}_{pod.workload.namespace}({self._uid(pod)})"
        pod.state = ContainerState(
            "waiting",
            "CrashLoopBackOff",
            f"back-off {go_duration(nominal)} restarting failed container={container} pod={where}",
        )
        self._event(
            pod, "BackOff", f"Back-off restarting failed container {container} in pod {where}", True
        )
        self._cluster.changed(pod.workload, "Pod")

    def _uid(self, pod: Pod) -> str:
        digits = self._cluster.stream(pod.name, "uid").hex(32)
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def _restart(self, pod: Pod) -> None:
        pod.timers.pop("restart", None)
        self._stop_process(pod)
        pod.restarts += 1
        self._ensure_image(pod)

    # -- the end ---------------------------------------------------------------------------------

    def terminate(self, pod: Pod) -> None:
        """Ends a pod: out of the endpoints now, gone when its container has stopped."""
        if pod.terminating:
            return
        pod.terminating = True
        pod.cancel()
        cluster = self._cluster
        if pod.ready:
            self._ready_changed(pod)
        if pod.state.phase != "running":
            self._remove(pod)
            return
        self._event(pod, "Killing", f"Stopping container {pod.template.container}")
        delay = cluster.settings.stop.sample(cluster.stream(pod.name, "stop"))
        pod.timers["stop"] = cluster.kernel.call_in(delay, lambda: self._remove(pod))

    def _remove(self, pod: Pod) -> None:
        pod.cancel()
        self._stop_process(pod)
        if pod.ip:
            self._ips.release(pod.ip)
        if pod.node is not None:
            pod.node.take(pod, -1)
        self._cluster.record("pod", f"Pod/{pod.name}", gone=True)
        self._gone(pod)

    def _stop_process(self, pod: Pod) -> None:
        if pod.process is not None:
            process, pod.process = pod.process, None
            process.stop()

    def _event(self, pod: Pod, reason: str, note: str, warning: bool = False) -> None:
        pod.cause = self._cluster.event(
            pod.workload, "Pod", pod.name, reason, note, warning=warning
        )
