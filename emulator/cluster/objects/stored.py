"""What every object of the store has: identity, version, owner, and the way out.

Rules: `version` is written by the store alone; `removed` is true once the object has left it. An
object that belongs to a workload of the platform knows its `group`. `key` is `namespace/name`, or
the name alone of an object that belongs to no namespace. `manifest` is the object as its
maker wrote it, defaults filled in (None where the simulation made it); it is never changed in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from emulator.domain.kube import Condition, Object

if TYPE_CHECKING:
    from emulator.cluster.objects.workloads import Group

NO_LABELS: dict[str, str] = {}


class Stored:
    """An object of the store."""

    __slots__ = (
        "created",
        "deleted_at",
        "generation",
        "grace",
        "group",
        "key",
        "labels",
        "manifest",
        "name",
        "namespace",
        "owner",
        "removed",
        "version",
    )

    kind: ClassVar[str] = ""

    def __init__(
        self,
        name: str,
        namespace: str,
        now: int,
        *,
        labels: dict[str, str] | None = None,
        group: Group | None = None,
        owner: Stored | None = None,
        manifest: Object | None = None,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.key = f"{namespace}/{name}" if namespace else name
        self.created = now
        self.version = 0
        self.generation = 1
        self.labels = NO_LABELS if labels is None else labels
        self.owner = owner
        self.group = group
        self.manifest = manifest
        self.deleted_at: int | None = None
        self.grace: int | None = None
        self.removed = False

    @property
    def terminating(self) -> bool:
        """Whether its deletion has been asked for."""
        return self.deleted_at is not None


class Conditioned(Stored):
    """Something with conditions, as Kubernetes keeps them."""

    __slots__ = ("conditions",)

    def __init__(
        self,
        name: str,
        namespace: str,
        now: int,
        *,
        labels: dict[str, str] | None = None,
        group: Group | None = None,
        owner: Stored | None = None,
        manifest: Object | None = None,
    ) -> None:
        super().__init__(
            name, namespace, now, labels=labels, group=group, owner=owner, manifest=manifest
        )
        self.conditions: dict[str, Condition] = {}

    def set_condition(
        self, kind: str, status: str, now: int, reason: str = "", text: str = ""
    ) -> bool:
        """Sets a condition; its time moves only when its status does. Says whether it differs."""
        old = self.conditions.get(kind)
        if old is None:
            self.conditions[kind] = Condition(kind, status, now, reason, text)
            return True
        if old.status == status and old.reason == reason and old.message == text:
            return False
        since = old.since if old.status == status else now
        self.conditions[kind] = Condition(kind, status, since, reason, text)
        return True
