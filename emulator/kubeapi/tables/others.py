"""The columns of Namespaces, Events, quotas, limits, priorities, leases, Secrets and ConfigMaps.

Rules: an Event is read in both its shapes, core/v1 and events.k8s.io/v1. Source: Kubernetes
pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from typing import Any

from emulator.kubeapi.tables.text import Ages

Json = dict[str, Any]

PLAIN = (("Name", "string", "name", 0), ("Age", "string", "", 0))
NAMESPACE = (
    ("Name", "string", "name", 0),
    ("Status", "string", "", 0),
    ("Age", "string", "", 0),
)
EVENT = (
    ("Last Seen", "string", "", 0),
    ("Type", "string", "", 0),
    ("Reason", "string", "", 0),
    ("Object", "string", "", 0),
    ("Subobject", "string", "", 1),
    ("Source", "string", "", 1),
    ("Message", "string", "", 0),
    ("First Seen", "string", "", 1),
    ("Count", "string", "", 1),
    ("Name", "string", "name", 1),
)
RESOURCE_QUOTA = (
    ("Name", "string", "name", 0),
    ("Request", "string", "", 0),
    ("Limit", "string", "", 0),
    ("Age", "string", "", 0),
)
LIMIT_RANGE = (("Name", "string", "name", 0), ("Created At", "date", "", 0))
PRIORITY_CLASS = (
    ("Name", "string", "name", 0),
    ("Value", "integer", "", 0),
    ("Global-Default", "boolean", "", 0),
    ("Age", "string", "", 0),
    ("PreemptionPolicy", "string", "", 0),
)
LEASE = (
    ("Name", "string", "name", 0),
    ("Holder", "string", "", 0),
    ("Age", "string", "", 0),
)
SECRET = (
    ("Name", "string", "name", 0),
    ("Type", "string", "", 0),
    ("Data", "integer", "", 0),
    ("Age", "string", "", 0),
)
CONFIG_MAP = (
    ("Name", "string", "name", 0),
    ("Data", "integer", "", 0),
    ("Age", "string", "", 0),
)


def plain(obj: Json, ages: Ages) -> list[Any]:
    """Name and age: what every object has."""
    return [obj["metadata"].get("name", ""), ages.of(obj)]


def namespace(obj: Json, ages: Ages) -> list[Any]:
    """The cells of a Namespace."""
    return [obj["metadata"]["name"], obj.get("status", {}).get("phase", ""), ages.of(obj)]


def event(obj: Json, ages: Ages) -> list[Any]:
    """The cells of an Event."""
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    first = _either(obj, "firstTimestamp", "deprecatedFirstTimestamp") or obj.get("eventTime")
    last = _either(obj, "lastTimestamp", "deprecatedLastTimestamp") or first
    count = _either(obj, "count", "deprecatedCount") or 1
    series = obj.get("series")
    if series:
        last, count = series.get("lastObservedTime"), series.get("count")
    kind, name = about.get("kind", "").lower(), about.get("name", "")
    component = source.get("component") or _either(obj, "reportingComponent", "reportingController")
    host = source.get("host") or obj.get("reportingInstance")
    return [
        ages.since(last),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        about.get("fieldPath", ""),
        ", ".join(filter(None, (component, host))),
        (_either(obj, "message", "note") or "").strip(),
        ages.since(first),
        count,
        obj["metadata"]["name"],
    ]


def _either(obj: Json, *names: str) -> Any:
    return next((obj[name] for name in names if obj.get(name)), None)


def resource_quota(obj: Json, ages: Ages) -> list[Any]:
    """The cells of a ResourceQuota."""
    status = obj.get("status", {})
    hard, used = status.get("hard", {}), status.get("used", {})
    request: list[str] = []
    limit: list[str] = []
    for name in sorted(hard):
        shown = limit if name.startswith("limits.") else request
        shown.append(f"{name}: {used.get(name, '0')}/{hard[name]}")
    return [obj["metadata"]["name"], ", ".join(request), ", ".join(limit), ages.of(obj)]


def limit_range(obj: Json, _ages: Ages) -> list[Any]:
    """The cells of a LimitRange."""
    return [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp")]


def priority_class(obj: Json, ages: Ages) -> list[Any]:
    """The cells of a PriorityClass."""
    return [
        obj["metadata"]["name"],
        obj.get("value", 0),
        bool(obj.get("globalDefault")),
        ages.of(obj),
        obj.get("preemptionPolicy", "PreemptLowerPriority"),
    ]


def lease(obj: Json, ages: Ages) -> list[Any]:
    """The cells of a Lease."""
    return [
        obj["metadata"]["name"],
        obj.get("spec", {}).get("holderIdentity", ""),
        ages.of(obj),
    ]


def secret(obj: Json, ages: Ages) -> list[Any]:
    """The cells of a Secret."""
    data = len(obj.get("data", {}))
    return [obj["metadata"]["name"], obj.get("type", ""), data, ages.of(obj)]


def config_map(obj: Json, ages: Ages) -> list[Any]:
    """The cells of a ConfigMap."""
    data = len(obj.get("data", {})) + len(obj.get("binaryData", {}))
    return [obj["metadata"]["name"], data, ages.of(obj)]
