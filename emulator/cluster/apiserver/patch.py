"""Patches: which kind of patch a content type is, JSON patch, JSON merge patch, and their errors.

Rules: a patch is applied to a copy of the stored object; the outcome is read as a body is, so types,
defaults and unknown fields are dealt with as of a PUT. Name and namespace stay. Validation and
versions are the caller's. Source: RFC 6902, RFC 7386; apiserver's `handlers/patch.go`.
"""

from __future__ import annotations

import copy
from typing import Any

from emulator.cluster.apiserver import causes as cause
from emulator.cluster.apiserver import managed, strategic
from emulator.cluster.apiserver.resources import Resource
from emulator.cluster.apiserver.status import (
    Rejected,
    bad_request,
    invalid,
    not_found,
    unsupported_media_type,
)

Object = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
ACCEPTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY)
_LONGEST_MANAGER = 128


class _Failed(Exception):
    """A JSON patch that does not fit its document."""


def apply(
    content_type: str,
    old: Object | None,
    body: Any,
    row: Resource,
    manager: str = "",
    force: bool | None = None,
    *,
    name: str = "",
    namespace: str = "",
    time: str = "",
) -> Object:
    """The object that the patch makes of `old`, with defaults.

    `manager` is the request's fieldManager, `time` the text that its managed fields carry. An apply
    makes an object that is not there (`old` is None) by `name`; another patch does not. Raises
    Rejected: 400, 404, 409 (conflicts of an apply), 415, 422.
    """
    kind = content_type.partition(";")[0].strip()
    if kind not in ACCEPTED:
        raise unsupported_media_type(ACCEPTED)
    _check_options(kind, manager, force)
    if kind == APPLY:
        return managed.apply(old, body, row, manager, bool(force), name, namespace, time)
    if old is None:
        raise not_found(row.group, row.plural, name)
    patched = _patched(kind, old, body, row)
    obj = row.read(patched, old["metadata"].get("namespace", ""))
    if manager:
        managed.update(obj, old, row, manager, time)
    return obj


def _check_options(kind: str, manager: str, force: bool | None) -> None:
    found = []
    if kind != APPLY and force is not None:
        found.append(cause.forbidden("force", "may not be specified for non-apply patch"))
    if kind == APPLY and not manager:
        found.append(cause.required("fieldManager", "is required for apply patch"))
    if len(manager) > _LONGEST_MANAGER:
        found.append(cause.too_long("fieldManager", _LONGEST_MANAGER))
    if found:
        raise invalid("meta.k8s.io", "PatchOptions", "", found)


def _patched(kind: str, old: Object, body: Any, row: Resource) -> Any:
    if kind == JSON_PATCH:
        if not isinstance(body, list):
            raise bad_request(
                "error decoding patch: json: cannot unmarshal object into Go value of type "
                "jsonpatch.Patch"
            )
        try:
            return json_patch(old, body)
        except _Failed as error:
            raise _unprocessable(str(error)) from None
    if not isinstance(body, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type "
            "map[string]interface {}"
        )
    if kind == MERGE_PATCH:
        return merge_patch(old, body)
    try:
        return strategic.merge(row.schema, old, body)
    except strategic.BadPatch as error:
        raise bad_request(str(error)) from None


def _unprocessable(message: str) -> Rejected:
    text = f"the server rejected our request due to an error in our request: {message}"
    return Rejected(422, "Invalid", text, (), {})


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: the target with the patch merged in; null removes. Neither is changed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(target: Any, operations: list[Any]) -> Any:
    """RFC 6902: the target after all operations. It is not changed. Raises _Failed."""
    document = copy.deepcopy(target)
    for each in operations:
        if not isinstance(each, dict) or "op" not in each or "path" not in each:
            raise _Failed("Unexpected kind: unknown")
        document = _operate(document, each)
    return document


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    kind, path = operation["op"], _pointer(operation["path"])
    if kind in ("add", "replace", "test") and "value" not in operation:
        raise _Failed(f"{kind} operation missing value")
    if kind == "add":
        return _add(document, path, copy.deepcopy(operation["value"]))
    if kind == "remove":
        return _remove(document, path)[0]
    if kind == "replace":
        _get(document, path)
        return _replace(document, path, copy.deepcopy(operation["value"]))
    if kind == "test":
        try:
            found = _get(document, path)
        except _Failed:
            found = None
        if not _same(found, operation["value"]):
            raise _Failed(f"testing value {operation['path']} failed: test failed")
        return document
    if kind in ("move", "copy"):
        source = _pointer(operation.get("from", ""))
        if kind == "copy":
            return _add(document, path, copy.deepcopy(_get(document, source)))
        if path[: len(source)] == source and path != source:
            raise _Failed("move: the target lies inside what is moved")
        document, value = _remove(document, source)
        return _add(document, path, value)
    raise _Failed(f"Unexpected kind: {kind}")


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON, where true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise _Failed(f'unable to find path: "{text}"')
    return [each.replace("~1", "/").replace("~0", "~") for each in text.split("/")[1:]]


def _index(items: list[Any], part: str, *, end: int) -> int:
    if not part.isdecimal() or (len(part) > 1 and part[0] == "0") or int(part) >= end:
        raise _Failed(f"Unable to access invalid index: {part}: invalid index referenced")
    return int(part)


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(document, list):
            document = document[_index(document, part, end=len(document))]
        elif isinstance(document, dict) and part in document:
            document = document[part]
        else:
            raise _Failed(f"doc is missing key: /{'/'.join(path)}: missing value")
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, part = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        end = len(parent)
        parent.insert(end if part == "-" else _index(parent, part, end=end + 1), value)
    elif isinstance(parent, dict):
        parent[part] = value
    else:
        raise _Failed(f"doc is missing path: /{'/'.join(path)}: missing value")
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, part = _get(document, path[:-1]), path[-1]
    parent[int(part) if isinstance(parent, list) else part] = value
    return document


def _remove(document: Any, path: list[str]) -> tuple[Any, Any]:
    value = _get(document, path)
    if not path:
        return None, value
    parent, part = _get(document, path[:-1]), path[-1]
    del parent[int(part) if isinstance(parent, list) else part]
    return document, value
