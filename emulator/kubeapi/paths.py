"""The paths of the API: which resource, object and subresource a path names.

Rules: a path that leads nowhere is the 404 of an unknown resource. Source: the recorded pair
`unknown-resource`; the layout of Kubernetes' API paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from emulator.cluster.apiserver import resources, status
from emulator.cluster.apiserver.resources import Resource

#: What can follow an object's name, over what the rows say.
_MORE = {"pods": ("eviction",)}


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: a collection (`name` empty), an object, or its subresource."""

    row: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def subresources(row: Resource) -> tuple[str, ...]:
    """The subresources that are served."""
    return (*row.subresources, *_MORE.get(row.plural, ()))


def parse(path: str) -> Target:
    """The target of a path below `/api/v1` or `/apis/<group>/<version>`. Raises Rejected (404)."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[:1] == ["api"] and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise status.unknown_resource()
    found = _named(group, version, rest)
    if found is None or "" in rest:
        raise status.unknown_resource()
    return found


def _named(group: str, version: str, rest: list[str]) -> Target | None:
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and resources.find(group, version, rest[2]):
        namespace, rest = rest[1], rest[2:]
    row = resources.find(group, version, rest[0])
    if row is None or len(rest) > 3:
        return None
    if row.namespaced != bool(namespace) and (namespace or len(rest) > 1):
        return None
    name, subresource = [*rest[1:], "", ""][:2]
    if subresource and subresource not in subresources(row):
        return None
    return Target(row, namespace, name, subresource)
