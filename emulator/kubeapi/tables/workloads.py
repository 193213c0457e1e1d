"""The columns of Deployments, ReplicaSets, Services, EndpointSlices and Nodes.

Source: Kubernetes pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from typing import Any

from emulator.kubeapi.tables import text
from emulator.kubeapi.tables.text import NONE, UNKNOWN, Ages

Json = dict[str, Any]

_TEMPLATE = (
    ("Containers", "string", "", 1),
    ("Images", "string", "", 1),
    ("Selector", "string", "", 1),
)
DEPLOYMENT = (
    ("Name", "string", "name", 0),
    ("Ready", "string", "", 0),
    ("Up-to-date", "integer", "", 0),
    ("Available", "integer", "", 0),
    ("Age", "string", "", 0),
    *_TEMPLATE,
)
REPLICA_SET = (
    ("Name", "string", "name", 0),
    ("Desired", "integer", "", 0),
    ("Current", "integer", "", 0),
    ("Ready", "integer", "", 0),
    ("Age", "string", "", 0),
    *_TEMPLATE,
)
SERVICE = (
    ("Name", "string", "name", 0),
    ("Type", "string", "", 0),
    ("Cluster-IP", "string", "", 0),
    ("External-IP", "string", "", 0),
    ("Port(s)", "string", "", 0),
    ("Age", "string", "", 0),
    ("Selector", "string", "", 1),
)
ENDPOINT_SLICE = (
    ("Name", "string", "name", 0),
    ("AddressType", "string", "", 0),
    ("Ports", "string", "", 0),
    ("Endpoints", "string", "", 0),
    ("Age", "string", "", 0),
)
NODE = (
    ("Name", "string", "name", 0),
    ("Status", "string", "", 0),
    ("Roles", "string", "", 0),
    ("Age", "string", "", 0),
    ("Version", "string", "", 0),
    ("Internal-IP", "string", "", 1),
    ("External-IP", "string", "", 1),
    ("OS-Image", "string", "", 1),
    ("Kernel-Version", "string", "", 1),
    ("Container-Runtime", "string", "", 1),
)
_ROLE = "node-role.kubernetes.io/"


def _template(obj: Json) -> list[str]:
    spec = obj["spec"]
    containers = spec.get("template", {}).get("spec", {}).get("containers", ())
    return [
        ",".join(each["name"] for each in containers),
        ",".join(each.get("image", "") for each in containers),
        text.selector(spec.get("selector", {})),
    ]


def deployment(obj: Json, ages: Ages) -> list[Any]:
    """The cells of a Deployment."""
    status = obj.get("status", {})
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{obj['spec'].get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        ages.of(obj),
        *_template(obj),
    ]


def replica_set(obj: Json, ages: Ages) -> list[Any]:
    """The cells of a ReplicaSet."""
    status = obj.get("status", {})
    return [
        obj["metadata"]["name"],
        obj["spec"].get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        ages.of(obj),
        *_template(obj),
    ]


def service(obj: Json, ages: Ages) -> list[Any]:
    """The cells of a Service."""
    spec = obj["spec"]
    return [
        obj["metadata"]["name"],
        spec.get("type", ""),
        (spec.get("clusterIPs") or [spec.get("clusterIP") or NONE])[0],
        _external(obj),
        ",".join(_port(each) for each in spec.get("ports", ())) or NONE,
        ages.of(obj),
        text.labels(spec.get("selector", {})),
    ]


def _port(port: Json) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"


def _external(obj: Json) -> str:
    spec = obj["spec"]
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    given = list(spec.get("externalIPs", ()))
    if spec.get("type") != "LoadBalancer":
        return ",".join(given) or NONE
    ingress = obj.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    found = sorted({each.get("ip") or each.get("hostname", "") for each in ingress} - {""})
    return ",".join([*found, *given]) or "<pending>"


def endpoint_slice(obj: Json, ages: Ages) -> list[Any]:
    """The cells of an EndpointSlice."""
    ports = (str(each.get("port") or each.get("name") or "*") for each in obj.get("ports") or ())
    addresses = (
        address for each in obj.get("endpoints") or () for address in each.get("addresses", ())
    )
    return [
        obj["metadata"]["name"],
        obj.get("addressType", ""),
        text.some(ports),
        text.some(addresses),
        ages.of(obj),
    ]


def node(obj: Json, ages: Ages) -> list[Any]:
    """The cells of a Node."""
    status = obj.get("status", {})
    addresses = {each["type"]: each["address"] for each in status.get("addresses", ())}
    info = status.get("nodeInfo", {})
    return [
        obj["metadata"]["name"],
        _node_status(obj),
        _roles(obj["metadata"].get("labels", {})),
        ages.of(obj),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _node_status(obj: Json) -> str:
    conditions = obj.get("status", {}).get("conditions", ())
    ready = next((each for each in conditions if each["type"] == "Ready"), None)
    shown = "Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"
    return f"{shown},SchedulingDisabled" if obj.get("spec", {}).get("unschedulable") else shown


def _roles(given: dict[str, str]) -> str:
    roles = {key.removeprefix(_ROLE) for key in given if key.startswith(_ROLE)}
    roles |= {value for key, value in given.items() if key == "kubernetes.io/role" and value}
    return ",".join(sorted(roles - {""})) or NONE
