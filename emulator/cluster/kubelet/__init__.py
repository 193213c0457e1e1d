"""The kubelet: a pod's life on its node, from the sandbox to the last breath.

Rules: `System` makes one `Kubelet` for all nodes; it hears of pods through the store, and acts when a
change has reached the node. A pod at rest has no timer. The kubelet of a node that is down does not act
at all: `node_lost` takes its processes, pulls and timers away, `node_back` (a machine that has booted)
ends what was to be deleted and starts the rest anew; a pod keeps its address then, where a new sandbox
would give it another. Without an address there is no sandbox: that is tried again at every sync. A pod
that nobody has scheduled and that does not fit is rejected. What is written of a pod's phase,
conditions and events is `status`; `images` has the pulls, `containers` start, end and restart,
`probing` the probes.
Source: Kubernetes facts sections 0 and 6.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emulator.cluster.allocators import AddressAllocator, RangeFull
from emulator.cluster.backoff import RETRY, Backoff, jittered
from emulator.cluster.context import Cluster
from emulator.cluster.deletion import Deletion
from emulator.cluster.kubelet.containers import KILLED, OOM, Containers
from emulator.cluster.kubelet.disturb import Disturb, Refusal, RegistryState, SlowStart
from emulator.cluster.kubelet.images import Images
from emulator.cluster.kubelet.probing import Probing
from emulator.cluster.kubelet.pulls import Pulls
from emulator.cluster.kubelet.status import Status
from emulator.cluster.objects import Node, Pod
from emulator.cluster.objects.pods import TERMINAL, WAITING_TO_CREATE
from emulator.cluster.store import DELETED
from emulator.domain.timefmt import SECOND

__all__ = ["Disturb", "Kubelet", "Refusal", "RegistryState", "SlowStart"]

#: How containerd describes a container that its machine's end took along.
LOST, LOST_REASON = 255, "Unknown"


class Kubelet:
    """Every node's kubelet."""

    def __init__(self, cluster: Cluster, deletion: Deletion) -> None:
        self._cluster = cluster
        self._deletion = deletion
        self._booted: dict[str, int] = {}
        self.addresses = AddressAllocator(cluster.settings.pod_range)
        self.disturb = Disturb()
        self._status = status = Status(cluster)
        self._pulls = Pulls(cluster, self.disturb.registry)
        self._images = Images(cluster, status, self._pulls, self._create)
        self._containers = Containers(
            cluster, status, self.disturb, self._images.ensure, deletion.finish_pod
        )
        self._probing = Probing(cluster, status, self._booted, self._containers.probe_failed)
        self._containers.probing = self._probing
        cluster.store.on("Pod", self._heard)

    def _create(self, pod: Pod) -> None:
        self._containers.create(pod)

    # -- what is heard ---------------------------------------------------------------------------

    def _heard(self, op: str, pod: Pod) -> None:
        node = pod.node
        if node is None:
            return
        if op == DELETED:
            self._clean_up(pod)
        elif not node.up or pod.phase in TERMINAL:
            return
        elif pod.deleted_at is not None:
            if pod.stopping is None:
                pod.stopping = pod.grace
                self._soon(pod, "end", self._terminate)
            elif pod.grace is not None and pod.grace < pod.stopping:
                pod.stopping = pod.grace
                self._soon(pod, "end", self._hurry)
        elif pod.started is None and "admit" not in pod.timers:
            self._soon(pod, "admit", self._admit)

    def _soon(self, pod: Pod, name: str, fn: Callable[[Pod], None]) -> None:
        """Acts when the change has reached the node."""
        cluster = self._cluster
        if name in pod.timers:
            pod.cancel(name)
        pod.timers[name] = cluster.kernel.call_in(cluster.lag(), partial(fn, pod))

    def _admit(self, pod: Pod) -> None:
        """Begins the life of a pod that has just got its node."""
        pod.timers.pop("admit", None)
        cluster = self._cluster
        pod.started = cluster.kernel.now
        if pod.template.node_name and not pod.booked:
            self._status.rejected(pod)
            return
        pod.state = WAITING_TO_CREATE
        try:
            pod.ip = self.addresses.allocate(cluster.stream(pod.name, "ip"))
        except RangeFull:
            self._status.admitted(pod)
            self._no_sandbox(pod)
            return
        self._status.admitted(pod)
        self._images.ensure(pod)

    def _no_sandbox(self, pod: Pod) -> None:
        """There is no address for the pod: says so, and tries again at the pod worker's next sync."""
        cluster, addresses = self._cluster, self.addresses
        stream = cluster.stream(f"{pod.name}/{cluster.now}", "sandbox")
        sandbox = stream.hex(64)
        self._status.say(
            pod,
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network"
            f' for sandbox "{sandbox}": plugin type="bridge" failed (add): failed to allocate for'
            " range 0: no IP addresses available in range set:"
            f" {addresses.first}-{addresses.last}",
            warning=True,
        )
        pod.timers["sandbox"] = cluster.kernel.call_in(
            jittered(RETRY, stream), partial(self._make_sandbox, pod)
        )

    def _make_sandbox(self, pod: Pod) -> None:
        """Another try, for a pod without an address."""
        pod.timers.pop("sandbox", None)
        try:
            pod.ip = self.addresses.allocate(self._cluster.stream(pod.name, "ip"))
        except RangeFull:
            self._no_sandbox(pod)
            return
        self._status.sandbox_made(pod)
        self._images.ensure(pod)

    # -- the end ---------------------------------------------------------------------------------

    def _terminate(self, pod: Pod) -> None:
        """Stops a pod's container, and then lets the pod go."""
        if pod.state.phase != "running" or pod.process is None:  # a reboot took it
            self._deletion.finish_pod(pod)
            return
        pod.timers.pop("end", None)
        self._probing.terminating(pod)
        self._status.say(pod, "Killing", f"Stopping container {pod.template.container}")
        if "stop" not in pod.timers:
            self._containers.stop(pod, (pod.grace or 0) * SECOND)
        else:  # a probe has it stopped already, maybe with a longer grace
            self._containers.hurry(pod, (pod.grace or 0) * SECOND)

    def _hurry(self, pod: Pod) -> None:
        """The grace was made shorter while the container stops: SIGKILL comes sooner."""
        pod.timers.pop("end", None)
        if pod.state.phase == "running":
            self._containers.hurry(pod, (pod.grace or 0) * SECOND)

    def _clean_up(self, pod: Pod) -> None:
        """The pod is gone."""
        self._leave(pod)
        self._containers.let_go(pod)
        if pod.ip:
            self.addresses.release(pod.ip)

    def _leave(self, pod: Pod) -> None:
        """Nothing of the pod goes on by itself."""
        pod.cancel()
        self._probing.end(pod)
        self._images.forget(pod)

    # -- nodes that go and come ------------------------------------------------------------------

    def node_lost(self, node: Node) -> None:
        """The machine is down: its processes are gone, nobody reports anything."""
        self._booted.pop(node.name, None)
        self._pulls.node_lost(node)
        for pod in tuple(node.pods.values()):
            if not pod.removed:
                self._leave(pod)
                self._containers.let_go(pod)

    def node_back(self, node: Node) -> None:
        """The machine has booted; its kubelet takes up what is on it."""
        self._booted[node.name] = self._cluster.now
        for pod in tuple(node.pods.values()):
            if not pod.removed and pod.phase not in TERMINAL:
                self._soon(pod, "admit", self._take_up)

    def _take_up(self, pod: Pod) -> None:
        pod.timers.pop("admit", None)
        pod.crash, pod.pull = Backoff(), Backoff()  # the kubelet's memory, not the API's
        if pod.deleted_at is not None:
            self._deletion.finish_pod(pod)
        elif pod.started is None:
            self._admit(pod)
        elif not pod.ip:
            self._make_sandbox(pod)
        elif pod.state.phase == "running":
            self._status.say(
                pod, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created."
            )
            self._containers.ended(pod, LOST, LOST_REASON)
        elif pod.last is not None:
            self._status.report(pod, pod.phase, False)
            self._containers.restart(pod)
        else:
            self._status.report(pod, pod.phase, False)
            self._images.ensure(pod)

    # -- what faults and tests do ----------------------------------------------------------------

    def kill(self, pod: Pod, code: int, reason: str = "Error") -> None:
        """Ends the pod's container with that code; nothing where none runs."""
        node = pod.node
        if node is not None and node.up and not pod.removed and pod.state.phase == "running":
            self._containers.ended(pod, code, reason)

    def oom(self, pod: Pod) -> None:
        """The kernel kills the pod's container for its memory; nothing where none runs."""
        self.kill(pod, KILLED, OOM)

    def probe_answers(self, pod: Pod, kind: str, ok: bool, *, hangs: bool = False) -> None:
        """Makes a probe (startup, readiness, liveness) fail, or gives it back its own answer (`ok`).

        `hangs`: it fails at its timeout. It holds for this pod, restarts included, until `ok`.
        """
        failing = {} if pod.failing is None else pod.failing
        if ok:
            failing.pop(kind, None)
        else:
            failing[kind] = hangs
        pod.failing = failing or None
        self._probing.changed(pod, kind)
