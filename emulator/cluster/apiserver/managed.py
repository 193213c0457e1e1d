"""Server-side apply, and who manages which field.

Rules: what a manager owns is a set of leaf paths, kept in `metadata.managedFields` in Kubernetes' own
form. A path's parts are field names, or the keys of an element of a keyed list. Atomic structs, maps
and lists are one leaf. An apply that changes a leaf of another manager is refused unless forced; a
leaf that its manager no longer applies, and nobody else owns, is removed. Source: Kubernetes docs,
"Server-Side Apply"; structured-merge-diff.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from emulator.cluster.apiserver import decode
from emulator.cluster.apiserver.causes import show
from emulator.cluster.apiserver.resources import Resource
from emulator.cluster.apiserver.schema import List, Map, Struct, Type, unknown_fields
from emulator.cluster.apiserver.status import apply_conflict, bad_request

Object = dict[str, Any]
#: "f:replicas", or "k:{...}" with the keys of an element.
Path = tuple[str, ...]

#: The value of an element of a keyed list itself.
_ELEMENT: Any = object()
_SYSTEM = frozenset(
    ("f:" + each,)
    for each in ("apiVersion", "kind")
) | frozenset(
    ("f:metadata", "f:" + each)
    for each in (
        "name namespace uid resourceVersion generation creationTimestamp managedFields selfLink "
        "deletionTimestamp deletionGracePeriodSeconds"
    ).split()
)  # fmt: skip


def leaves(kind: Type | None, value: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The leaf paths of a value and what is there, in the order of the document."""
    if isinstance(value, dict) and value and not getattr(kind, "atomic", False):
        for key, item in value.items():
            child = kind.fields.get(key) if isinstance(kind, Struct) else None
            child = kind.value if isinstance(kind, Map) else child
            yield from leaves(child, item, (*at, f"f:{key}"))
    elif isinstance(value, list) and isinstance(kind, List) and kind.keys:
        for item in value:
            key = (*at, _key(kind, item))
            yield key, _ELEMENT
            yield from leaves(kind.item, item, key)
    else:
        yield at, value


def _key(kind: List, item: Any) -> str:
    """The part of an element: its keys, a protocol being TCP unless given."""
    keys = {
        each: item.get(each, "TCP" if each == "protocol" else _blank(each)) for each in kind.keys
    }
    return f"k:{show(keys)}"


def _blank(key: str) -> Any:
    return 0 if "ort" in key else ""


def _owned(row: Resource, obj: Object) -> dict[Path, Any]:
    found = dict(leaves(row.schema, obj))
    return {path: value for path, value in found.items() if path not in _SYSTEM and path != ()}


def _entries(obj: Object | None) -> list[Object]:
    return list((obj or {}).get("metadata", {}).get("managedFields", ()))


def paths(fields: Object, at: Path = ()) -> Iterator[Path]:
    """The leaf paths of a `fieldsV1`."""
    if not fields and at:
        yield at
    for part, inner in fields.items():
        if part == ".":
            yield at
        else:
            yield from paths(inner, (*at, part))


def fields_v1(owned: set[Path]) -> Object:
    """Leaf paths as `fieldsV1` writes them."""
    root: Object = {}
    for path in sorted(owned):
        place = root
        for part in path:
            place = place.setdefault(part, {})
        if path[-1].startswith("k:"):
            place["."] = {}
    return root


def text(path: Path) -> str:
    """A path as messages show it: `.spec.containers[name="c"].image`."""
    shown = ""
    for part in path:
        if part.startswith("f:"):
            shown += f".{part[2:]}"
        else:
            keys = json.loads(part[2:])
            shown += "[" + ",".join(f"{name}={show(value)}" for name, value in keys.items()) + "]"
    return shown


def apply(
    old: Object | None,
    body: Any,
    row: Resource,
    manager: str,
    force: bool,
    name: str,
    namespace: str,
    time: str,
) -> Object:
    """The object after the apply, with defaults and managed fields. Raises Rejected (400, 409)."""
    wanted = _configuration(body, row, name, namespace)
    applied = _owned(row, wanted)
    entries = copy.deepcopy(_entries(old))
    mine = next((each for each in entries if _is(each, manager, "Apply")), None)
    others = [each for each in entries if each is not mine]
    live = copy.deepcopy(old) if old is not None else {}
    live.get("metadata", {}).pop("managedFields", None)
    merged = _merge(row.schema, live, wanted)
    _settle_conflicts(_changed(_owned(row, live), _owned(row, merged)), others, force)
    kept = {path for each in others for path in paths(each["fieldsV1"])}
    for path in _abandoned(mine, set(applied), kept):
        _remove(row.schema, merged, path)
    obj = row.read(merged, namespace)
    entry = _entry(manager, "Apply", row, set(applied), time)
    if mine is not None and mine["fieldsV1"] == entry["fieldsV1"]:
        entry = mine
    _keep(obj, [each for each in (*others, entry) if each["fieldsV1"]])
    return obj


def _configuration(body: Any, row: Resource, name: str, namespace: str) -> Object:
    """What is applied: read without defaults, so that only what is said is owned."""
    wanted = decode.decode(body, row.api_version, row.kind, row.schema)
    if wanted["metadata"].get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    if unknown := unknown_fields(row.schema, body):
        subject = f"{namespace}/{name}; {row.api_version}, Kind={row.kind}"
        raise bad_request(
            f"failed to create typed patch object ({subject}): .{unknown[0]}: "
            "field not declared in schema"
        )
    if name:
        decode.check_name(wanted, name)
    if row.namespaced:
        decode.check_namespace(wanted, namespace)
    return wanted


def _changed(before: dict[Path, Any], after: dict[Path, Any]) -> set[Path]:
    """The leaves of `after` that are new or have another value."""
    return {path for path, value in after.items() if path not in before or before[path] != value}


def _settle_conflicts(changed: set[Path], others: list[Object], force: bool) -> None:
    """Refuses a change of another manager's leaves; forced, takes them away."""
    conflicts = []
    for each in others:
        held = set(paths(each["fieldsV1"]))
        disputed = sorted(path for path in held if path in changed)
        conflicts += [(each, path) for path in disputed]
        if force and disputed:
            each["fieldsV1"] = fields_v1(held.difference(disputed))
    if conflicts and not force:
        raise _conflict(conflicts)


def _shown(entry: Object) -> str:
    shown = show(entry["manager"])
    if entry.get("subresource"):
        shown += f" with subresource {show(entry['subresource'])}"
    if entry["operation"] == "Update":
        shown += f" using {entry['apiVersion']}"
        if entry.get("time"):
            shown += f" at {entry['time']}"
    return shown


def _conflict(conflicts: list[tuple[Object, Path]]) -> Exception:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_shown(entry)}",
            "field": text(path),
        }
        for entry, path in conflicts
    ]
    if len(conflicts) == 1:
        cause = causes[0]
        message = f"Apply failed with 1 conflict: {cause['message']}: {cause['field']}"
        return apply_conflict(message, causes)
    by_manager: dict[str, list[str]] = {}
    for entry, path in conflicts:
        by_manager.setdefault(_shown(entry), []).append(f"- {text(path)}")
    lines = []
    for shown in sorted(by_manager):
        lines += [f"conflicts with {shown}:", *by_manager[shown]]
    listed = "\n".join(lines)
    return apply_conflict(f"Apply failed with {len(conflicts)} conflicts: {listed}", causes)


def _abandoned(mine: Object | None, applied: set[Path], kept: set[Path]) -> list[Path]:
    """What this manager applied before and no longer does, and nobody else owns.

    An element comes before its leaves.
    """
    before = set(paths(mine["fieldsV1"])) if mine else set()
    gone = [path for path in before - applied - kept if not _holds(path, applied | kept)]
    return sorted(gone, key=lambda path: (len(path), path))


def _holds(path: Path, owned: set[Path]) -> bool:
    """Whether something owned lies below."""
    return any(each[: len(path)] == path for each in owned)


def _merge(kind: Type | None, live: Any, wanted: Any) -> Any:
    if isinstance(wanted, dict) and isinstance(live, dict) and not getattr(kind, "atomic", False):
        merged = dict(live)
        for key, item in wanted.items():
            child = kind.fields.get(key) if isinstance(kind, Struct) else None
            child = kind.value if isinstance(kind, Map) else child
            merged[key] = _merge(child, live[key], item) if key in live else copy.deepcopy(item)
        return merged
    if isinstance(wanted, list) and isinstance(live, list) and isinstance(kind, List) and kind.keys:
        return _merge_list(kind, live, wanted)
    return copy.deepcopy(wanted)


def _merge_list(kind: List, live: list[Any], wanted: list[Any]) -> list[Any]:
    merged, places = list(live), {_key(kind, item): index for index, item in enumerate(live)}
    for item in wanted:
        place = places.get(_key(kind, item))
        if place is None:
            merged.append(copy.deepcopy(item))
        else:
            merged[place] = _merge(kind.item, merged[place], item)
    return merged


def _remove(kind: Type | None, value: Any, path: Path) -> None:
    """Takes the leaf out of the value, in place; what is not there is well."""
    part, rest = path[0], path[1:]
    if isinstance(value, dict) and part.startswith("f:"):
        key = part[2:]
        if key not in value:
            return
        if not rest:
            del value[key]
            return
        child = kind.fields.get(key) if isinstance(kind, Struct) else None
        _remove(kind.value if isinstance(kind, Map) else child, value[key], rest)
        if not value[key]:
            del value[key]
    elif isinstance(value, list) and isinstance(kind, List):
        place = next((at for at, item in enumerate(value) if _key(kind, item) == part), None)
        if place is not None and rest:
            _remove(kind.item, value[place], rest)
        elif place is not None:
            del value[place]


def _is(entry: Object, manager: str, operation: str) -> bool:
    return (entry["manager"], entry["operation"]) == (manager, operation)


def _entry(manager: str, operation: str, row: Resource, owned: set[Path], time: str) -> Object:
    stamp = {"time": time} if time else {}
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": row.api_version,
        **stamp,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields_v1(owned),
    }


def update(obj: Object, old: Object | None, row: Resource, manager: str, time: str = "") -> None:
    """Records that `manager` wrote `obj` (a create, PUT or patch): what it changed is its own.

    Whoever owned a changed or removed leaf loses it. In place; `old` is None for a create.
    """
    entries = copy.deepcopy(_entries(old))
    before = _owned(row, old) if old is not None else {}
    after = _owned(row, obj)
    changed = _changed(before, after)
    mine = next((each for each in entries if _is(each, manager, "Update")), None)
    owned = changed | set(paths(mine["fieldsV1"]) if mine else ())
    for each in entries:
        held = {path for path in paths(each["fieldsV1"]) if path in after and path not in changed}
        each["fieldsV1"] = fields_v1(held)
    others = [each for each in entries if each is not mine and each["fieldsV1"]]
    owned = {path for path in owned if path in after}
    mine_now = [_entry(manager, "Update", row, owned, time)] if owned else []
    _keep(obj, [*others, *mine_now])


def _keep(obj: Object, entries: list[Object]) -> None:
    obj["metadata"].pop("managedFields", None)
    if entries:
        obj["metadata"]["managedFields"] = entries
