"""Writes and shapes of what an administrator sets: ResourceQuota, LimitRange, PriorityClass.

Rules: an object is kept as it was written, besides what `quota` and `admission` read from it; of a
LimitRange only the entry for containers has an effect. Source: Kubernetes facts section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.cluster.objects import Stored
from emulator.cluster.objects.policy import LimitRange, PriorityClass, ResourceQuota
from emulator.cluster.quota import amount_text
from emulator.cluster.settings import LimitRangeSpec, PriorityClassSpec
from emulator.cluster.system import System

Json = dict[str, Any]


def write_quota(system: System, obj: Json, namespace: str) -> Stored:
    """Makes a quota or changes it."""
    quota = system.quotas.set(obj["metadata"]["name"], obj["spec"].get("hard", {}), namespace)
    quota.manifest = obj
    return quota


def update_quota(system: System, held: ResourceQuota, obj: Json) -> None:
    """Changes a quota."""
    write_quota(system, obj, held.namespace)


def delete_quota(system: System, held: ResourceQuota, _grace: int | None) -> None:
    """Takes a quota away."""
    system.quotas.remove(held.name, held.namespace)


def write_limits(system: System, obj: Json, namespace: str) -> Stored:
    """Makes a LimitRange or changes it."""
    items = obj["spec"].get("limits", ())
    item: Json = next((each for each in items if each.get("type") == "Container"), {})
    spec = LimitRangeSpec(
        obj["metadata"]["name"],
        default=item.get("default", {}),
        default_request=item.get("defaultRequest", {}),
        minimum=item.get("min", {}),
        maximum=item.get("max", {}),
        namespace=namespace,
    )
    limits = system.admission.set_limit_range(spec)
    limits.manifest = obj
    return limits


def update_limits(system: System, held: LimitRange, obj: Json) -> None:
    """Changes a LimitRange."""
    write_limits(system, obj, held.namespace)


def delete_limits(system: System, held: LimitRange, _grace: int | None) -> None:
    """Takes a LimitRange away."""
    system.admission.remove_limit_range(held)


def write_priority(system: System, obj: Json, _namespace: str) -> Stored:
    """Makes a PriorityClass or changes it."""
    spec = PriorityClassSpec(
        obj["metadata"]["name"],
        obj["value"],
        is_default=bool(obj.get("globalDefault")),
        preempts=obj.get("preemptionPolicy") != "Never",
    )
    made = system.admission.set_priority_class(spec)
    made.manifest = obj
    return made


def update_priority(system: System, held: PriorityClass, obj: Json) -> None:
    """Changes a PriorityClass."""
    write_priority(system, obj, held.namespace)


def delete_priority(system: System, held: PriorityClass, _grace: int | None) -> None:
    """Takes a PriorityClass away; pods keep their priority."""
    system.admission.remove_priority_class(held)


# -- shapes ---------------------------------------------------------------------------------------


def quota_body(held: ResourceQuota) -> Json:
    """What is besides the metadata of a quota: hard, and what is used of it."""
    used = {
        key: amount_text(key, amount, held.binary.get(key, False))
        for key, amount in held.used.items()
    }
    body = dict(held.manifest) if held.manifest is not None else {}
    body.setdefault("spec", {"hard": dict(held.texts)})
    body["status"] = {"hard": dict(held.texts), "used": used}
    return {"kind": "ResourceQuota", "apiVersion": "v1", **body}


def limits_body(held: LimitRange) -> Json:
    """What is besides the metadata of a LimitRange."""
    if held.manifest is not None:
        return dict(held.manifest)
    named = {
        "default": held.default,
        "defaultRequest": held.default_request,
        "max": held.maximum,
        "min": held.minimum,
    }
    item = {"type": "Container", **{key: dict(value) for key, value in named.items() if value}}
    return {"kind": "LimitRange", "apiVersion": "v1", "spec": {"limits": [item]}}


def priority_body(held: PriorityClass) -> Json:
    """What is besides the metadata of a PriorityClass."""
    if held.manifest is not None:
        return dict(held.manifest)
    body: Json = {"kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1"}
    body["value"] = held.value
    if held.is_default:
        body["globalDefault"] = True
    body["preemptionPolicy"] = "PreemptLowerPriority" if held.preempts else "Never"
    return body


BODIES: dict[str, Callable[[Any], Json]] = {
    "LimitRange": limits_body,
    "PriorityClass": priority_body,
    "ResourceQuota": quota_body,
}
