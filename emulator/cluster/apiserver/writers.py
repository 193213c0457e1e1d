"""What a write of the API does in the cluster, kind by kind.

Rules: an object comes in read, defaulted and validated; a Service alone is validated by its writer,
after the allocation. One row a kind; a kind without `update` cannot be changed, one without `create`
belongs to the cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from emulator.cluster.apiserver import namespaces, policies
from emulator.cluster.apiserver.status import Rejected, forbidden
from emulator.cluster.controllers.replicasets import PodRefused
from emulator.cluster.node_writes import set_taints
from emulator.cluster.objects import Deployment, Node, Pod, ReplicaSet, Service, Stored, Taint
from emulator.cluster.objects.plain import ConfigMap, Namespace, Secret
from emulator.cluster.settings import NodePool
from emulator.cluster.system import System
from emulator.cluster.templates import quantities, read_template
from emulator.domain.timefmt import SECOND

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Writer:
    """How objects of a kind are made, changed and ended; a delete's `grace` is in seconds.

    `rehearse` raises what `create` would raise, and changes nothing.
    """

    create: Callable[[System, Json, str], Stored] | None = None
    update: Callable[[System, Any, Json], None] | None = None
    delete: Callable[[System, Any, int | None], None] | None = None
    rehearse: Callable[[System, Json, str], None] | None = None


# -- workloads ------------------------------------------------------------------------------------


def _create_deployment(system: System, obj: Json, namespace: str) -> Stored:
    return system.create_deployment(obj, namespace)


def _update_deployment(system: System, held: Deployment, obj: Json) -> None:
    system.update_deployment(held, obj)


def _create_replica_set(system: System, obj: Json, namespace: str) -> Stored:
    spec = obj["spec"]
    cluster = system.cluster
    template = read_template(spec["template"])
    replica_set = ReplicaSet(
        obj["metadata"]["name"],
        namespace,
        cluster.now,
        wanted=spec["replicas"],
        template=template,
        selector=dict(spec["selector"].get("matchLabels", {})),
        labels=template.labels,
        manifest=obj,
    )
    replica_set.min_ready = spec.get("minReadySeconds", 0) * SECOND
    cluster.store.add(replica_set, owner="", workload="")
    return replica_set


def _update_replica_set(system: System, held: ReplicaSet, obj: Json) -> None:
    spec, meta = obj["spec"], obj["metadata"]
    if meta.get("generation", held.generation) != held.generation:
        held.template = read_template(spec["template"])
        held.labels = held.template.labels
        held.wanted = spec["replicas"]
        held.min_ready = spec.get("minReadySeconds", 0) * SECOND
        held.generation += 1
    held.manifest = _without_owner(held, obj)
    system.cluster.store.changed(held)


def _without_owner(held: Stored, obj: Json) -> Json:
    """A manifest without its owner where the store knows it: it may be another one tomorrow."""
    if held.owner is None:
        return obj
    meta = {key: value for key, value in obj["metadata"].items() if key != "ownerReferences"}
    return {**obj, "metadata": meta}


def _rehearse_deployment(system: System, obj: Json, namespace: str) -> None:
    deployment = Deployment(obj["metadata"]["name"], namespace, system.cluster.now)
    system.quotas.admit_deployment(deployment)


def _create_pod(system: System, obj: Json, namespace: str) -> Stored:
    pod = _admitted_pod(system, obj, namespace)
    system.cluster.store.add(pod, owner="", workload="")
    return pod


def _rehearse_pod(system: System, obj: Json, namespace: str) -> None:
    _admitted_pod(system, obj, namespace)


def _admitted_pod(system: System, obj: Json, namespace: str) -> Pod:
    name = obj["metadata"]["name"]
    pod = Pod(name, namespace, system.cluster.now, read_template(obj), manifest=obj)
    try:
        system.admit(pod)
    except PodRefused as refused:
        text = str(refused)
        raise Rejected(
            403, "Forbidden", text, (), forbidden("", "pods", name, "").details
        ) from None
    return pod


def _update_kept(system: System, held: Stored, obj: Json) -> None:
    """Metadata of an object whose spec stays: labels and annotations."""
    held.manifest = obj
    held.labels = dict(obj["metadata"].get("labels", {}))
    system.cluster.store.changed(held)


def _update_pod(system: System, held: Pod, obj: Json) -> None:
    system.endpoints.relabel(held, dict(obj["metadata"].get("labels", {})))
    held.manifest = _without_owner(held, obj)
    system.cluster.store.changed(held)


def _delete_pod(system: System, held: Pod, grace: int | None) -> None:
    system.deletion.delete_pod(held, grace)


def _delete_deployment(system: System, held: Deployment, _grace: int | None) -> None:
    system.delete_deployment(held)


# -- services and what is only kept -----------------------------------------------------------------


def _create_service(system: System, obj: Json, namespace: str) -> Stored:
    return system.services.create(obj, namespace)


def _rehearse_service(system: System, obj: Json, namespace: str) -> None:
    system.services.rehearse(obj, namespace)


def _update_service(system: System, held: Service, obj: Json) -> None:
    system.services.update(held, obj)


def _delete_service(system: System, held: Service, _grace: int | None) -> None:
    system.services.delete(held)


def _keeper(maker: Callable[..., Stored]) -> Callable[[System, Json, str], Stored]:
    def create(system: System, obj: Json, namespace: str) -> Stored:
        meta = obj["metadata"]
        kept = maker(
            meta["name"],
            namespace,
            system.cluster.now,
            labels=dict(meta.get("labels", {})),
            manifest=obj,
        )
        system.cluster.store.add(kept)
        return kept

    return create


def _delete_kept(system: System, held: Stored, _grace: int | None) -> None:
    system.cluster.store.remove(held)


def _delete_namespace(system: System, held: Namespace, _grace: int | None) -> None:
    namespaces.end(system.cluster, held, partial(_empty_namespace, system))


def _empty_namespace(system: System, name: str) -> None:
    store = system.cluster.store
    for kind in (*_WORKING, *_KEPT):
        writer = WRITERS[kind]
        assert writer.delete is not None
        for obj in store.all(kind):
            if obj.namespace == name:
                writer.delete(system, obj, None)


# -- nodes ----------------------------------------------------------------------------------------


def _create_node(system: System, obj: Json, _namespace: str) -> Stored:
    meta = obj["metadata"]
    amounts = quantities(obj["status"].get("allocatable", {}))
    pool = NodePool(
        name=meta["name"],
        count=1,
        cpu=amounts.get("cpu", NodePool().cpu),
        memory=amounts.get("memory", NodePool().memory),
        disk=amounts.get("ephemeral-storage", NodePool().disk),
        gpu=amounts.get("nvidia.com/gpu", 0),
        pods=amounts.get("pods", NodePool().pods),
        labels=dict(meta.get("labels", {})),
    )
    node = Node(meta["name"], pool, system.cluster.now)
    node.manifest = {"metadata": meta}
    system.nodes.add(node)
    return node


def _update_node(system: System, held: Node, obj: Json) -> None:
    spec = obj["spec"]
    held.manifest = {"metadata": obj["metadata"]}
    held.labels = dict(obj["metadata"].get("labels", {}))
    known = {(each.key, each.effect): each for each in held.taints}
    taints = tuple(
        known.get((each["key"], each["effect"]))
        or Taint(each["key"], each["effect"], each.get("value", ""))
        for each in spec.get("taints", ())
    )
    if taints != held.taints:
        set_taints(system.cluster, held, taints)
    cordoned = bool(spec.get("unschedulable"))
    if cordoned != held.unschedulable:
        (system.nodes.cordon if cordoned else system.nodes.uncordon)(held)
    else:
        system.cluster.store.changed(held)


def _delete_node(system: System, held: Node, _grace: int | None) -> None:
    system.nodes.remove(held)


_WORKING = ("Deployment", "ReplicaSet", "Pod", "Service")
_KEPT = ("Secret", "ConfigMap", "ResourceQuota", "LimitRange")

WRITERS: dict[str, Writer] = {
    "ConfigMap": Writer(_keeper(ConfigMap), _update_kept, _delete_kept),
    "LimitRange": Writer(policies.write_limits, policies.update_limits, policies.delete_limits),
    "PriorityClass": Writer(
        policies.write_priority, policies.update_priority, policies.delete_priority
    ),
    "ResourceQuota": Writer(policies.write_quota, policies.update_quota, policies.delete_quota),
    "Deployment": Writer(
        _create_deployment, _update_deployment, _delete_deployment, _rehearse_deployment
    ),
    "Namespace": Writer(_keeper(Namespace), _update_kept, _delete_namespace),
    "Node": Writer(_create_node, _update_node, _delete_node),
    "Pod": Writer(_create_pod, _update_pod, _delete_pod, _rehearse_pod),
    "ReplicaSet": Writer(_create_replica_set, _update_replica_set, _delete_kept),
    "Secret": Writer(_keeper(Secret), _update_kept, _delete_kept),
    "Service": Writer(_create_service, _update_service, _delete_service, _rehearse_service),
}
