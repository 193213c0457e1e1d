"""Events in their two shapes: core/v1, as they are stored, and events.k8s.io/v1.

Rules: the same fields under other names; what has no counterpart keeps its `deprecated` name.
Source: Kubernetes pkg/apis/events/v1/conversion.go.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "count": "deprecatedCount",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
}
_BACK = {new: old for old, new in _NAMES.items()}


def shown(stored: Object) -> Object:
    """A stored Event as events.k8s.io/v1 shows it."""
    renamed = {_NAMES.get(field, field): value for field, value in stored.items()}
    return {**renamed, "apiVersion": "events.k8s.io/v1"}


def stored(given: Object) -> Object:
    """An Event of events.k8s.io/v1 as it is stored."""
    renamed = {_BACK.get(field, field): value for field, value in given.items()}
    return {**renamed, "apiVersion": "v1"}
