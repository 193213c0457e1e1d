"""EndpointSlices, Nodes and Events as Kubernetes writes them; the rules are those of `render`."""

from __future__ import annotations

from typing import Any, Protocol

from emulator.cluster.events import SERIES_SOURCES, Event
from emulator.cluster.objects import Conditioned, EndpointSlice, Node, Stored

Json = dict[str, Any]


class Shape(Protocol):
    """What every kind's shape is made with: the renderer."""

    def metadata(self, obj: Stored, *, generation: bool = False) -> Json: ...

    def conditions(self, obj: Conditioned, *, updates: bool = False) -> list[Json]: ...

    def uid(self, obj: Stored) -> str: ...

    def time(self, instant: int) -> str: ...


def endpoint_slice(shape: Shape, obj: EndpointSlice) -> Json:
    """An EndpointSlice with its endpoints."""
    meta = shape.metadata(obj, generation=True)
    meta["generateName"] = f"{obj.service.name}-"
    meta["labels"] = {
        **obj.service.labels,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": obj.service.name,
    }
    endpoints = []
    for each in obj.endpoints.values():
        pod = each.pod
        entry: Json = {
            "addresses": [each.ip],
            "conditions": {
                "ready": each.ready,
                "serving": each.serving,
                "terminating": each.terminating,
            },
            "targetRef": {
                "kind": "Pod",
                "namespace": pod.namespace,
                "name": pod.name,
                "uid": shape.uid(pod),
            },
        }
        if pod.node is not None:
            entry["nodeName"] = pod.node.name
            if pod.node.zone:
                entry["zone"] = pod.node.zone
        endpoints.append(entry)
    ports = None
    if obj.ports is not None:
        ports = [
            {"name": port.name, "protocol": port.protocol, "port": port.target_port}
            for port in obj.ports
        ]
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": meta,
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    }


def node(shape: Shape, obj: Node) -> Json:
    """A Node: taints, amounts, conditions."""
    spec: Json = {}
    if obj.taints:
        spec["taints"] = [
            {
                "key": each.key,
                **({"value": each.value} if each.value else {}),
                "effect": each.effect,
                **({"timeAdded": shape.time(each.added)} if each.added is not None else {}),
            }
            for each in obj.taints
        ]
    if obj.unschedulable:
        spec["unschedulable"] = True
    held = obj.allocatable
    amounts = {
        name: f"{amount}m" if name == "cpu" and amount % 1000 else str(amount)
        for name, amount in held.items()
        if amount or name != "nvidia.com/gpu"
    }
    if held["cpu"] % 1000 == 0:
        amounts["cpu"] = str(held["cpu"] // 1000)
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": shape.metadata(obj),
        "spec": spec,
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": shape.conditions(obj),
            "addresses": [{"type": "Hostname", "address": obj.name}],
            "nodeInfo": {
                "kubeletVersion": "v1.36.2",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": "amd64",
                "osImage": "simulated",
                "kernelVersion": "",
                "containerRuntimeVersion": "dhemu://simulated",
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
            },
        },
    }


def event(shape: Shape, obj: Event) -> Json:
    """An Event, in the shape of core/v1; those of the newer API have a series instead of a count."""
    about = obj.about
    meta = shape.metadata(obj)
    meta.pop("ownerReferences", None)
    shown: Json = {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": meta,
        "involvedObject": {
            "kind": about.kind,
            **({"namespace": about.namespace} if about.namespace else {}),
            "name": about.name,
            "uid": shape.uid(about),
            "apiVersion": "apps/v1" if about.kind in ("Deployment", "ReplicaSet") else "v1",
            "resourceVersion": str(about.version),
        },
        "reason": obj.reason,
        "message": obj.note,
        "source": {"component": obj.source},
        "firstTimestamp": shape.time(obj.first),
        "lastTimestamp": shape.time(obj.last),
        "count": obj.count,
        "type": obj.type,
        "eventTime": None,
        "reportingComponent": obj.source,
        "reportingInstance": "",
    }
    if obj.source in SERIES_SOURCES:
        del shown["count"], shown["firstTimestamp"], shown["lastTimestamp"]
        shown["source"] = {}
        shown["eventTime"] = shape.time(obj.first)[:-1] + ".000000Z"
        shown["action"] = "Binding" if obj.reason == "Scheduled" else "Scheduling"
        if obj.count > 1:
            observed = shape.time(obj.last)[:-1] + ".000000Z"
            shown["series"] = {"count": obj.count, "lastObservedTime": observed}
    return shown
