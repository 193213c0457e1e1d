"""Validation of Services, after allocation.

Rules: as of the package. A name may start with a digit, as of Kubernetes 1.36. Source: Kubernetes facts
sections 0.2, 1 and 2; core `ValidateService`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from emulator.cluster.apiserver import causes as cause
from emulator.cluster.apiserver.causes import Cause
from emulator.cluster.apiserver.validation import meta, names

Object = dict[str, Any]

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("SCTP", "TCP", "UDP")
_FAMILIES = ("IPv4", "IPv6")
_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_TRAFFIC = ("Cluster", "Local")
_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_LONGEST_AFFINITY = 86400
_OCTET = "0*(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_ONLY_BALANCER = "may only be used when `type` is 'LoadBalancer'"
_SET_ONCE = "may not change once set"


def service(obj: Object, found: list[Cause]) -> None:
    """A Service with its addresses."""
    meta.metadata(obj["metadata"], names.label, True, found)
    spec, labels = obj["spec"], obj["metadata"].get("labels")
    kind, ports = spec["type"], spec.get("ports", ())
    headless = spec.get("clusterIPs") == ["None"]
    if not ports and not headless and kind != "ExternalName":
        found.append(cause.required("spec.ports"))
    if kind == "ExternalName":
        _external_name(spec, found)
    elif headless and kind != "ClusterIP":
        text = f"may not be set to 'None' for {kind} services"
        if kind in TYPES:
            found.append(cause.invalid("spec.clusterIPs[0]", "None", text))
    taken: set[str] = set()
    for index, port in enumerate(ports):
        _port(port, f"spec.ports[{index}]", len(ports) > 1, taken, found)
    if selector := spec.get("selector"):
        meta.labels(selector, "spec.selector", found, labels)
    _affinity(spec, found)
    if kind != "ExternalName":
        addresses(spec, found)
    if kind not in TYPES:
        found.append(cause.unsupported("spec.type", kind, TYPES))
    _port_numbers(kind, ports, found)
    _policies(kind, spec, found)


def _external_name(spec: Object, found: list[Cause]) -> None:
    for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(field):
            text = "may not be set for ExternalName services"
            found.append(cause.forbidden(f"spec.{field}", text))
    name = spec.get("externalName", "").removesuffix(".")
    if not name:
        found.append(cause.required("spec.externalName"))
    else:
        found += cause.all_invalid("spec.externalName", name, names.subdomain(name))


def _port(port: Object, at: str, must_have: bool, taken: set[str], found: list[Cause]) -> None:
    name, number, target = port.get("name", ""), port.get("port", 0), port.get("targetPort", 0)
    if name:
        if details := names.label(name):
            found += cause.all_invalid(f"{at}.name", name, details)
        if name in taken:
            found.append(cause.duplicate(f"{at}.name", name))
        taken.add(name)
    elif must_have:
        found.append(cause.required(f"{at}.name"))
    if not 1 <= number <= 65535:
        found.append(cause.invalid(f"{at}.port", number, names.PORT_TEXT))
    protocol = port.get("protocol", "")
    if protocol not in PROTOCOLS:
        found.append(_protocol(f"{at}.protocol", protocol))
    if details := names.port_number_or_name(target):
        found += cause.all_invalid(f"{at}.targetPort", target, details)
    if protocol_name := port.get("appProtocol"):
        details = list(names.qualified(protocol_name))
        found += cause.all_invalid(f"{at}.appProtocol", protocol_name, details)


def _protocol(field: str, protocol: str) -> Cause:
    return cause.unsupported(field, protocol, PROTOCOLS) if protocol else cause.required(field)


def _affinity(spec: Object, found: list[Cause]) -> None:
    affinity = spec.get("sessionAffinity", "")
    if affinity == "None":
        return
    if affinity != "ClientIP":
        known = ("ClientIP", "None")
        found.append(cause.unsupported("spec.sessionAffinity", affinity, known))
        return
    seconds = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
    if not 0 < seconds <= _LONGEST_AFFINITY:
        at = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        text = f"must be greater than 0 and less than {_LONGEST_AFFINITY}"
        found.append(cause.invalid(at, seconds, text))


def addresses(spec: Object, found: list[Cause]) -> None:
    """Cluster addresses and their families among themselves."""
    address, held = spec.get("clusterIP", ""), spec.get("clusterIPs", [])
    families, at = spec.get("ipFamilies", []), "spec.clusterIPs"
    if address and not held:
        found.append(cause.required(at))
    elif address and held[0] != address:
        found.append(cause.invalid(at, held, "first value must match `clusterIP`"))
    elif held and not address:
        found.append(cause.invalid(at, held, "must be empty when `clusterIP` is not specified"))
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            found.append(cause.unsupported(f"spec.ipFamilies[{index}]", family, _FAMILIES))
        if family in families[:index]:
            found.append(cause.duplicate(f"spec.ipFamilies[{index}]", family))
    policy = spec.get("ipFamilyPolicy", "")
    if policy and policy not in _POLICIES:
        found.append(cause.unsupported("spec.ipFamilyPolicy", policy, _POLICIES))
    readable = _readable(held, at, found)
    if len(held) > 2:
        found.append(cause.invalid(at, held, "may only hold up to 2 values"))
    if not readable:
        return
    if len(held) > 1 and len({":" in each for each in held}) < 2:
        text = "may specify no more than one IP for each IP family"
        found.append(cause.invalid(at, held, text))
    for index, (each, family) in enumerate(zip(held, families, strict=False)):
        if each != "None" and family in _FAMILIES and (":" in each) != (family == "IPv6"):
            text = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            found.append(cause.invalid(f"{at}[{index}]", each, text))


def _readable(held: list[str], at: str, found: list[Cause]) -> bool:
    good = True
    for index, each in enumerate(held):
        if index == 0 and each == "None":
            if len(held) > 1:
                good = False
                text = "'None' must be the first and only value"
                found.append(cause.invalid(at, held, text))
        elif not _is_address(each):
            good = False
            text = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            found.append(cause.invalid(f"{at}[{index}]", each, text))
    return good


def _is_address(text: str) -> bool:
    if _IPV4.fullmatch(text):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _port_numbers(kind: str, ports: list[Object], found: list[Cause]) -> None:
    if kind == "ClusterIP":
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                text = "may not be used when `type` is 'ClusterIP'"
                found.append(cause.forbidden(f"spec.ports[{index}].nodePort", text))
    if len(ports) < 2:
        return
    taken: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        if number := port.get("nodePort"):
            key = (port["protocol"], number)
            if key in taken:
                found.append(cause.duplicate(f"spec.ports[{index}].nodePort", number))
            taken.add(key)
    taken.clear()
    for index, port in enumerate(ports):
        key = (port["protocol"], port["port"])
        if key in taken:
            found.append(cause.duplicate(f"spec.ports[{index}]", _internal(*key)))
        taken.add(key)


def _internal(protocol: str, port: int) -> Object:
    """A port as the server's internal type is printed: Go's field names, empty fields too."""
    return {
        "Name": "",
        "Protocol": protocol,
        "AppProtocol": None,
        "Port": port,
        "TargetPort": 0,
        "NodePort": 0,
    }


def _policies(kind: str, spec: Object, found: list[Cause]) -> None:
    balancer = kind == "LoadBalancer"
    if not balancer:
        if spec.get("loadBalancerSourceRanges"):
            found.append(cause.forbidden("spec.LoadBalancerSourceRanges", _ONLY_BALANCER))
        if "allocateLoadBalancerNodePorts" in spec:
            at = "spec.allocateLoadBalancerNodePorts"
            found.append(cause.forbidden(at, _ONLY_BALANCER))
        if "loadBalancerClass" in spec:
            found.append(cause.forbidden("spec.loadBalancerClass", _ONLY_BALANCER))
    elif given := spec.get("loadBalancerClass"):
        found += cause.all_invalid("spec.loadBalancerClass", given, names.qualified(given))
    at, policy = "spec.externalTrafficPolicy", spec.get("externalTrafficPolicy", "")
    if not (balancer or kind == "NodePort" or (kind == "ClusterIP" and spec.get("externalIPs"))):
        if policy:
            text = "may only be set for externally-accessible services"
            found.append(cause.invalid(at, policy, text))
    elif policy not in _TRAFFIC:
        found.append(cause.unsupported(at, policy, _TRAFFIC))
    policy = spec.get("internalTrafficPolicy", "")
    if policy:
        if policy not in _TRAFFIC:
            found.append(cause.unsupported("spec.internalTrafficPolicy", policy, _TRAFFIC))
    elif kind in TYPES and kind != "ExternalName":
        found.append(cause.required("spec.internalTrafficPolicy"))
    wish = spec.get("trafficDistribution")
    if wish is not None and wish not in _DISTRIBUTIONS:
        found.append(cause.unsupported("spec.trafficDistribution", wish, _DISTRIBUTIONS))


def service_update(new: Object, old: Object, found: list[Cause]) -> None:
    """A changed Service: its addresses and families stay, unless it turns into a mere name or back."""
    meta.metadata_update(new["metadata"], old["metadata"], found)
    spec, before = new["spec"], old["spec"]
    if "ExternalName" not in (spec["type"], before["type"]):
        _kept_addresses(spec, before, found)
    if spec["type"] == before["type"] == "LoadBalancer":
        given = spec.get("loadBalancerClass")
        if given != before.get("loadBalancerClass"):
            found.append(cause.invalid("spec.loadBalancerClass", given, _SET_ONCE))
    service(new, found)


def _kept_addresses(spec: Object, before: Object, found: list[Cause]) -> None:
    held, had = spec.get("clusterIPs", []), before.get("clusterIPs", [])
    if held == had == ["None"]:
        return
    if had and not held:
        text = "primary clusterIP can not be unset"
        found.append(cause.invalid("spec.clusterIPs[0]", held, text))
    for index, (each, other) in enumerate(zip(held, had, strict=False)):
        if each != other and (index == 0 or len(held) == len(had)):
            found.append(cause.invalid(f"spec.clusterIPs[{index}]", held, _SET_ONCE))
    if (held == ["None"]) == (had == ["None"]):
        families, earlier = spec.get("ipFamilies", []), before.get("ipFamilies", [])
        for each, other in zip(families, earlier, strict=False):
            if each != other:
                found.append(cause.invalid("spec.ipFamilies[0]", families, _SET_ONCE))
