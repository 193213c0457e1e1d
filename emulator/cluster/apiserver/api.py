"""The simulated cluster's own API: Kubernetes' verbs on Kubernetes' objects, in process.

Rules: a request is answered at once, at the present; who speaks over a wire adds the latency. What is
refused is refused as the real server does (`status.Rejected`) and changes nothing. Objects come and go
as JSON; what they are in the simulation is `writers`' and `render`'s business. An update must name no
version or the present one. Source: Kubernetes facts sections 0.3, 1 and 2.
"""

from __future__ import annotations

import copy
from typing import Any

from emulator.cluster.apiserver import allocation, decode, managed, namespaces, patch, status
from emulator.cluster.apiserver.reading import Reader, name_of
from emulator.cluster.apiserver.render import Json
from emulator.cluster.apiserver.resources import Resource
from emulator.cluster.apiserver.status import Rejected
from emulator.cluster.apiserver.writers import WRITERS
from emulator.cluster.objects import Deployment, Pod, ReplicaSet, Stored
from emulator.cluster.objects.plain import Namespace
from emulator.cluster.system import System
from emulator.domain import names

Shown = list[Json]

#: The kinds of which a delete answers the object, not a Status.
_SHOWN_WHEN_DELETED = frozenset({"Namespace", "Pod", "Service"})


class ObjectAPI(Reader):
    """The API of one cluster. Every method raises Rejected."""

    def __init__(self, system: System) -> None:
        super().__init__(system)
        self._generated = 0

    # -- writing ---------------------------------------------------------------------------------

    def create(
        self,
        row: Resource,
        namespace: str,
        body: bytes | Json,
        *,
        dry_run: bool = False,
        strict: bool = False,
        manager: str = "",
    ) -> Json:
        """Makes an object."""
        writer = WRITERS.get(row.kind)
        if writer is None or writer.create is None or "create" not in row.verbs:
            raise status.method_not_allowed()
        self._check_namespace(row, namespace)
        obj = row.read(self._parsed(row, body), namespace, strict=strict)
        row.fresh(obj)
        self._name(row, obj, namespace)
        if manager:
            now = self.render.time(self._system.cluster.now)
            managed.update(obj, None, row, manager, now)
        name = name_of(obj)
        if row.namespaced:
            namespaces.check_new(self._store, row.group, row.plural, name, namespace)
        key = self._key(row, namespace, name)
        if row.kind != "Service":
            row.validate(obj)
        if self._store.get(row.kind, key) is not None:
            raise status.already_exists(row.group, row.plural, name)
        if dry_run:
            if writer.rehearse is not None:
                writer.rehearse(self._system, obj, namespace)
            return obj
        return self._show(row, writer.create(self._system, obj, namespace))

    def update(
        self,
        row: Resource,
        namespace: str,
        name: str,
        body: bytes | Json,
        *,
        subresource: str = "",
        dry_run: bool = False,
        strict: bool = False,
        manager: str = "",
    ) -> Json:
        """Replaces an object (PUT)."""
        if subresource == "scale":
            return self._scale(row, namespace, name, self._parsed(row, body))
        if subresource:
            raise status.method_not_allowed()
        held = self._find(row, namespace, name)
        given = self._parsed(row, body)
        obj = row.read(given, namespace, strict=strict)
        decode.check_name(obj, name)
        old = self.render(held)
        if manager:
            managed.update(obj, old, row, manager, self.render.time(self._system.cluster.now))
        return self._replace(row, held, obj, old, dry_run=dry_run)

    def patch(
        self,
        row: Resource,
        namespace: str,
        name: str,
        content_type: str,
        body: Any,
        *,
        subresource: str = "",
        manager: str = "",
        force: bool | None = None,
        dry_run: bool = False,
    ) -> Json:
        """Patches an object; a server-side apply makes one that is not there."""
        if subresource:
            raise status.method_not_allowed()
        held = self._store.get(row.kind, self._key(row, namespace, name))
        old = None if held is None else copy.deepcopy(self.render(held))
        given = self._parsed(row, body) if isinstance(body, bytes) else body
        obj = patch.apply(
            content_type,
            old,
            given,
            row,
            manager,
            force,
            name=name,
            namespace=namespace,
            time=self.render.time(self._system.cluster.now),
        )
        if held is None or old is None:
            return self.create(row, namespace, obj, dry_run=dry_run)
        return self._replace(row, held, obj, old, dry_run=dry_run)

    def delete(self, row: Resource, namespace: str, name: str, options: Json | None = None) -> Json:
        """Ends an object; answers it, or a Status, as the real server does."""
        writer = WRITERS.get(row.kind)
        if writer is None or writer.delete is None or "delete" not in row.verbs:
            raise status.method_not_allowed()
        held = self._find(row, namespace, name)
        options = options or {}
        self._check_preconditions(row, held, options)
        if isinstance(held, Namespace):
            namespaces.check_end(name)
        shown = self._show(row, held)
        if not options.get("dryRun"):
            policy = options.get("propagationPolicy") or "Background"
            if policy == "Orphan":
                self._system.deletion.orphan(held)
            if policy == "Foreground" and isinstance(held, Deployment | ReplicaSet):
                self._system.deletion.foreground(held)
            else:
                writer.delete(self._system, held, options.get("gracePeriodSeconds"))
            if isinstance(held, Namespace | Pod):
                shown = self.render(held)
        if row.kind in _SHOWN_WHEN_DELETED:
            return shown
        details = {"name": name, "group": row.group, "kind": row.plural}
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {
                **{key: text for key, text in details.items() if text},
                "uid": shown["metadata"]["uid"],
            },
        }

    def delete_collection(
        self,
        row: Resource,
        namespace: str,
        options: Json | None = None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> Json:
        """Ends every object that matches; answers the List of them."""
        found = self.list(row, namespace, labels=labels, fields=fields)
        for each in found["items"]:
            self.delete(row, each["metadata"].get("namespace", ""), name_of(each), options)
        return found

    # -- pieces ----------------------------------------------------------------------------------

    def _parsed(self, row: Resource, body: bytes | Json) -> Any:
        return decode.parse(body, row.kind) if isinstance(body, bytes) else body

    def _check_namespace(self, row: Resource, namespace: str) -> None:
        if row.namespaced and self._store.get("Namespace", namespace) is None:
            raise status.not_found("", "namespaces", namespace)

    def _name(self, row: Resource, obj: Json, namespace: str) -> None:
        """Gives an object that asks for it a generated name."""
        meta = obj["metadata"]
        base = meta.get("generateName")
        if meta.get("name") or not base:
            meta.setdefault("name", "")
            return
        self._generated += 1
        entity = f"{row.kind}/{namespace}/{base}/{self._generated}"
        stream = self._system.cluster.stream(entity, "generate-name")
        suffix = names.suffix(stream.below(names.SUFFIXES))
        meta["name"] = f"{base[:58]}{suffix}"

    def _check_preconditions(self, row: Resource, held: Stored, options: Json) -> None:
        wanted = options.get("preconditions") or {}
        uid = self.render.uid(held)
        for field, asked, present in (
            ("UID", wanted.get("uid"), uid),
            ("ResourceVersion", wanted.get("resourceVersion"), str(held.version)),
        ):
            if asked and asked != present:
                text = (
                    f"the {field} in the precondition ({asked}) does not match the {field} in "
                    f"record ({present}). The object might have been deleted and then recreated"
                )
                raise status.conflict(row.group, row.plural, held.name, text)

    def _replace(self, row: Resource, held: Stored, obj: Json, old: Json, *, dry_run: bool) -> Json:
        writer = WRITERS.get(row.kind)
        if writer is None or writer.update is None:
            raise status.method_not_allowed()
        asked = obj["metadata"].get("resourceVersion")
        if asked and asked != str(held.version):
            raise status.conflict(row.group, row.plural, held.name)
        row.carry(obj, old)
        if row.kind == "Service":
            allocation.prepare(obj, old)
        row.validate_update(obj, old)
        if dry_run:
            return obj
        if _content(obj) != _content(old):
            writer.update(self._system, held, obj)
        return self._show(row, held)

    def _scale(self, row: Resource, namespace: str, name: str, body: Any) -> Json:
        held = self._find(row, namespace, name)
        spec = body.get("spec") if isinstance(body, dict) else None
        replicas = (spec or {}).get("replicas", 0)
        merged = {"spec": {"replicas": replicas}}
        self.patch(row, namespace, name, patch.MERGE_PATCH, merged)
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": self.render.metadata(held),
            "spec": {"replicas": replicas},
            "status": {"replicas": getattr(held, "replicas", 0)},
        }


def _content(obj: Json) -> Json:
    """What a client may change: everything but status, version and who manages what."""
    meta = {
        key: value
        for key, value in obj["metadata"].items()
        if key not in ("resourceVersion", "generation")
    }
    return {**{key: obj[key] for key in obj if key != "status"}, "metadata": meta}


__all__ = ["ObjectAPI", "Rejected"]
