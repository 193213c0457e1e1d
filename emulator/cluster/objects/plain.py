"""Objects that the cluster only keeps: namespaces, and what pods would mount.

Rules: such an object is its manifest; nothing in the simulation acts on it, but a namespace holds
what is in it, and goes after it.
"""

from __future__ import annotations

from typing import ClassVar

from emulator.cluster.objects.stored import Stored


class Namespace(Stored):
    """A namespace."""

    __slots__ = ()

    kind: ClassVar[str] = "Namespace"


class Secret(Stored):
    """A Secret, kept as it is."""

    __slots__ = ()

    kind: ClassVar[str] = "Secret"


class ConfigMap(Stored):
    """A ConfigMap, kept as it is."""

    __slots__ = ()

    kind: ClassVar[str] = "ConfigMap"
