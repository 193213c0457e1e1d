"""What an administrator sets: quotas, limits of containers, priority classes.

Rules: a quota's `hard` and `used` are integers by resource name (millicores, bytes, units); `texts` are
the hard amounts as they were written. A LimitRange keeps quantities as written, in canonical form.
Source: Kubernetes facts section 5; the API's ResourceQuota, LimitRange and PriorityClass.
"""

from __future__ import annotations

from typing import ClassVar

from emulator.cluster.objects.stored import Stored

Quantities = dict[str, str]


class ResourceQuota(Stored):
    """A ResourceQuota; `binary` holds what is counted and was asked for in Ki, Mi or Gi."""

    __slots__ = ("binary", "hard", "texts", "used")

    kind: ClassVar[str] = "ResourceQuota"

    def __init__(self, name: str, namespace: str, now: int) -> None:
        super().__init__(name, namespace, now)
        self.hard: dict[str, int] = {}
        self.texts: Quantities = {}
        self.used: dict[str, int] = {}
        self.binary: dict[str, bool] = {}


class LimitRange(Stored):
    """The limits of the containers of a namespace: defaults, least and most."""

    __slots__ = ("default", "default_request", "maximum", "minimum")

    kind: ClassVar[str] = "LimitRange"

    def __init__(self, name: str, namespace: str, now: int) -> None:
        super().__init__(name, namespace, now)
        self.default: Quantities = {}
        self.default_request: Quantities = {}
        self.minimum: Quantities = {}
        self.maximum: Quantities = {}


class PriorityClass(Stored):
    """A PriorityClass; `preempts` is false for the policy Never."""

    __slots__ = ("is_default", "preempts", "value")

    kind: ClassVar[str] = "PriorityClass"

    def __init__(
        self, name: str, now: int, value: int, *, is_default: bool, preempts: bool
    ) -> None:
        super().__init__(name, "", now)
        self.value = value
        self.is_default = is_default
        self.preempts = preempts
