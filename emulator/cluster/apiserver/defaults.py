"""What the API server fills in: Kubernetes' defaulting, kind by kind, in place.

Rules: an object of `decode` goes in; defaulting twice changes nothing. Addresses, families and node
ports are no defaults: they belong to allocation. Source: Kubernetes facts section 2; the recorded 201
bodies; core/v1 and apps/v1 `defaults.go`.
"""

from __future__ import annotations

import base64
from typing import Any

Object = dict[str, Any]

_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
#: `clientIP` affinity lasts three hours.
_AFFINITY_SECONDS = 10800


def service(obj: Object) -> None:
    """A Service: type, ports, policies."""
    spec = obj.setdefault("spec", {})
    affinity = spec.setdefault("sessionAffinity", "None")
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {})
        config.setdefault("clientIP", {}).setdefault("timeoutSeconds", _AFFINITY_SECONDS)
    kind = spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports", ()):
        number = port.setdefault("port", 0)
        port.setdefault("protocol", "TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = number
    external = kind in ("NodePort", "LoadBalancer")
    if external or (kind == "ClusterIP" and spec.get("externalIPs")):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if external or kind == "ClusterIP":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def deployment(obj: Object) -> None:
    """A Deployment: strategy, limits, and its template."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _template(spec)
    obj.setdefault("status", {})


def replica_set(obj: Object) -> None:
    """A ReplicaSet."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    _template(spec)
    obj.setdefault("status", {})


def _template(spec: Object) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    pod_spec(template.setdefault("spec", {}))


def pod_spec(spec: Object) -> None:
    """A pod's spec, in a pod or in a template."""
    for container in spec.get("containers", ()):
        _container(container)
    for container in spec.get("initContainers", ()):
        _container(container)
    for volume in spec.get("volumes", ()):
        _volume(volume)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if account := spec.get("serviceAccountName"):
        spec["serviceAccount"] = account


def _container(container: Object) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    if "imagePullPolicy" not in container:
        always = image_tag(container.get("image", "")) == "latest"
        container["imagePullPolicy"] = "Always" if always else "IfNotPresent"
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for name in _PROBES:
        if (probe := container.get(name)) is not None:
            _probe(probe)
    for hook in container.get("lifecycle", {}).values():
        if isinstance(hook, dict):
            _http(hook)
    for variable in container.get("env", ()):
        reference = variable.get("valueFrom", {}).get("fieldRef")
        if reference is not None:
            reference.setdefault("apiVersion", "v1")


def _probe(probe: Object) -> None:
    _http(probe)
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)


def _http(handler: Object) -> None:
    if (get := handler.get("httpGet")) is not None:
        get.setdefault("path", "/")
        get.setdefault("scheme", "HTTP")


def _volume(volume: Object) -> None:
    if len(volume) == 1 and "name" in volume:
        volume["emptyDir"] = {}
    for source in ("secret", "configMap", "projected", "downwardAPI"):
        if source in volume:
            volume[source].setdefault("defaultMode", 420)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")


def image_tag(image: str) -> str:
    """The tag that decides the pull policy: `latest` without tag and digest."""
    name, digest = image.partition("@")[::2]
    _, colon, tag = name.rpartition("/")[2].partition(":")
    if colon:
        return tag
    return "" if digest else "latest"


def pod(obj: Object) -> None:
    """A pod: its spec, requests from limits, and what admission adds to every pod."""
    spec = obj.setdefault("spec", {})
    pod_spec(spec)
    admitted(spec)
    obj.setdefault("status", {})


def admitted(spec: Object) -> None:
    """What a pod's spec has beyond its template's; `spec` is changed, nothing that is in it."""
    for part in ("containers", "initContainers"):
        if part in spec:
            spec[part] = [_requesting(each) for each in spec[part]]
    spec.setdefault("enableServiceLinks", True)
    account = spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = account
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations(spec)


def _requesting(container: Object) -> Object:
    """A container that requests what it limits."""
    resources = container.get("resources", {})
    limits = resources.get("limits")
    if not limits:
        return container
    requests = {**limits, **resources.get("requests", {})}
    return {**container, "resources": {**resources, "requests": requests}}


def tolerations(spec: Object) -> None:
    """Five minutes on a lost node, unless the pod says otherwise of that taint."""
    given = list(spec.get("tolerations", ()))
    for taint in _TAINTS:
        tolerated = any(
            each.get("key", "") in (taint, "") and each.get("effect", "") in ("NoExecute", "")
            for each in given
        )
        if not tolerated:
            given.append(
                {
                    "key": taint,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
            )
    if given:
        spec["tolerations"] = given


def namespace(obj: Object) -> None:
    """A Namespace: the label of its name, its finalizer and phase."""
    if name := obj["metadata"].get("name"):
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {}).setdefault("phase", "Active")


def node(obj: Object) -> None:
    """A Node: all that it has can be allocated."""
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    if "capacity" in status:
        status.setdefault("allocatable", dict(status["capacity"]))


def resource_quota(obj: Object) -> None:
    """A ResourceQuota."""
    obj.setdefault("spec", {})
    obj.setdefault("status", {})


def limit_range(obj: Object) -> None:
    """A LimitRange: the defaults of containers, from its limits."""
    for item in obj.setdefault("spec", {}).get("limits", ()):
        if item.get("type") != "Container":
            continue
        default = {**item.get("max", {}), **item.get("default", {})}
        request = {**item.get("min", {}), **default, **item.get("defaultRequest", {})}
        if default:
            item["default"] = default
        if request:
            item["defaultRequest"] = request


def priority_class(obj: Object) -> None:
    """A PriorityClass."""
    obj.setdefault("value", 0)
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


def secret(obj: Object) -> None:
    """A Secret: its type, and the plain strings among its data."""
    obj.setdefault("type", "Opaque")
    for key, text in obj.pop("stringData", {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()


def endpoint_slice(obj: Object) -> None:
    """An EndpointSlice: its ports' names and protocols."""
    for port in obj.get("ports", ()):
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def nothing(obj: Object) -> None:
    """A kind without defaults."""
