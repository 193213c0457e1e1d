"""A Service around the allocation of its addresses and ports: before, after, and when refused.

Rules: IPv4 single stack. Allocation comes before validation: `prepare` a Service that was read, then
allocate, then validate. Nothing here holds a range. Source: Kubernetes facts sections 0.3 and 1;
registry/core/service/storage/alloc.go.
"""

from __future__ import annotations

from typing import Any

from emulator.cluster.apiserver import causes as cause
from emulator.cluster.apiserver.causes import Cause
from emulator.cluster.apiserver.status import Rejected, internal, invalid
from emulator.cluster.apiserver.validation import service as validation

Object = dict[str, Any]

_FAMILY = "IPv4"
_POLICY = "spec.ipFamilyPolicy"
_WITH_PORTS = ("NodePort", "LoadBalancer")


def prepare(obj: Object, old: Object | None = None) -> None:
    """Addresses and families made consistent, what was allocated carried over. Raises Rejected.

    `old` is the Service that `obj` replaces, if any.
    """
    spec = obj["spec"]
    if old is not None:
        _carry(spec, old["spec"])
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    if spec["type"] == "ExternalName":
        return
    name = obj["metadata"].get("name", "")
    found: list[Cause] = []
    validation.addresses(spec, found)
    _refuse(name, found)
    _check_family_counts(spec, found)
    for index, address in enumerate(spec.get("clusterIPs", ())):
        if address != "None" and ":" in address and index >= len(spec.get("ipFamilies", ())):
            at = f"spec.clusterIPs[{index}]"
            found.append(
                cause.invalid(at, spec["clusterIPs"], "IPv6 is not configured on this cluster")
            )
    _refuse(name, found)
    if spec.get("clusterIPs") == ["None"] and not spec.get("selector"):
        _headless_families(spec)
        return
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        text = "this cluster is not configured for dual-stack services"
        found.append(cause.invalid(_POLICY, "RequireDualStack", text))
    for index, family in enumerate(spec.get("ipFamilies", ())):
        if family != _FAMILY:
            text = "not configured on this cluster"
            found.append(cause.invalid(f"spec.ipFamilies[{index}]", family, text))
    _refuse(name, found)
    spec.setdefault("ipFamilies", [_FAMILY])
    spec.setdefault("ipFamilyPolicy", "SingleStack")


def _refuse(name: str, found: list[Cause]) -> None:
    if found:
        raise invalid("", "Service", name, found)


def _check_family_counts(spec: Object, found: list[Cause]) -> None:
    if spec.get("ipFamilyPolicy") != "SingleStack":
        return
    start = "must be RequireDualStack or PreferDualStack when multiple"
    if len(spec.get("clusterIPs", ())) == 2:
        text = f"{start} cluster IPs are specified"
        found.append(cause.invalid(_POLICY, "SingleStack", text))
    if len(spec.get("ipFamilies", ())) == 2:
        text = f"{start} IP families are specified"
        found.append(cause.invalid(_POLICY, "SingleStack", text))


def _headless_families(spec: Object) -> None:
    """Nobody routes to it, so both families are allowed on any cluster."""
    policy = spec.setdefault("ipFamilyPolicy", "RequireDualStack")
    families = spec.setdefault("ipFamilies", [_FAMILY])
    if policy != "SingleStack" and len(families) < 2:
        families.append("IPv6" if families[0] == _FAMILY else _FAMILY)


def _carry(spec: Object, old: Object) -> None:
    """What an update leaves out and the old Service has: address, families, node ports."""
    if spec["type"] != "ExternalName" and old["type"] != "ExternalName":
        if not spec.get("clusterIP") and not spec.get("clusterIPs"):
            for field in ("clusterIP", "clusterIPs"):
                if field in old:
                    spec[field] = _copy(old[field])
        elif spec.get("clusterIP") != old.get("clusterIP") and spec.get("clusterIPs") == old.get(
            "clusterIPs"
        ):
            spec["clusterIPs"] = [spec["clusterIP"]] if spec.get("clusterIP") else []
        for field in ("ipFamilies", "ipFamilyPolicy"):
            if field in old:
                spec.setdefault(field, _copy(old[field]))
    elif spec["type"] == "ExternalName" and old["type"] != "ExternalName":
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(field) == old.get(field):
                spec.pop(field, None)
    _carry_ports(spec, old)


def _carry_ports(spec: Object, old: Object) -> None:
    held = {
        (port["protocol"], port["port"]): port["nodePort"]
        for port in old.get("ports", ())
        if port.get("nodePort")
    }
    if spec["type"] not in _WITH_PORTS:
        for port in spec.get("ports", ()):
            if port.get("nodePort") == held.get((port["protocol"], port["port"]), 0):
                port.pop("nodePort", None)
        if old["type"] in _WITH_PORTS:
            for field in ("externalTrafficPolicy", "allocateLoadBalancerNodePorts"):
                if spec.get(field) == old.get(field):
                    spec.pop(field, None)
        return
    if spec["type"] == "NodePort" and old["type"] == "LoadBalancer":
        spec.pop("allocateLoadBalancerNodePorts", None)
    taken = {port["nodePort"] for port in spec.get("ports", ()) if port.get("nodePort")}
    for port in spec.get("ports", ()):
        number = held.get((port["protocol"], port["port"]))
        if number and not port.get("nodePort") and number not in taken:
            port["nodePort"] = number


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


def needs_address(obj: Object) -> bool:
    """Whether the Service is to hold a cluster address: neither headless nor a mere name."""
    spec = obj["spec"]
    return bool(spec["type"] != "ExternalName" and spec.get("clusterIP") != "None")


def needs_node_ports(obj: Object) -> bool:
    """Whether each of its ports is to hold a node port."""
    spec = obj["spec"]
    if spec["type"] == "LoadBalancer":
        return spec.get("allocateLoadBalancerNodePorts") is not False
    kind: str = spec["type"]
    return kind == "NodePort"


def set_address(obj: Object, address: str) -> None:
    """Puts the allocated address where it belongs."""
    spec = obj["spec"]
    spec["clusterIP"] = address
    spec["clusterIPs"] = [address]


def address_refused(obj: Object, detail: str, asked: str = "") -> Rejected:
    """422: the allocator did not give the address, an explicit one or any; `detail` is its sentence."""
    subject = f"failed to allocate IP {asked}" if asked else "failed to allocate IP"
    shown = obj["spec"].get("clusterIPs") or [""]
    found = cause.invalid("spec.clusterIPs", shown, f"{subject}: {detail}")
    return invalid("", "Service", obj["metadata"].get("name", ""), [found])


def nameless(obj: Object, address: str) -> Rejected:
    """422 of a Service without a name: the object of the `address` has nobody to name as its owner."""
    detail = (
        f'IPAddress.networking.k8s.io "{address}" is invalid: spec.parentRef.name: Required value'
    )
    return address_refused(obj, detail)


def addresses_full(obj: Object) -> Rejected:
    """500: no address is free."""
    name = obj["metadata"].get("name", "")
    return internal(f'failed to allocate a serviceIP for Service "{name}": range is full')


def node_port_refused(obj: Object, index: int, detail: str) -> Rejected:
    """422: the allocator did not give the port of that index; `detail` is its sentence."""
    port = obj["spec"]["ports"][index]["nodePort"]
    found = cause.invalid(f"spec.ports[{index}].nodePort", port, detail)
    return invalid("", "Service", obj["metadata"].get("name", ""), [found])


def node_ports_full() -> Rejected:
    """500: no node port is free."""
    return internal("failed to allocate a nodePort: range is full")
