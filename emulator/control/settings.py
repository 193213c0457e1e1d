"""What the control plane is told: profile, names, periods.

Rules: periods are nanoseconds; every default has its source here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from emulator.domain.kube import Object
from emulator.domain.quirks import DOCUMENTED, Profile
from emulator.domain.timefmt import SECOND


@dataclass(frozen=True, slots=True)
class ResourceProfile:
    """A profile that runs may name: what it asks for, as Kubernetes quantities, and where it goes.

    `affinity` and `tolerations` are as a pod's spec has them.
    """

    cpu: str = ""
    mem: str = ""
    gpu: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Object | None = None
    tolerations: tuple[Object, ...] = ()
    runtime_class: str = ""
    priority_class: str = ""


DEFAULT_PROFILES: Mapping[str, ResourceProfile] = {
    "1xgpu": ResourceProfile(gpu="1"),
    "2xgpu": ResourceProfile(gpu="2"),
    "large": ResourceProfile(cpu="4", mem="16Gi"),
}


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Settings of the control plane.

    `poll` and `watch` are the platform's: a poll every 10 s, at most one refresh a second and run
    after a watch event (contract section 3.5). `deadline` is the Deployment's progress deadline in
    seconds. `app` is the sanitised application name of the labels.
    """

    profile: Profile = DOCUMENTED
    namespace: str = "digitalhub"
    app: str = "digitalhub"
    user: str = "anonymous"
    endpoint: str = ""
    epoch: int = 0
    poll: int = 10 * SECOND
    watch: int = SECOND
    deadline: int = 600
    profiles: Mapping[str, ResourceProfile] = field(default_factory=lambda: DEFAULT_PROFILES)


class Ids(Protocol):
    """Where new ids and names come from: the control plane has no dice of its own."""

    def id(self) -> str:
        """32 hex digits."""

    def name(self) -> str:
        """`adjective-animal`."""
