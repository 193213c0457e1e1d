"""Objects as the table that kubectl prints, and as their metadata alone.

Rules: a row carries the object's metadata unless the client asks for the whole object or for none; a
kind without columns of its own has its name and age. Source: Kubernetes' API concepts, "Receiving
resources as Tables".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from emulator.kubeapi.negotiation import View
from emulator.kubeapi.tables import others, pods, workloads
from emulator.kubeapi.tables.text import Ages

Json = dict[str, Any]
Include = Literal["Metadata", "Object", "None"]
_Columns = tuple[tuple[str, str, str, int], ...]

_KINDS: dict[str, tuple[_Columns, Callable[[Json, Ages], list[Any]]]] = {
    "ConfigMap": (others.CONFIG_MAP, others.config_map),
    "Deployment": (workloads.DEPLOYMENT, workloads.deployment),
    "EndpointSlice": (workloads.ENDPOINT_SLICE, workloads.endpoint_slice),
    "Event": (others.EVENT, others.event),
    "Lease": (others.LEASE, others.lease),
    "LimitRange": (others.LIMIT_RANGE, others.limit_range),
    "Namespace": (others.NAMESPACE, others.namespace),
    "Node": (workloads.NODE, workloads.node),
    "Pod": (pods.COLUMNS, pods.cells),
    "PriorityClass": (others.PRIORITY_CLASS, others.priority_class),
    "ReplicaSet": (workloads.REPLICA_SET, workloads.replica_set),
    "ResourceQuota": (others.RESOURCE_QUOTA, others.resource_quota),
    "Secret": (others.SECRET, others.secret),
    "Service": (workloads.SERVICE, workloads.service),
}
_PLAIN = (others.PLAIN, others.plain)
#: What a list keeps of its metadata in another form.
_LIST_META = ("resourceVersion", "continue", "remainingItemCount")


def shaped(
    obj: Json,
    kind: str,
    view: View,
    ages: Ages,
    include: Include = "Metadata",
    *,
    head: bool = True,
) -> Json:
    """An object or a List of them in the form that is wanted; `kind` is that of the objects.

    A Status keeps its form. `head` False leaves out a table's columns (later events of a watch).
    """
    if obj["kind"] == "Status":
        return obj
    if view.form == "table":
        return _table(obj, kind, view, ages, include, head=head)
    listed = "items" in obj
    if view.form == "metadata":
        return _metadata_list(obj, view) if listed else _metadata(obj, view)
    if listed:
        return {**obj, "items": [_untyped(each) for each in obj["items"]]}
    return obj


def _untyped(obj: Json) -> Json:
    """An object of a list: the list says what it is."""
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


def _metadata(obj: Json, view: View) -> Json:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{view.version}",
        "metadata": obj["metadata"],
    }


def _list_meta(obj: Json) -> Json:
    meta = obj["metadata"]
    return {key: meta[key] for key in _LIST_META if key in meta}


def _metadata_list(obj: Json, view: View) -> Json:
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{view.version}",
        "metadata": _list_meta(obj),
        "items": [_metadata(each, view) for each in obj["items"]],
    }


def _table(obj: Json, kind: str, view: View, ages: Ages, include: Include, *, head: bool) -> Json:
    columns, cells = _KINDS.get(kind, _PLAIN)
    rows = [
        {"cells": cells(each, ages), "object": _row_object(each, view, include)}
        for each in obj.get("items", (obj,))
    ]
    definitions = [
        {"name": name, "type": type_, "format": form, "description": "", "priority": priority}
        for name, type_, form, priority in columns
    ]
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{view.version}",
        "metadata": _list_meta(obj),
        "columnDefinitions": definitions if head else None,
        "rows": rows,
    }


def _row_object(obj: Json, view: View, include: Include) -> Json | None:
    if include == "None":
        return None
    return obj if include == "Object" else _metadata(obj, view)
