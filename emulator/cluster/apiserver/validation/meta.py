"""Validation that every kind shares: metadata, labels, selectors, what may not change.

Rules: as of the package. Source: Kubernetes facts section 2; apimachinery's `api/validation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from emulator.cluster.apiserver import causes as cause
from emulator.cluster.apiserver.causes import Cause
from emulator.cluster.apiserver.validation import names

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"
_ANNOTATIONS_LIMIT = 256 * 1024
_UNCHANGED = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)

NameCheck = Callable[[str], Iterable[str]]


def metadata(meta: dict[str, Any], check: NameCheck, namespaced: bool, found: list[Cause]) -> None:
    """The metadata of a new object."""
    name = meta.get("name", "")
    if not name:
        found.append(cause.required("metadata.name", "name or generateName is required"))
    elif details := check(name):
        found += cause.all_invalid("metadata.name", name, details)
    namespace = meta.get("namespace", "")
    if namespaced:
        if not namespace:
            found.append(cause.required("metadata.namespace"))
        elif details := names.namespace(namespace):
            found += cause.all_invalid("metadata.namespace", namespace, details)
    elif namespace:
        found.append(cause.forbidden("metadata.namespace", "not allowed on this type"))
    _free_parts(meta, found)


def metadata_update(new: dict[str, Any], old: dict[str, Any], found: list[Cause]) -> None:
    """The metadata of a changed object."""
    if not new.get("resourceVersion"):
        text = "must be specified for an update"
        found.append(cause.invalid("metadata.resourceVersion", "", text))
    for field in _UNCHANGED:
        immutable(new.get(field), old.get(field), f"metadata.{field}", found)
    _free_parts(new, found)


def _free_parts(meta: dict[str, Any], found: list[Cause]) -> None:
    if given := meta.get("labels"):
        labels(given, "metadata.labels", found)
    if given := meta.get("annotations"):
        check_annotations(given, "metadata.annotations", found)
    if given := meta.get("ownerReferences"):
        _owners(given, found)
    for each in meta.get("finalizers", ()):
        found += cause.all_invalid("metadata.finalizers", each, names.qualified(each))


def labels(
    given: dict[str, str], field: str, found: list[Cause], known: dict[str, str] | None = None
) -> None:
    """Keys and values of labels, or of a selector that is a plain map.

    `known` are labels that were checked before: while nothing is wrong, a part of them is good.
    """
    if known and not found and given.items() <= known.items():
        return
    if names.good_keys(tuple(given)) and names.good_values(list(given.values())):
        return
    for key, value in given.items():
        found += cause.all_invalid(field, key, names.qualified(key))
        found += cause.all_invalid(field, value, names.label_value(value))


def check_annotations(given: dict[str, str], field: str, found: list[Cause]) -> None:
    """Keys and size of annotations."""
    for key in given:
        if details := names.qualified(key.lower()):
            found += cause.all_invalid(field, key, details)
    if sum(len(key.encode()) + len(value.encode()) for key, value in given.items()) > (
        _ANNOTATIONS_LIMIT
    ):
        found.append(cause.too_long(field, _ANNOTATIONS_LIMIT))


def _owners(owners: list[dict[str, Any]], found: list[Cause]) -> None:
    field, controller = "metadata.ownerReferences", ""
    for owner in owners:
        for part in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(part):
                text = "version must not be empty" if part == "apiVersion" else "must not be empty"
                found.append(cause.invalid(f"{field}.{part}", "", text))
        if owner.get("controller"):
            this = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if controller:
                text = (
                    "Only one reference can have Controller set to true. "
                    f'Found "true" in references for {controller} and {this}'
                )
                found.append(cause.invalid(field, owners, text))
            else:
                controller = this


def selector(given: dict[str, Any], field: str, found: list[Cause]) -> None:
    """A label selector."""
    labels(given.get("matchLabels", {}), f"{field}.matchLabels", found)
    for index, each in enumerate(given.get("matchExpressions", ())):
        at, operator = f"{field}.matchExpressions[{index}]", each.get("operator", "")
        values = each.get("values", ())
        if operator in ("In", "NotIn"):
            if not values:
                text = "must be specified when `operator` is 'In' or 'NotIn'"
                found.append(cause.required(f"{at}.values", text))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                found.append(cause.forbidden(f"{at}.values", text))
        else:
            text = "not a valid selector operator"
            found.append(cause.invalid(f"{at}.operator", operator, text))
        key = each.get("key", "")
        found += cause.all_invalid(f"{at}.key", key, names.qualified(key))
        for place, value in enumerate(values):
            details = names.label_value(value)
            found += cause.all_invalid(f"{at}.values[{place}]", value, details)


def not_negative(value: int, field: str, found: list[Cause]) -> None:
    """A count."""
    if value < 0:
        found.append(cause.invalid(field, value, NOT_NEGATIVE))


def immutable(new: object, old: object, field: str, found: list[Cause]) -> None:
    """A value that stays as it was made."""
    if new != old:
        found.append(cause.invalid(field, new, IMMUTABLE))
