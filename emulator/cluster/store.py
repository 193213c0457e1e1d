"""The object store: the one owner of which objects there are, and of their versions.

Rules: every addition, change and removal goes through here, gets the next resource version, and is
told at once: first to the taps, so that they hear every version in its order, then to the handlers of
its kind, in the order in which they subscribed; a handler only notes what it has to do (`WorkQueue`).
Additions and removals are rows of the journal. A kind's objects are kept in the order of their making.
`removed` has the version of the last removal by kind. `groups` are the workloads of the platform that
own any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.cluster.kernel import Kernel
from emulator.cluster.objects.stored import Stored
from emulator.cluster.objects.workloads import Group

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"

Handler = Callable[[str, Any], None]


class Store:
    """Every object of one cluster. `home` is the namespace that subjects leave out."""

    def __init__(self, kernel: Kernel, home: str) -> None:
        self._kernel = kernel
        self._home = home
        self._objects: dict[str, dict[str, Stored]] = {}
        self._handlers: dict[str, tuple[Handler, ...]] = {}
        self._taps: tuple[Handler, ...] = ()
        self.version = 0
        self.removed: dict[str, int] = {}
        self.groups: dict[str, Group] = {}

    # -- reading ---------------------------------------------------------------------------------

    def get(self, kind: str, key: str) -> Any | None:
        """The object of that kind and key (`namespace/name`), or None."""
        return self._objects[kind].get(key) if kind in self._objects else None

    def all(self, kind: str) -> list[Any]:
        """The objects of a kind, the oldest first."""
        return list(self._objects[kind].values()) if kind in self._objects else []

    def count(self, kind: str) -> int:
        """How many objects of a kind there are."""
        return len(self._objects.get(kind, ()))

    # -- writing ---------------------------------------------------------------------------------

    def add(self, obj: Stored, **facts: Any) -> int:
        """Takes a new object in; `facts` go into its row of the journal, whose number is returned."""
        kind = obj.kind
        objects = self._objects.get(kind)
        if objects is None:
            objects = self._objects[kind] = {}
        objects[obj.key] = obj
        self.version = obj.version = self.version + 1
        if obj.group is not None:
            obj.group.objects += 1
        kernel = self._kernel
        row = kernel.journal.record(kernel.now, "object", self.subject(obj), op=ADDED, **facts)
        self._tell(ADDED, obj)
        return row

    def changed(self, obj: Stored) -> None:
        """The object is not as it was."""
        if obj.removed:
            return
        self.version = obj.version = self.version + 1
        self._tell(MODIFIED, obj)

    def remove(self, obj: Stored) -> None:
        """Lets an object go; idempotent."""
        if obj.removed:
            return
        obj.removed = True
        del self._objects[obj.kind][obj.key]
        self.version = obj.version = self.removed[obj.kind] = self.version + 1
        kernel = self._kernel
        kernel.journal.record(kernel.now, "object", self.subject(obj), op=DELETED)
        self._tell(DELETED, obj)
        if obj.group is not None:
            self.leave(obj.group)

    def published(self, event: Stored) -> None:
        """Tells of an Event, new or said again; the recorder keeps them, not this store."""
        self.version += 1
        op = MODIFIED if event.version else ADDED
        event.version = self.version
        for tap in self._taps:
            tap(op, event)

    # -- groups ----------------------------------------------------------------------------------

    def join(self, obj: Stored, group: Group) -> None:
        """An object belongs to a group from now on."""
        if obj.group is not None:
            self.leave(obj.group)
        obj.group = group
        group.objects += 1

    def leave(self, group: Group) -> None:
        """One object less: a group without any is no more."""
        group.objects -= 1
        if not group.objects:
            self.groups.pop(group.name, None)

    # -- telling ---------------------------------------------------------------------------------

    def on(self, kind: str, handler: Handler) -> None:
        """Calls `handler(op, object)` at every change of an object of that kind."""
        self._handlers[kind] = (*self._handlers.get(kind, ()), handler)

    def tap(self, handler: Handler) -> Callable[[], None]:
        """Calls `handler(op, object)` at every change of any object, until the result is called."""
        self._taps = (*self._taps, handler)

        def stop() -> None:
            self._taps = tuple(each for each in self._taps if each is not handler)

        return stop

    def subject(self, obj: Stored) -> str:
        """The journal's name for an object: `Kind/name`, with the namespace where it is not home."""
        if obj.namespace in ("", self._home):
            return f"{obj.kind}/{obj.name}"
        return f"{obj.kind}/{obj.namespace}/{obj.name}"

    def _tell(self, op: str, obj: Stored) -> None:
        for tap in self._taps:
            tap(op, obj)
        for handler in self._handlers.get(obj.kind, ()):
            handler(op, obj)
