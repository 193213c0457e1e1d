"""Entities as the control plane holds them and as the wire shows them.

Rules: `wire()` has the platform's properties in alphabetical order, nulls left out (contract section
2.1); times inside are nanoseconds since the world began. A run's status is built when asked for, from
what is known of it; it is stored nowhere.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from emulator.domain import names
from emulator.domain.health import Health, health, message
from emulator.domain.kinds import ServeKind
from emulator.domain.kube import EventRecord, Observation
from emulator.domain.lifecycle import IN_TRANSITION, State
from emulator.domain.quirks import Profile, Quirk
from emulator.domain.status import Facts, Moment, build_status
from emulator.domain.timefmt import iso
from emulator.platform import ContainerLog, Workload


class Type(StrEnum):
    """The types of entities, as the wire names them in the singular."""

    PROJECT = "project"
    FUNCTION = "function"
    TASK = "task"
    RUN = "run"


_CLIENT_METADATA = ("description", "labels", "version", "embedded", "relationships")


class Entity:
    """A project, a function or a task; runs add their life to it."""

    __slots__ = (
        "created",
        "id",
        "kind",
        "metadata",
        "name",
        "project",
        "spec",
        "status",
        "type",
        "updated",
        "user",
    )

    def __init__(
        self,
        type: Type,
        identifier: str,
        name: str,
        kind: str,
        project: str,
        user: str,
        created: int,
        metadata: dict[str, Any],
        spec: dict[str, Any],
    ) -> None:
        self.type = type
        self.id = identifier
        self.name = name
        self.kind = kind
        self.project = project
        self.user = user
        self.created = created
        self.updated = created
        self.metadata = client_metadata(metadata)
        self.spec = spec
        self.status: dict[str, Any] = {"state": "CREATED"}

    @property
    def key(self) -> str:
        """The `store://` key."""
        if self.type is Type.PROJECT:
            return names.project_key(self.id)
        if self.type is Type.FUNCTION:
            return names.function_key(self.project, self.kind, self.name, self.id)
        if self.type is Type.TASK:
            return names.task_key(self.project, self.kind, self.id)
        return names.run_key(self.project, self.kind, self.id)

    def wire(self, epoch: int) -> dict[str, Any]:
        """The entity as the wire carries it."""
        shown: dict[str, Any] = {
            "id": self.id,
            "key": self.key,
            "kind": self.kind,
            "metadata": self.wire_metadata(epoch),
            "name": self.name,
        }
        if self.type is not Type.PROJECT:
            shown["project"] = self.project
        shown["spec"] = self.spec
        shown["status"] = self.status
        shown["user"] = self.user
        if self.type is Type.TASK:
            # Tasks have neither (contract section 1.6).
            del shown["metadata"], shown["status"]
        return shown

    def wire_metadata(self, epoch: int) -> dict[str, Any]:
        """`metadata`: what the client gave, and what the platform knows."""
        return dict(
            sorted(
                {
                    **self.metadata,
                    "project": self.project,
                    "name": self.name,
                    "created": iso(epoch + self.created),
                    "updated": iso(epoch + self.updated),
                    "created_by": self.user,
                    "updated_by": self.user,
                }.items()
            )
        )


def client_metadata(raw: dict[str, Any]) -> dict[str, Any]:
    """What of a client's metadata is kept."""
    return {key: raw[key] for key in _CLIENT_METADATA if raw.get(key) is not None}


class Run(Entity):
    """A run: its state, its story, and what was last seen of its objects."""

    __slots__ = (
        "alias_names",
        "applying",
        "extensions",
        "failure",
        "fresh",
        "health",
        "last_refresh",
        "logs",
        "made",
        "named",
        "notices",
        "observing",
        "order",
        "overlay",
        "pinned",
        "profile",
        "recovering",
        "refusal",
        "row",
        "seen",
        "serving",
        "state",
        "story",
        "tearing",
        "was_ready",
    )

    def __init__(
        self,
        identifier: str,
        name: str,
        row: ServeKind,
        project: str,
        user: str,
        created: int,
        metadata: dict[str, Any],
        spec: dict[str, Any],
        profile: Profile,
    ) -> None:
        super().__init__(
            Type.RUN, identifier, name, row.run, project, user, created, metadata, spec
        )
        self.row = row
        self.profile = profile
        self.state = State.CREATED
        self.story: list[Moment] = []
        self.failure = ""
        self.extensions: list[Any] = []
        self.alias_names: tuple[str, ...] = ()
        self.named = False
        self.seen: Observation | None = None
        self.fresh = False
        self.serving = False
        self.was_ready = False
        self.recovering = False
        self.refusal = ""
        self.applying = False
        self.tearing = False
        self.observing = False
        self.last_refresh: int | None = None
        self.logs: tuple[ContainerLog, ...] = ()
        self.health = Health.STARTING
        self.overlay: dict[str, Any] = {}
        self.notices: tuple[EventRecord, ...] = ()
        self.made: Workload | None = None
        self.pinned: dict[str, Any] = {}
        self.order = 0

    @property
    def local(self) -> bool:
        """Whether the client executes it itself."""
        return bool(self.spec.get("local_execution", False))

    @property
    def in_transition(self) -> bool:
        """Whether it is on its way to a settled state."""
        state = self.state
        if state in IN_TRANSITION or self.applying or self.tearing or self.recovering:
            return state is not State.DELETED and not self.local
        return False

    @property
    def current_health(self) -> Health:
        """How the service is."""
        return health(self.state, self.seen, was_ready=self.was_ready)

    @property
    def message(self) -> str:
        """Why the service is not healthy and what would mend it, in one sentence."""
        if self.state is State.ERROR:
            return self.failure
        return message(self.state, self.seen, was_ready=self.was_ready)

    def _wire_message(self) -> str:
        """`status.message`: core writes one for errors only, the promise is one that tells the truth."""
        silenced_by = {
            State.PENDING: Quirk.PENDING_WITHOUT_END,
            State.RUNNING: Quirk.RUNNING_IS_STICKY,
        }.get(self.state)
        if silenced_by is None:
            return self.failure if self.state is State.ERROR else ""
        return "" if self.profile.has(silenced_by) else self.message

    def current_status(self, epoch: int) -> dict[str, Any]:
        """`status` as the wire carries it."""
        if self.local:
            return {**self.status, "state": self.state.value}
        seen = self.seen
        if seen is not None and self.notices:
            events = self.notices + seen.events
            seen = Observation(
                seen.time, seen.deployment, seen.service, seen.aliases, seen.pods, events
            )
        facts = Facts(
            state=self.state,
            message=self._wire_message(),
            story=self.story,
            observation=seen,
            spec=self.spec,
            kind=self.row,
            profile=self.profile,
            epoch=epoch,
            serving=self.serving,
            fresh=self.fresh,
            named=self.named,
        )
        return {**build_status(facts), **self.overlay}

    def wire(self, epoch: int) -> dict[str, Any]:
        """The run as the wire carries it: extensions first, status built now."""
        shown = super().wire(epoch)
        shown["status"] = self.current_status(epoch)
        return {"extensions": self.extensions, **shown}
