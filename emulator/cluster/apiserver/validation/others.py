"""Validation of the kinds around pods and services.

Rules: as of the package. Source: Kubernetes facts section 2; core, scheduling and discovery
`validation.go`.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from emulator.cluster.apiserver import causes as cause
from emulator.cluster.apiserver.causes import Cause
from emulator.cluster.apiserver.quantities import value as _value
from emulator.cluster.apiserver.validation import meta, names
from emulator.cluster.apiserver.validation.container import amount

Object = dict[str, Any]

_LIMITS = ("Container", "PersistentVolumeClaim", "Pod")
_HIGHEST_PRIORITY = 1_000_000_000
_STORAGE_LIMIT = 1024 * 1024


def namespace(obj: Object, found: list[Cause]) -> None:
    """A Namespace."""
    meta.metadata(obj["metadata"], names.label, False, found)


def cluster_wide(obj: Object, found: list[Cause]) -> None:
    """A kind outside namespaces of which only the metadata is looked into: a Node."""
    meta.metadata(obj["metadata"], names.subdomain, False, found)


def in_namespace(obj: Object, found: list[Cause]) -> None:
    """A kind of which only the metadata is looked into: Lease, Event, EndpointSlice."""
    meta.metadata(obj["metadata"], names.subdomain, True, found)


def metadata_update(new: Object, old: Object, found: list[Cause]) -> None:
    """A change of a kind of which only the metadata is looked into."""
    meta.metadata_update(new["metadata"], old["metadata"], found)


def resource_quota(obj: Object, found: list[Cause]) -> None:
    """A ResourceQuota: names and amounts."""
    in_namespace(obj, found)
    _hard(obj, found)


def resource_quota_update(new: Object, old: Object, found: list[Cause]) -> None:
    """A changed ResourceQuota: its scopes stay."""
    metadata_update(new, old, found)
    _hard(new, found)
    scopes, before = new["spec"].get("scopes", []), old["spec"].get("scopes", [])
    if set(scopes) != set(before):
        found.append(cause.invalid("spec.scopes", scopes, meta.IMMUTABLE))


def _hard(obj: Object, found: list[Cause]) -> None:
    for name, text in obj["spec"].get("hard", {}).items():
        at = f"spec.hard[{name}]"
        if details := names.qualified(name):
            found += cause.all_invalid(at, name, details)
        amount(name.removeprefix("requests.").removeprefix("limits."), text, at, found)


def limit_range(obj: Object, found: list[Cause]) -> None:
    """A LimitRange: one entry a type, min <= default request <= default <= max."""
    in_namespace(obj, found)
    taken: set[str] = set()
    for index, item in enumerate(obj["spec"].get("limits", ())):
        at, kind = f"spec.limits[{index}]", item.get("type", "")
        if kind in taken:
            found.append(cause.duplicate(f"{at}.type", kind))
        taken.add(kind)
        if kind not in _LIMITS and "/" not in kind:
            text = "must be a standard limit type or fully qualified"
            found.append(cause.invalid(f"{at}.type", kind, text))
        _ordered(item, at, found)


def _ordered(item: Object, at: str, found: list[Cause]) -> None:
    pairs = (
        ("min", "max", "min value {} is greater than max value {}"),
        ("min", "defaultRequest", "min value {} is greater than default request value {}"),
        ("defaultRequest", "max", "default request value {} is greater than max value {}"),
        (
            "defaultRequest",
            "default",
            "default request value {} is greater than default limit value {}",
        ),
        ("default", "max", "default value {} is greater than max value {}"),
    )
    for low, high, text in pairs:
        for name, lesser in item.get(low, {}).items():
            greater = item.get(high, {}).get(name)
            if greater is not None and _value(lesser) > _value(greater):
                field = f"{at}.{low}[{name}]"
                found.append(cause.invalid(field, lesser, text.format(lesser, greater)))


def priority_class(obj: Object, found: list[Cause]) -> None:
    """A PriorityClass: `system-` and the highest values are the cluster's own."""
    cluster_wide(obj, found)
    name = obj["metadata"].get("name", "")
    system = name in ("system-node-critical", "system-cluster-critical")
    if name.startswith("system-") and not system:
        text = (
            "priority class names with 'system-' prefix are reserved for system use only. "
            f"error: {name} is not a known system priority class"
        )
        found.append(cause.forbidden("metadata.name", text))
    elif not system and obj["value"] > _HIGHEST_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {_HIGHEST_PRIORITY}"
        found.append(cause.forbidden("value", text))
    if obj["preemptionPolicy"] not in ("Never", "PreemptLowerPriority"):
        known = ("Never", "PreemptLowerPriority")
        found.append(cause.unsupported("preemptionPolicy", obj["preemptionPolicy"], known))


def priority_class_update(new: Object, old: Object, found: list[Cause]) -> None:
    """A changed PriorityClass: its value stays."""
    metadata_update(new, old, found)
    if new["value"] != old["value"]:
        found.append(cause.forbidden("value", "may not be changed in an update."))
    meta.immutable(new["preemptionPolicy"], old["preemptionPolicy"], "preemptionPolicy", found)


def stored_text(obj: Object, found: list[Cause]) -> None:
    """A Secret or a ConfigMap: keys and size."""
    in_namespace(obj, found)
    size = 0
    for field in ("data", "binaryData"):
        for key, value in obj.get(field, {}).items():
            if details := names.config_key(key):
                found += cause.all_invalid(f"{field}[{key}]", key, details)
            encoded = field == "binaryData" or obj["kind"] == "Secret"
            size += _decoded_size(value) if encoded else len(value.encode())
    if size > _STORAGE_LIMIT:
        found.append(cause.too_long("data" if obj["kind"] == "Secret" else "", _STORAGE_LIMIT))


def _decoded_size(value: str) -> int:
    try:
        return len(base64.b64decode(value))
    except binascii.Error:
        return len(value)


def stored_text_update(new: Object, old: Object, found: list[Cause]) -> None:
    """A changed Secret or ConfigMap: nothing of an immutable one, never a Secret's type."""
    metadata_update(new, old, found)
    meta.immutable(new.get("type"), old.get("type"), "type", found)
    if old.get("immutable"):
        text = "field is immutable when `immutable` is set"
        if not new.get("immutable"):
            found.append(cause.forbidden("immutable", text))
        found += [
            cause.forbidden(field, text)
            for field in ("data", "binaryData")
            if new.get(field) != old.get(field)
        ]
    stored_text(new, found)
