"""The image manager: has a pod's image on its node, or says why not and tries again.

Rules: the name is checked, then whether the image is there, then the pull policy; a pull that failed is
tried again when the pod worker looks after the back-off (10 s doubling to 300 s from each failure). The
first failure turns into ImagePullBackOff with the sandbox's own sync, later ones at the next look; every
look inside the window says so again. A name that no engine takes is complained about at every sync (the
mean of its jitter, 12.5 s) and so is an image that must be there and is not, until it comes.
Source: Kubernetes facts section 6.2; kubernetes pkg/kubelet/images/image_manager.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial

from emulator.cluster.backoff import RETRY, Backoff, jittered, pull_looks
from emulator.cluster.context import Cluster
from emulator.cluster.kubelet.pulls import Pull, Pulls
from emulator.cluster.kubelet.status import Status
from emulator.cluster.objects import Node, Pod
from emulator.cluster.objects.pods import WAITING_TO_CREATE
from emulator.cluster.texts import go_duration
from emulator.domain.kube import ContainerState
from emulator.domain.timefmt import SECOND

#: The time in which the kubelet's event loop sees what has become of a container (PLEG's relist).
RELIST = SECOND
_SYNC = RETRY + RETRY // 4
_END = 2**62

_REFERENCE = re.compile(
    r"(?:[a-zA-Z0-9.-]+(?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


@lru_cache(maxsize=4096)
def valid_reference(image: str) -> bool:
    """Whether an engine would accept this as an image's name."""
    return _REFERENCE.fullmatch(image) is not None


class Images:
    """Every kubelet's image manager; `have` is called with a pod whose image is there."""

    def __init__(
        self, cluster: Cluster, status: Status, pulls: Pulls, have: Callable[[Pod], None]
    ) -> None:
        self._cluster = cluster
        self._status = status
        self._pulls = pulls
        self._have = have
        self._pulling: dict[Pod, Pull] = {}
        self._absent: dict[Pod, str] = {}

    def ensure(self, pod: Pod) -> None:
        """Gets the pod's image; the pod's container is waiting."""
        template, node = pod.template, pod.node
        assert node is not None
        image, policy = template.image, template.pull_policy
        if not valid_reference(image):
            self._invalid(pod, image)
            return
        present = image in node.images
        if present and policy != "Always":
            note = f'Container image "{image}" already present on machine and can be accessed by the pod'
            self._status.say(pod, "Pulled", note)
            self._have(pod)
        elif policy == "Never":
            self._never(pod, image)
        else:
            self._status.say(pod, "Pulling", f'Pulling image "{image}"')
            self._pulling[pod] = self._pulls.ask(node, image, pod.name, partial(self._pulled, pod))

    def forget(self, pod: Pod) -> None:
        """The pod waits for no image any more: it is on its way out, or its node is lost."""
        self._absent.pop(pod, None)
        pull = self._pulling.pop(pod, None)
        if pull is not None:
            self._pulls.forget(pull)
        self._silence(pod)

    def _silence(self, pod: Pod) -> None:
        if pod.streak is not None:
            streak, pod.streak = pod.streak, None
            self._status.fall_silent(pod, streak, self._cluster.now)

    # -- images that cannot be had ---------------------------------------------------------------

    def _invalid(self, pod: Pod, image: str) -> None:
        text = (
            f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
            "invalid reference format"
        )
        self._status.say(pod, "InspectFailed", text, warning=True)
        self._refuse(pod, "InvalidImageName", text, "InspectFailed")

    def _never(self, pod: Pod, image: str) -> None:
        text = f'Container image "{image}" is not present with pull policy of Never'
        self._status.say(pod, "ErrImageNeverPull", text, warning=True)
        self._refuse(pod, "ErrImageNeverPull", text, "ErrImageNeverPull")
        self._absent[pod] = image

    def _refuse(self, pod: Pod, waiting: str, text: str, reason: str) -> None:
        """The end of the road, said again at every sync."""
        note = f"Error: {waiting}"
        self._status.say(pod, "Failed", note, warning=True)
        first = self._cluster.now + _SYNC
        pod.streak = self._status.repeat(
            pod, ((reason, text), ("Failed", note)), range(first, _END, _SYNC)
        )
        self._wait(pod, waiting, text)

    def _arrived(self, node: Node, image: str) -> None:
        """An image has come to a node: those that may not pull it find it at their next sync."""
        cluster = self._cluster
        for pod in tuple(self._absent):
            if pod.node is node and self._absent[pod] == image:
                del self._absent[pod]
                delay = jittered(RETRY, cluster.stream(f"{pod.name}/{cluster.now}", "sync"))
                pod.timers["pull"] = cluster.kernel.call_in(delay, partial(self._try_again, pod))

    # -- pulls -----------------------------------------------------------------------------------

    def _pulled(self, pod: Pod, pull: Pull) -> None:
        self._pulling.pop(pod, None)
        image = pull.image
        if pull.error:
            self._failed(pod, image, pull.error)
            return
        if pod.pull.length:
            pod.pull = Backoff()
        took, waited = go_duration(pull.took), go_duration(pull.waited)
        self._status.say(
            pod,
            "Pulled",
            f'Successfully pulled image "{image}" in {took} ({waited} including waiting). '
            f"Image size: {pull.size} bytes.",
        )
        if pod.state is not WAITING_TO_CREATE:
            self._silence(pod)
            pod.state = WAITING_TO_CREATE
        if self._absent:
            self._arrived(pull.node, image)
        self._have(pod)

    def _failed(self, pod: Pod, image: str, error: str) -> None:
        cluster, kernel = self._cluster, self._cluster.kernel
        self._status.say(pod, "Failed", f'Failed to pull image "{image}": {error}', warning=True)
        self._status.say(pod, "Failed", "Error: ErrImagePull", warning=True)
        first = not pod.pull.length
        nominal = pod.pull.failed_pull(cluster.now)
        stream = cluster.stream(f"{pod.name}/{cluster.now}", "pull-backoff")
        looks = [cluster.now + look for look in pull_looks(nominal, stream)]
        sync = cluster.now + jittered(RELIST, stream) if first else looks[0]
        if sync < looks[-1]:
            later = [look for look in looks[:-1] if look > sync]
            pod.timers["sync"] = kernel.call_at(sync, partial(self._back_off, pod, error, later))
        pod.timers["pull"] = kernel.call_at(looks[-1], partial(self._try_again, pod))
        self._wait(pod, "ErrImagePull", error)

    def _back_off(self, pod: Pod, error: str, looks: list[int]) -> None:
        del pod.timers["sync"]
        text = f'Back-off pulling image "{pod.template.image}"'
        self._status.say(pod, "BackOff", text)
        self._status.say(pod, "Failed", "Error: ImagePullBackOff", warning=True)
        pod.streak = self._status.repeat(
            pod, (("BackOff", text), ("Failed", "Error: ImagePullBackOff")), looks
        )
        self._wait(pod, "ImagePullBackOff", f"{text}: ErrImagePull: {error}")

    def _try_again(self, pod: Pod) -> None:
        del pod.timers["pull"]
        self._silence(pod)
        self.ensure(pod)

    def _wait(self, pod: Pod, reason: str, message: str) -> None:
        pod.state = ContainerState("waiting", reason, message)
        self._status.report(pod, pod.phase, False)
