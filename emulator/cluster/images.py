"""Image pulls: how long they take, and how they fail.

Rules: a node pulls one image at a time (Kubernetes' default); a pull takes the registry's latency and
the size over the bandwidth, and only the latency when an earlier pull brings the image; an image that
the registry refuses fails after the latency. Names are checked as container engines check them.
Source: Kubernetes facts section 6.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from emulator.cluster.context import Cluster
from emulator.cluster.kernel import Timer
from emulator.cluster.objects import Node
from emulator.domain.timefmt import SECOND

_REFERENCE = re.compile(
    r"(?:[a-zA-Z0-9.-]+(?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


def valid_reference(image: str) -> bool:
    """Whether an engine would accept this as an image's name."""
    return _REFERENCE.fullmatch(image) is not None


@dataclass(frozen=True, slots=True)
class Pull:
    """How a pull ended. `error` is empty when it went well; `took` leaves out the waiting."""

    took: int
    waited: int
    size: int
    error: str = ""


class Images:
    """The pulls of every node."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def pull(self, node: Node, image: str, who: str, done: Callable[[Pull], None]) -> Timer:
        """Queues a pull on the node; `done` is called when it has ended."""
        cluster = self._cluster
        registry = cluster.settings.registry
        entry = registry.find(image)
        size = entry.size if entry.size is not None else registry.size
        took = registry.latency.sample(cluster.stream(who, "registry"))
        error = ""
        if entry.error:
            error = f'failed to pull and unpack image "{image}": {entry.error}'
        elif image not in node.queued:
            took += size * SECOND // registry.bandwidth
            node.queued.add(image)
        begin = max(cluster.now, node.pull_free)
        end = node.pull_free = begin + took
        if not error:
            # The engine goes on when the pod that asked is gone.
            cluster.kernel.call_at(end, lambda: node.images.add(image))
        pull = Pull(took, end - cluster.now, size, error)
        return cluster.kernel.call_at(end, lambda: done(pull))
