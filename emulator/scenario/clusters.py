"""The `cluster` and `registry` sections of a scenario file, and the settings that they make.

Rules: every default is that of `emulator.cluster.settings`. Durations are nanoseconds, cpu millicores,
sizes bytes. A client's rate is `{qps: 20, burst: 30}`, or `off` for none.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from emulator.cluster import settings
from emulator.domain.timefmt import SECOND
from emulator.scenario.fields import (
    Bytes,
    Cpu,
    Delay,
    Duration,
    Items,
    Label,
    Maybe,
    Model,
    Network,
    Pattern,
    QuantityText,
    Size,
    Span,
    Text,
    form,
)

_CLUSTER = settings.ClusterSettings()
_POOL = settings.NodePool()

_LABEL_NAME = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = re.compile(rf"([a-z0-9]([a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_LABEL_NAME}")
_LABEL_VALUE = re.compile(rf"({_LABEL_NAME})?")

Count = Annotated[int, Field(ge=0, le=10_000)]
Positive = Annotated[int, Field(ge=1, le=1_000_000)]
LabelKey = Annotated[str, form(_LABEL_KEY.fullmatch, "a label's key, like example.com/disk")]
LabelValue = Annotated[
    str, form(_LABEL_VALUE.fullmatch, "a label's value: at most 63 letters, digits, -, _ and .")
]


class Taint(Model):
    """A taint of every node of a pool."""

    key: LabelKey
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class NodePool(Model):
    """`count` nodes alike: cpu in millicores, memory and disk in bytes, gpu and pods in units.

    `images` are on the nodes from the beginning.
    """

    name: Label
    count: Count = _POOL.count
    cpu: Cpu = _POOL.cpu
    memory: Bytes = _POOL.memory
    disk: Bytes = _POOL.disk
    gpu: Count = _POOL.gpu
    pods: Annotated[int, Field(ge=1, le=10_000)] = _POOL.pods
    zone: LabelValue = _POOL.zone
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    taints: Items[Taint] = ()
    images: Items[Text] = ()

    def settings(self) -> settings.NodePool:
        """The pool as the cluster wants it."""
        return settings.NodePool(
            name=self.name,
            count=self.count,
            cpu=self.cpu,
            memory=self.memory,
            disk=self.disk,
            gpu=self.gpu,
            pods=self.pods,
            zone=self.zone,
            labels=self.labels,
            taints=tuple((each.key, each.value, each.effect) for each in self.taints),
            images=self.images,
        )


def _some(pools: tuple[NodePool, ...]) -> tuple[NodePool, ...]:
    if not pools:
        raise PydanticCustomError(
            "empty", "the list is empty", {"mend": "name a pool, or remove the key"}
        )
    return pools


class ClientRate(Model):
    """A client's token bucket: `qps` requests a second, `burst` at once."""

    qps: Positive
    burst: Positive


def _rate(value: object) -> object:
    if value is None:
        raise PydanticCustomError("nothing", "nothing is given")
    return None if value == "off" else value


#: A client's rate, None where it is `off`.
Rate = Annotated[ClientRate | None, BeforeValidator(_rate)]


def _default(rate: settings.ClientRate | None) -> ClientRate | None:
    return ClientRate(qps=rate.qps, burst=rate.burst) if rate else None


def _settings_rate(rate: ClientRate | None) -> settings.ClientRate | None:
    return settings.ClientRate(rate.qps, rate.burst) if rate else None


class Distances(Model):
    """What a message between a load's clients and a pod takes; between zones that much more."""

    delay: Duration = _CLUSTER.network.delay
    between_zones: Duration = _CLUSTER.network.between_zones


Quantities = dict[Text, QuantityText]


class Quota(Model):
    """A ResourceQuota: `hard` limits pods, requests.cpu and the like in a namespace."""

    name: Label
    hard: Quantities
    namespace: Maybe[Label] = None

    def settings(self) -> settings.QuotaSpec:
        """The quota as the cluster wants it."""
        return settings.QuotaSpec(self.name, self.hard, self.namespace or "")


class LimitRange(Model):
    """A LimitRange for containers; `default` are limits, `default_request` requests."""

    name: Label
    default: Quantities = Field(default_factory=dict)
    default_request: Quantities = Field(default_factory=dict)
    min: Quantities = Field(default_factory=dict)
    max: Quantities = Field(default_factory=dict)
    namespace: Maybe[Label] = None

    def settings(self) -> settings.LimitRangeSpec:
        """The limit range as the cluster wants it."""
        return settings.LimitRangeSpec(
            name=self.name,
            default=self.default,
            default_request=self.default_request,
            minimum=self.min,
            maximum=self.max,
            namespace=self.namespace or "",
        )


class PriorityClass(Model):
    """A PriorityClass; with `preempts` its pods may take the place of lesser ones."""

    name: Label
    value: Annotated[int, Field(ge=-(2**31), le=1_000_000_000)]
    default: bool = False
    preempts: bool = True

    def settings(self) -> settings.PriorityClassSpec:
        """The class as the cluster wants it."""
        return settings.PriorityClassSpec(self.name, self.value, self.default, self.preempts)


class Cluster(Model):
    """The simulated cluster.

    `start` is the time from a pulled image to a running container, `stop` from SIGTERM to a
    container's end, `balancer` from a LoadBalancer Service to its address, `api_latency` that of a
    request to the API, `reaction` from a change to the controller that acts on it,
    `progress_deadline` how long a Deployment may take to become ready. The rates are those of the
    controller manager's and the scheduler's clients.
    """

    namespace: Label = _CLUSTER.namespace
    service_range: Network = IPv4Network(_CLUSTER.service_range)
    pod_range: Network = IPv4Network(_CLUSTER.pod_range)
    balancer_range: Network = IPv4Network(_CLUSTER.balancer_range)
    nodes: Annotated[Items[NodePool], AfterValidator(_some)] = (NodePool(name=_POOL.name),)
    quotas: Items[Quota] = ()
    limit_ranges: Items[LimitRange] = ()
    priority_classes: Items[PriorityClass] = ()
    network: Distances = Distances()
    start: Delay = _CLUSTER.start
    stop: Delay = _CLUSTER.stop
    balancer: Delay = _CLUSTER.balancer
    api_latency: Delay = _CLUSTER.api_latency
    reaction: Duration = _CLUSTER.reaction
    controller_rate: Rate = _default(_CLUSTER.controller_rate)
    scheduler_rate: Rate = _default(_CLUSTER.scheduler_rate)
    progress_deadline: Span = 600 * SECOND


class ImageRule(Model):
    """What the registry says of images that match `image` (fnmatch): a size in bytes, an error."""

    image: Pattern
    size: Maybe[Size] = None
    error: Maybe[Text] = None


class Registry(Model):
    """Where images come from: a delay before the first byte, bytes a second, bytes an image.

    `bandwidth` is what one pull gets, `shared` what all pulls get together. `rate` is that of each
    node's pulls.
    """

    latency: Delay = _CLUSTER.registry.latency
    bandwidth: Bytes = _CLUSTER.registry.bandwidth
    shared: Maybe[Bytes] = _CLUSTER.registry.shared
    rate: Rate = _default(_CLUSTER.registry.rate)
    size: Size = _CLUSTER.registry.size
    images: Items[ImageRule] = ()

    def settings(self) -> settings.Registry:
        """The registry as the cluster wants it."""
        return settings.Registry(
            latency=self.latency,
            bandwidth=self.bandwidth,
            shared=self.shared,
            rate=_settings_rate(self.rate),
            size=self.size,
            images=tuple(
                settings.Image(rule.image, rule.size, rule.error or "") for rule in self.images
            ),
        )


def cluster_settings(
    cluster: Cluster, registry: Registry, epoch: int = 0
) -> settings.ClusterSettings:
    """The simulated cluster as its model wants it; `epoch` is Unix nanoseconds."""
    return settings.ClusterSettings(
        namespace=cluster.namespace,
        service_range=str(cluster.service_range),
        pod_range=str(cluster.pod_range),
        balancer_range=str(cluster.balancer_range),
        pools=tuple(pool.settings() for pool in cluster.nodes),
        registry=registry.settings(),
        quotas=tuple(each.settings() for each in cluster.quotas),
        limit_ranges=tuple(each.settings() for each in cluster.limit_ranges),
        priority_classes=tuple(each.settings() for each in cluster.priority_classes),
        network=settings.Network(cluster.network.delay, cluster.network.between_zones),
        start=cluster.start,
        stop=cluster.stop,
        balancer=cluster.balancer,
        api_latency=cluster.api_latency,
        reaction=cluster.reaction,
        controller_rate=_settings_rate(cluster.controller_rate),
        scheduler_rate=_settings_rate(cluster.scheduler_rate),
        epoch=epoch,
    )
