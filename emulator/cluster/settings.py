"""What a simulated cluster is made of: sizes, speeds and delays, with their defaults.

Rules: every number that shapes the simulation is here, with its unit and its source; the scenario and
the command line fill these in, nothing else holds a default of its own.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field

from emulator.cluster.distributions import Constant, Distribution
from emulator.domain.timefmt import MILLISECOND, SECOND

GPU = "nvidia.com/gpu"
MEBIBYTE = 2**20
GIBIBYTE = 2**30


@dataclass(frozen=True, slots=True)
class NodePool:
    """`count` nodes alike. cpu in millicores, memory and disk in bytes, gpu and pods in units."""

    name: str = "node"
    count: int = 3
    cpu: int = 16_000
    memory: int = 64 * GIBIBYTE
    disk: int = 500 * GIBIBYTE
    gpu: int = 2
    pods: int = 110


@dataclass(frozen=True, slots=True)
class Image:
    """What the registry says of the images that match a pattern: a size in bytes, or an error."""

    pattern: str
    size: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """Where images come from: a delay before the first byte, and a bandwidth in bytes a second."""

    latency: Distribution = field(default_factory=lambda: Constant(200 * MILLISECOND))
    bandwidth: int = 50 * MEBIBYTE
    size: int = 50 * MEBIBYTE
    images: tuple[Image, ...] = ()

    def find(self, image: str) -> Image:
        """The first entry that matches, else an image of the default size."""
        for entry in self.images:
            if fnmatch.fnmatchcase(image, entry.pattern):
                return entry
        return Image(image)


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """A cluster. Times are nanoseconds.

    `start` is the time from a pulled image to a running container, `stop` from the SIGTERM of a
    container to its end, `balancer` from a LoadBalancer Service to its address.
    """

    namespace: str = "digitalhub"
    service_range: str = "172.16.0.0/12"
    pod_range: str = "10.240.0.0/12"
    balancer_range: str = "198.18.0.0/15"
    pools: tuple[NodePool, ...] = (NodePool(),)
    registry: Registry = field(default_factory=Registry)
    start: Distribution = field(default_factory=lambda: Constant(300 * MILLISECOND))
    stop: Distribution = field(default_factory=lambda: Constant(100 * MILLISECOND))
    balancer: Distribution = field(default_factory=lambda: Constant(5 * SECOND))
    api_latency: Distribution = field(default_factory=lambda: Constant(10 * MILLISECOND))
    epoch: int = 0
