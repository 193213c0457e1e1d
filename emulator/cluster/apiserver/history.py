"""Watching: what has changed since a version, for whoever asks.

Rules: nothing of a kind is kept until somebody has asked for one of it; from then on its changes are,
rendered as they were, 10,000 of all kinds. A version older than those has expired (410). A watch with
a selector sees an object that begins to match as ADDED and one that ceases to as DELETED: what it was
at the version that the watch begins with decides, not what it is now.
Source: Kubernetes' watch cache; facts section 2 (410).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from emulator.cluster.apiserver.render import Json, Renderer
from emulator.cluster.apiserver.status import expired, too_large_version
from emulator.cluster.objects import Stored
from emulator.cluster.store import ADDED, DELETED, MODIFIED, Store

KEPT = 10_000

Matches = Callable[[Json], bool]
Sink = Callable[[str, Json], None]


class Watch:
    """One watcher: the kind and namespace that it asks for, what matches, and what it has seen."""

    __slots__ = ("_known", "_matches", "_sink", "kind", "namespace")

    def __init__(self, kind: str, namespace: str, matches: Matches, sink: Sink) -> None:
        self.kind = kind
        self.namespace = namespace
        self._matches = matches
        self._sink = sink
        self._known: set[str] = set()

    def begin(self, shown: Json) -> None:
        """Notes an object that the client has from its list."""
        if self._matches(shown):
            self._known.add(shown["metadata"]["uid"])

    def hear(self, op: str, shown: Json) -> None:
        """Passes a change on, as this watcher has to see it."""
        uid = shown["metadata"]["uid"]
        known = uid in self._known
        if op == DELETED or not self._matches(shown):
            if known:
                self._known.discard(uid)
                self._sink(DELETED, shown)
            return
        self._known.add(uid)
        self._sink(MODIFIED if known else ADDED, shown)


class Change(NamedTuple):
    """One change: the object after it, and before it (None where it was not there)."""

    version: int
    op: str
    kind: str
    namespace: str
    shown: Json
    before: Json | None


class History:
    """The changes of a store, and who watches them."""

    def __init__(self, store: Store, render: Renderer) -> None:
        self._store = store
        self._render = render
        self._rows: deque[Change] = deque(maxlen=KEPT)
        self._watches: list[Watch] = []
        self._latest: dict[str, dict[str, Json]] = {}
        self._since: dict[str, int] = {}

    def is_open(self, kind: str) -> bool:
        """Whether the changes of a kind are kept."""
        return kind in self._latest

    def open(self, kind: str, objects: Iterable[Stored]) -> None:
        """Begins to keep the changes of a kind, of which there are `objects`."""
        if not self._latest:
            self._store.tap(self._heard)
        latest, last = {}, self._store.removed.get(kind, 0)
        for obj in objects:
            latest[obj.key] = self._render(obj)
            last = max(last, obj.version)
        self._latest[kind] = latest
        # nobody can have seen a version of a kind that has never been
        self._since[kind] = last or self._store.version

    def _heard(self, op: str, obj: Stored) -> None:
        latest = self._latest.get(obj.kind)
        if latest is None:
            return
        shown = self._render(obj)
        before = latest.pop(obj.key, None) if op == DELETED else latest.get(obj.key)
        if op != DELETED:
            latest[obj.key] = shown
        if self._rows.maxlen == len(self._rows):
            self._forget(self._rows[0])
        self._rows.append(Change(obj.version, op, obj.kind, obj.namespace, shown, before))
        for watch in tuple(self._watches):
            if watch.kind == obj.kind and watch.namespace in ("", obj.namespace):
                watch.hear(op, shown)

    def _forget(self, oldest: Change) -> None:
        """A change is no longer kept; nobody tells when an Event ends, so it goes with its last one."""
        self._since[oldest.kind] = oldest.version
        latest = self._latest[oldest.kind]
        key = f"{oldest.namespace}/{oldest.shown['metadata']['name']}"
        if oldest.kind == "Event" and latest.get(key) is oldest.shown:
            del latest[key]

    def watch(self, watch: Watch, since: int, current: list[Json]) -> Callable[[], None]:
        """Lets a watcher hear what has happened after `since`, and what happens until the result is
        called. `current` are the objects of its kind now, which is open. Raises Rejected (410; 504
        for a version that is yet to come).
        """
        if since < self._since[watch.kind]:
            raise expired(since, self._since[watch.kind])
        if since > self._store.version:
            raise too_large_version(since, self._store.version)
        later = [
            row
            for row in self._rows
            if row.version > since
            and row.kind == watch.kind
            and watch.namespace in ("", row.namespace)
        ]
        changed: set[str] = set()
        for row in later:
            uid = row.shown["metadata"]["uid"]
            if uid not in changed and row.before is not None:
                watch.begin(row.before)
            changed.add(uid)
        for shown in current:
            if shown["metadata"]["uid"] not in changed:
                watch.begin(shown)
        for row in later:
            watch.hear(row.op, row.shown)
        self._watches.append(watch)

        def stop() -> None:
            if watch in self._watches:
                self._watches.remove(watch)

        return stop
