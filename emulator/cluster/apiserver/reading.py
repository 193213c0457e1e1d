"""The API's reads: get, list, watch and logs.

Rules: what is read is rendered at the present and may be kept, not changed. A watch begins where the
list that went before it ended. Source: Kubernetes facts section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emulator.cluster.apiserver import selectors, status
from emulator.cluster.apiserver.history import History, Matches, Watch
from emulator.cluster.apiserver.render import Json, Renderer
from emulator.cluster.apiserver.resources import Resource
from emulator.cluster.objects import Stored
from emulator.cluster.system import System

Shown = list[Json]


class Reader:
    """The reading half of one cluster's API. Every method raises Rejected."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._store = system.cluster.store
        self.render = Renderer(system.cluster)
        self._history = History(self._store, self.render)

    @property
    def version(self) -> int:
        """The store's resource version now."""
        return self._store.version

    # -- reading ---------------------------------------------------------------------------------

    def get(self, row: Resource, namespace: str, name: str) -> Json:
        """One object."""
        return self._show(row, self._find(row, namespace, name))

    def list(
        self, row: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> Json:
        """A List of the objects that match, by namespace and name; `namespace` "" is all."""
        self._open(row)
        matches = self._matcher(row, labels, fields)
        shown = [each for each in self._all(row, namespace) if matches(each)]
        shown.sort(key=lambda each: (each["metadata"].get("namespace", ""), name_of(each)))
        return {
            "kind": f"{row.kind}List",
            "apiVersion": row.api_version,
            "metadata": {"resourceVersion": str(self._store.version)},
            "items": shown,
        }

    def watch(
        self,
        row: Resource,
        namespace: str,
        since: int | None,
        sink: Callable[[str, Json], None],
        *,
        labels: str = "",
        fields: str = "",
    ) -> Callable[[], None]:
        """Hands changes after version `since` to `sink` until the result is called.

        Without `since` (or with 0) the present objects come first, as ADDED.
        """
        matches = self._matcher(row, labels, fields)
        if row.shown is not None:
            inner, shape = sink, row.shown

            def sink(op: str, obj: Json) -> None:
                inner(op, shape(obj))

        watch = Watch(row.kind, namespace, matches, sink)
        current = self._all(row, namespace, stored=True)
        self._open(row)
        if since:
            return self._history.watch(watch, since, current)
        for each in current:
            watch.hear("ADDED", each)
        return self._history.watch(watch, self._store.version, [])

    def log(self, namespace: str, name: str, container: str = "") -> str:
        """What a pod's container has written."""
        pod = self._store.get("Pod", f"{namespace}/{name}")
        if pod is None:
            raise status.not_found("", "pods", name)
        if container and container != pod.template.container:
            raise status.bad_request(f"container {container} is not valid for pod {name}")
        if pod.process is None:
            reason = pod.state.reason or "ContainerCreating"
            raise status.bad_request(
                f'container "{pod.template.container}" in pod "{name}" is waiting to start: {reason}'
            )
        text: str = pod.process.logs()
        return text

    # -- pieces ----------------------------------------------------------------------------------

    def _key(self, row: Resource, namespace: str, name: str) -> str:
        return f"{namespace}/{name}" if row.namespaced else name

    def _find(self, row: Resource, namespace: str, name: str) -> Stored:
        if row.kind == "Event":
            events = self._system.cluster.events.all(self._system.cluster.now)
            for event in events:
                if (event.namespace, event.name) == (namespace, name):
                    return event
        held: Stored | None = self._store.get(row.kind, self._key(row, namespace, name))
        if held is None:
            raise status.not_found(row.group, row.plural, name)
        return held

    def _open(self, row: Resource) -> None:
        """Keeps a kind's changes from now on: who has seen one of it may ask what came after."""
        if not self._history.is_open(row.kind):
            self._history.open(row.kind, self._objects(row))

    def _objects(self, row: Resource) -> Sequence[Stored]:
        cluster = self._system.cluster
        return cluster.events.all(cluster.now) if row.kind == "Event" else self._store.all(row.kind)

    def _show(self, row: Resource, obj: Stored) -> Json:
        self._open(row)
        shown = self.render(obj)
        return shown if row.shown is None else row.shown(shown)

    def _all(self, row: Resource, namespace: str, *, stored: bool = False) -> Shown:
        found = [each for each in self._objects(row) if namespace in ("", each.namespace)]
        if stored:
            return [self.render(each) for each in found]
        return [self._show(row, each) for each in found]

    def _matcher(self, row: Resource, labels: str, fields: str) -> Matches:
        by_label = selectors.parse_labels(labels)
        by_field = selectors.parse_fields(fields, row.kind)

        def matches(shown: Json) -> bool:
            held = shown["metadata"].get("labels", {})
            return selectors.matches_labels(by_label, held) and selectors.matches_fields(
                by_field, shown
            )

        return matches


def name_of(obj: Json) -> str:
    """An object's name; empty where it has none."""
    name: str = obj["metadata"].get("name", "")
    return name
