"""The verbs of the API: what a request means, told to the cluster, and its answer.

Rules: everything enters the world at the present; a write is a command of the journal. A verb that a
resource has not is 405. Source: Kubernetes' API concepts; apiserver `endpoints/handlers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from emulator.cluster.apiserver import status
from emulator.cluster.apiserver.api import ObjectAPI
from emulator.cluster.apiserver.patch import ACCEPTED, APPLY, MERGE_PATCH, STRATEGIC_PATCH
from emulator.cluster.apiserver.status import Rejected
from emulator.kubeapi import options
from emulator.kubeapi.answers import Answer, json_answer, success
from emulator.kubeapi.negotiation import View
from emulator.kubeapi.paging import Pages
from emulator.kubeapi.paths import Target
from emulator.kubeapi.requests import Request, plain
from emulator.kubeapi.tables import shaped
from emulator.kubeapi.tables.text import Ages
from emulator.kubeapi.watching import Begin, Stream

if TYPE_CHECKING:
    from emulator.world import World

T = TypeVar("T")
Json = dict[str, Any]

_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OBJECT = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Verbs:
    """The verbs on the objects of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._api = ObjectAPI(world.platform.system)
        self._pages = Pages()

    def answer(self, request: Request, target: Target, view: View) -> Answer | Stream:
        """The answer of a request whose body has been read. Raises Rejected."""
        if target.subresource:
            return self._subresource(request, target, view)
        verb = (_OBJECT if target.name else _COLLECTION).get(request.method, "")
        if verb not in target.row.verbs:
            raise status.method_not_allowed()
        if target.row.namespaced and not target.namespace and verb != "list":
            raise status.method_not_allowed()
        if verb == "list" and request.flag("watch"):
            return self._watch(request, target, view)
        do: Callable[[Request, Target], tuple[Json, int]] = getattr(self, f"_{verb}")
        content, code = do(request, target)
        return self._shown(request, target, view, content, code)

    def present(self) -> int:
        """The world's present as Unix nanoseconds."""
        return self._world.settings.cluster.epoch + self._world.now

    # -- into the world --------------------------------------------------------------------------

    def _look(self, fn: Callable[[], T]) -> T:
        found: list[T] = []
        self._world.enter(lambda: found.append(fn()))
        return found[0]

    def _write(self, verb: str, target: Target, fn: Callable[[], T]) -> T:
        subject = f"{target.row.kind}/{target.name}" if target.name else target.row.kind
        return self._world.command(verb, subject, lambda _now: fn())

    def _shown(
        self, request: Request, target: Target, view: View, content: Json, code: int
    ) -> Answer:
        ages = Ages(self.present())
        return json_answer(
            shaped(content, target.row.kind, view, ages, options.include(request)), code
        )

    # -- reading ---------------------------------------------------------------------------------

    def _get(self, request: Request, target: Target) -> tuple[Json, int]:
        return self._look(lambda: self._api.get(target.row, target.namespace, target.name)), 200

    def _list(self, request: Request, target: Target) -> tuple[Json, int]:
        labels, fields = request.option("labelSelector"), request.option("fieldSelector")
        row, namespace = target.row, target.namespace

        def fresh() -> Json:
            return self._look(lambda: self._api.list(row, namespace, labels=labels, fields=fields))

        limit, token = request.number("limit") or 0, request.option("continue")
        if request.option("resourceVersion") == "0" and not token:
            limit = 0  # answered from the watch cache, which knows no pieces
        query = (row.group, row.version, row.plural, namespace, labels, fields)
        counted = not labels and not fields
        return self._pages.page(query, fresh, limit, token, counted=counted), 200

    def _watch(self, request: Request, target: Target, view: View) -> Stream:
        include, first = options.include(request), [True]
        kind = target.row.kind

        def shape(obj: Json) -> Json:
            head, first[0] = first[0], False
            return shaped(obj, kind, view, Ages(self.present()), include, head=head)

        begin, last = self._watching(request, target)
        stream = Stream(shape)
        self._look(lambda: stream.begin(begin, last))
        return stream

    def _watching(
        self, request: Request, target: Target
    ) -> tuple[Begin, Callable[[], Json | None]]:
        """How a watch begins, and the bookmark that ends its first events."""
        api, row = self._api, target.row
        listing = request.flag("sendInitialEvents")
        since = options.begin_after(request, row)
        marked = listing and request.flag("allowWatchBookmarks")

        def begin(sink: Callable[[str, Json], None]) -> Callable[[], None]:
            return api.watch(
                row,
                target.namespace,
                None if listing else since,
                sink,
                labels=request.option("labelSelector"),
                fields=request.option("fieldSelector"),
            )

        def last() -> Json | None:
            if not marked:
                return None
            meta = {
                "resourceVersion": str(api.version),
                "creationTimestamp": None,
                "annotations": {"k8s.io/initial-events-end": "true"},
            }
            return {"kind": row.kind, "apiVersion": row.api_version, "metadata": meta}

        return begin, last

    # -- writing ---------------------------------------------------------------------------------

    def _create(self, request: Request, target: Target) -> tuple[Json, int]:
        body = request.content()
        dry_run, strict = request.dry_run("CreateOptions"), request.strict("CreateOptions")
        made = self._write(
            "create",
            target,
            lambda: self._api.create(
                target.row,
                target.namespace,
                body,
                dry_run=dry_run,
                strict=strict,
                manager=options.manager(request),
            ),
        )
        return made, 201

    def _update(self, request: Request, target: Target) -> tuple[Json, int]:
        body = request.content()
        dry_run, strict = request.dry_run("UpdateOptions"), request.strict("UpdateOptions")
        changed = self._write(
            "update",
            target,
            lambda: self._api.update(
                target.row,
                target.namespace,
                target.name,
                body,
                subresource=target.subresource,
                dry_run=dry_run,
                strict=strict,
                manager=options.manager(request),
            ),
        )
        return changed, 200

    def _patch(self, request: Request, target: Target) -> tuple[Json, int]:
        form = request.content_type
        if form not in ACCEPTED:
            raise status.unsupported_media_type(ACCEPTED)
        applied = form == APPLY
        body = plain(request.body) if applied else request.body
        dry_run = request.dry_run("PatchOptions")
        force = request.flag("force") if request.option("force") else None
        manager = request.option("fieldManager") if applied else options.manager(request)

        def patch() -> tuple[Json, int]:
            there = not applied or self._there(target)
            changed = self._api.patch(
                target.row,
                target.namespace,
                target.name,
                form,
                body,
                manager=manager,
                force=force,
                dry_run=dry_run,
            )
            return changed, 200 if there else 201

        return self._write("patch", target, patch)

    def _there(self, target: Target) -> bool:
        try:
            self._api.get(target.row, target.namespace, target.name)
        except Rejected:
            return False
        return True

    def _delete(self, request: Request, target: Target) -> tuple[Json, int]:
        asked = options.deletion(request)
        ended = self._write(
            "delete",
            target,
            lambda: self._api.delete(target.row, target.namespace, target.name, asked),
        )
        return ended, 200

    def _deletecollection(self, request: Request, target: Target) -> tuple[Json, int]:
        asked = options.deletion(request)
        ended = self._write(
            "deletecollection",
            target,
            lambda: self._api.delete_collection(
                target.row,
                target.namespace,
                asked,
                labels=request.option("labelSelector"),
                fields=request.option("fieldSelector"),
            ),
        )
        return ended, 200

    # -- subresources ----------------------------------------------------------------------------

    def _subresource(self, request: Request, target: Target, view: View) -> Answer:
        asked = (request.method, target.subresource)
        if asked == ("GET", "status"):
            content, code = self._get(request, target)
        elif asked == ("GET", "log"):
            return self._log(request, target)
        elif asked == ("POST", "eviction"):
            return self._evict(request, target)
        elif asked == ("GET", "scale"):
            content, code = _scale(self._get(request, target)[0]), 200
        elif asked == ("PUT", "scale"):
            content, code = self._update(request, target)
        elif asked == ("PATCH", "scale"):
            content, code = self._patch_scale(request, target)
        else:
            raise status.method_not_allowed()
        return self._shown(request, target, View() if "scale" in asked else view, content, code)

    def _log(self, request: Request, target: Target) -> Answer:
        container, lines = request.option("container"), request.number("tailLines")
        text = self._look(lambda: self._api.log(target.namespace, target.name, container))
        if lines is not None:
            text = "".join(text.splitlines(keepends=True)[-lines:]) if lines else ""
        return Answer(200, text.encode(), "text/plain")

    def _evict(self, request: Request, target: Target) -> Answer:
        """No budget forbids it: an eviction is a deletion."""
        body = request.value()
        asked = body.get("deleteOptions") if isinstance(body, dict) else None
        self._write(
            "evict",
            target,
            lambda: self._api.delete(target.row, target.namespace, target.name, asked),
        )
        return success(201)

    def _patch_scale(self, request: Request, target: Target) -> tuple[Json, int]:
        """A merge of the replicas alone, which is how kubectl scales."""
        if request.content_type not in (MERGE_PATCH, STRATEGIC_PATCH):
            raise status.unsupported_media_type((MERGE_PATCH, STRATEGIC_PATCH))
        body = plain(request.body)
        changed = self._write(
            "scale",
            target,
            lambda: self._api.update(
                target.row, target.namespace, target.name, body, subresource="scale"
            ),
        )
        return changed, 200


def _scale(obj: Json) -> Json:
    """The Scale of a workload."""
    meta, spec, state = obj["metadata"], obj["spec"], obj.get("status", {})
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    chosen = spec.get("selector", {}).get("matchLabels", {})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in kept if key in meta},
        "spec": {"replicas": spec.get("replicas", 0)},
        "status": {
            "replicas": state.get("replicas", 0),
            "selector": ",".join(f"{key}={chosen[key]}" for key in sorted(chosen)),
        },
    }
