"""What a simulated cluster is made of: sizes, speeds and delays, with their defaults.

Rules: every number that shapes the simulation is here, with its unit and its source; the scenario and
the command line fill these in, nothing else holds a default of its own.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field

from emulator.cluster.distributions import Constant, Distribution
from emulator.domain.timefmt import MILLISECOND, SECOND

GPU = "nvidia.com/gpu"
MEBIBYTE = 2**20
GIBIBYTE = 2**30


@dataclass(frozen=True, slots=True)
class ClientRate:
    """A client's token bucket: `qps` requests a second, `burst` at once."""

    qps: int
    burst: int


@dataclass(frozen=True, slots=True)
class NodePool:
    """`count` nodes alike. cpu in millicores, memory and disk in bytes, gpu and pods in units.

    `taints` are (key, value, effect); `zone` is empty where the nodes are in none; `images` are there
    from the beginning.
    """

    name: str = "node"
    count: int = 3
    cpu: int = 16_000
    memory: int = 64 * GIBIBYTE
    disk: int = 500 * GIBIBYTE
    gpu: int = 2
    pods: int = 110
    zone: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[tuple[str, str, str], ...] = ()
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """What the registry says of the images that match a pattern: a size in bytes, or an error."""

    pattern: str
    size: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """Where images come from: a delay before the first byte, and a bandwidth in bytes a second.

    `bandwidth` is what one pull gets at most; `shared` is what all nodes' pulls together get, in equal
    parts (None: no limit). `rate` is every kubelet's own (registryPullQPS, registryBurst).
    """

    latency: Distribution = field(default_factory=lambda: Constant(200 * MILLISECOND))
    bandwidth: int = 50 * MEBIBYTE
    size: int = 50 * MEBIBYTE
    images: tuple[Image, ...] = ()
    shared: int | None = None
    rate: ClientRate | None = ClientRate(5, 10)

    def find(self, image: str) -> Image:
        """The first entry that matches, else an image of the default size."""
        for entry in self.images:
            if fnmatch.fnmatchcase(image, entry.pattern):
                return entry
        return Image(image)


@dataclass(frozen=True, slots=True)
class Network:
    """What a message between a client and a pod takes, in nanoseconds.

    `between_zones` comes on top of `delay` where both are in a zone, and not in the same one.
    """

    delay: int = 0
    between_zones: int = 0


@dataclass(frozen=True, slots=True)
class QuotaSpec:
    """A ResourceQuota: `hard` maps what is limited (`pods`, `requests.cpu`...) to a quantity.

    An empty namespace is the cluster's own; so in `LimitRangeSpec`.
    """

    name: str
    hard: Mapping[str, str]
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class LimitRangeSpec:
    """A LimitRange for containers: quantities by resource. `default` are limits."""

    name: str
    default: Mapping[str, str] = field(default_factory=dict)
    default_request: Mapping[str, str] = field(default_factory=dict)
    minimum: Mapping[str, str] = field(default_factory=dict)
    maximum: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class PriorityClassSpec:
    """A PriorityClass; `is_default` is for pods that name none, `preempts` is its preemptionPolicy."""

    name: str
    value: int
    is_default: bool = False
    preempts: bool = True


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """A cluster. Times are nanoseconds.

    `start` is the time from a pulled image to a running container, `stop` from the SIGTERM of a
    container to its end, `balancer` from a LoadBalancer Service to its address, `reaction` from a
    change in the API server to the controller that acts on it (recorded: 10 to 20 ms). The rates are
    those of the controller manager's and the scheduler's clients; None lifts one.
    """

    namespace: str = "digitalhub"
    service_range: str = "172.16.0.0/12"
    pod_range: str = "10.240.0.0/12"
    balancer_range: str = "198.18.0.0/15"
    pools: tuple[NodePool, ...] = (NodePool(),)
    registry: Registry = field(default_factory=Registry)
    start: Distribution = field(default_factory=lambda: Constant(300 * MILLISECOND))
    stop: Distribution = field(default_factory=lambda: Constant(100 * MILLISECOND))
    network: Network = field(default_factory=Network)
    balancer: Distribution = field(default_factory=lambda: Constant(5 * SECOND))
    api_latency: Distribution = field(default_factory=lambda: Constant(10 * MILLISECOND))
    reaction: int = 10 * MILLISECOND
    controller_rate: ClientRate | None = ClientRate(20, 30)
    scheduler_rate: ClientRate | None = ClientRate(50, 100)
    quotas: tuple[QuotaSpec, ...] = ()
    limit_ranges: tuple[LimitRangeSpec, ...] = ()
    priority_classes: tuple[PriorityClassSpec, ...] = ()
    epoch: int = 0
