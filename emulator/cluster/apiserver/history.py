"""Watching: what has changed since a version, for whoever asks.

Rules: nothing is kept until somebody has listed or watched once; from then on the last 10,000 changes
are, rendered as they were. A version older than those has expired (410). A watch with a selector sees
an object that begins to match as ADDED and one that ceases to as DELETED.
Source: Kubernetes' watch cache; facts section 2 (410).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from emulator.cluster.apiserver.render import Json, Renderer
from emulator.cluster.apiserver.status import expired
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


class History:
    """The changes of a store, and who watches them."""

    def __init__(self, store: Store, render: Renderer) -> None:
        self._store = store
        self._render = render
        self._rows: deque[tuple[int, str, str, str, Json]] = deque(maxlen=KEPT)
        self._watches: list[Watch] = []
        self._since: int | None = None

    def open(self) -> None:
        """Begins to keep changes; idempotent."""
        if self._since is None:
            self._since = self._store.version
            self._store.tap(self._heard)

    def _heard(self, op: str, obj: Stored) -> None:
        shown = self._render(obj)
        if self._rows.maxlen == len(self._rows):
            self._since = self._rows[0][0]
        self._rows.append((obj.version, op, obj.kind, obj.namespace, shown))
        for watch in tuple(self._watches):
            if watch.kind == obj.kind and watch.namespace in ("", obj.namespace):
                watch.hear(op, shown)

    def watch(self, watch: Watch, since: int, current: list[Json]) -> Callable[[], None]:
        """Lets a watcher hear what has happened after `since`, and what happens until the result is
        called. `current` are the objects of its kind now. Raises Rejected (410).
        """
        self.open()
        assert self._since is not None
        if since < self._since:
            raise expired(since, self._since)
        later = [
            (op, shown)
            for version, op, kind, namespace, shown in self._rows
            if version > since and kind == watch.kind and watch.namespace in ("", namespace)
        ]
        fresh: set[Any] = {shown["metadata"]["uid"] for op, shown in later if op == ADDED}
        for shown in current:
            if shown["metadata"]["uid"] not in fresh:
                watch.begin(shown)
        for op, shown in later:
            if op == DELETED:
                watch.begin(shown)
        for op, shown in later:
            watch.hear(op, shown)
        self._watches.append(watch)

        def stop() -> None:
            if watch in self._watches:
                self._watches.remove(watch)

        return stop
