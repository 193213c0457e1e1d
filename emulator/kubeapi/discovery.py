"""What a client asks before anything else: versions, groups, resources.

Rules: made from the rows of `emulator.cluster.apiserver.resources`; the version is that of the server
whose behaviour was recorded. Source: Kubernetes' discovery documents; facts, "Base".
"""

from __future__ import annotations

import platform

from emulator import __version__
from emulator.cluster.apiserver.resources import ROWS, Resource
from emulator.kubeapi.answers import Json
from emulator.kubeapi.paths import subresources

KUBERNETES = ("1", "36", "2")
#: The kinds that `kubectl get all` lists.
_ALL = ("deployments", "pods", "replicasets", "services")
_SUBRESOURCES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    # group, version and kind where they are not the resource's own; verbs
    "status": ("", "", "", ("get",)),
    "log": ("", "", "", ("get",)),
    "scale": ("autoscaling", "v1", "Scale", ("get", "patch", "update")),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
}


def version() -> Json:
    """`/version`."""
    major, minor, _ = KUBERNETES
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{'.'.join(KUBERNETES)}+dhemu-{__version__}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": platform.python_implementation(),
        "platform": "simulated",
    }


def core_versions(host: str) -> Json:
    """`/api`; `host` is the server's own address."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}],
    }


def _group(name: str) -> Json:
    versions = list(dict.fromkeys(row.version for row in ROWS if row.group == name))
    shown = [{"groupVersion": f"{name}/{each}", "version": each} for each in versions]
    return {"name": name, "versions": shown, "preferredVersion": shown[0]}


def groups() -> Json:
    """`/apis`."""
    names = dict.fromkeys(row.group for row in ROWS if row.group)
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name) for name in names],
    }


def group(name: str) -> Json | None:
    """`/apis/<group>`, or None."""
    if not name or all(row.group != name for row in ROWS):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}


def resource_list(group_name: str, version_name: str) -> Json | None:
    """`/api/v1` or `/apis/<group>/<version>`, or None."""
    rows = [row for row in ROWS if (row.group, row.version) == (group_name, version_name)]
    if not rows:
        return None
    shown = [each for row in rows for each in _resources(row)]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": rows[0].api_version,
        "resources": sorted(shown, key=lambda each: str(each["name"])),
    }


def _resources(row: Resource) -> list[Json]:
    shown: Json = {
        "name": row.plural,
        "singularName": row.singular,
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": sorted(row.verbs),
    }
    if row.short_names:
        shown["shortNames"] = list(row.short_names)
    if row.plural in _ALL:
        shown["categories"] = ["all"]
    return [
        shown,
        *(_subresource(row, each) for each in subresources(row) if each in _SUBRESOURCES),
    ]


def _subresource(row: Resource, name: str) -> Json:
    group_name, version_name, kind, verbs = _SUBRESOURCES[name]
    shown: Json = {
        "name": f"{row.plural}/{name}",
        "singularName": "",
        "namespaced": row.namespaced,
        "kind": kind or row.kind,
        "verbs": list(verbs),
    }
    return {**shown, "group": group_name, "version": version_name} if group_name else shown
