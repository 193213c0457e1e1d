"""Reading manifests into the objects of the simulation: pod templates, Deployments, Services.

Rules: a manifest is read once, when it is stored, with its defaults filled in; what is read has been
validated. Names made from a template's content are the same for the same content.
Source: Kubernetes facts sections 2 and 3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from emulator.cluster.objects import Deployment, PodTemplate, Probe, Service, Toleration
from emulator.cluster.objects.packed import Packed, Part
from emulator.cluster.objects.pods import DEFAULT_SCHEDULER
from emulator.domain import names, quantity
from emulator.domain.kube import Object, PortStatus
from emulator.domain.timefmt import SECOND

_GRACE = 30
_DEADLINE = 600


def template_hash(template: Object) -> str:
    """The pod-template-hash: of the template's content, spelled with Kubernetes' alphabet."""
    try:
        text = orjson.dumps(template, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # what only the slower encoder can write
        text = json.dumps(template, sort_keys=True)
    return names.template_hash(text)


def share(value: dict[str, str], *others: dict[str, str]) -> dict[str, str]:
    """One of the equal dicts, so that many objects hold one: nobody changes labels in place."""
    return next((each for each in others if each == value), value)


def quantities(amounts: Object) -> dict[str, int]:
    """Resource amounts as integers: millicores, bytes, units. Raises ValueError."""
    return {resource: quantity.read(resource, text) for resource, text in amounts.items()}


def read_template(template: Object, kept: Mapping[str, Any] | None = None) -> PodTemplate:
    """A pod template (or a pod's own metadata and spec); `kept` is where its spec is kept, if not here.

    Raises ValueError for a bad quantity.
    """
    spec = template["spec"]
    container = spec["containers"][0]
    resources = container.get("resources", {})
    limits = quantities(resources.get("limits", {}))
    requests = {**limits, **quantities(resources.get("requests", {}))}
    grace = spec.get("terminationGracePeriodSeconds", _GRACE)
    return PodTemplate(
        spec=spec if kept is None else kept,
        labels=dict(template.get("metadata", {}).get("labels", {})),
        container=container["name"],
        image=container["image"],
        command=tuple(container.get("command", ())),
        args=tuple(container.get("args", ())),
        env={each["name"]: each.get("value", "") for each in container.get("env", ())},
        pull_policy=container.get("imagePullPolicy", "IfNotPresent"),
        requests=requests,
        limits=limits,
        ports=tuple(each["containerPort"] for each in container.get("ports", ())),
        startup=_probe(container, "startupProbe"),
        readiness=_probe(container, "readinessProbe"),
        liveness=_probe(container, "livenessProbe"),
        restart=spec.get("restartPolicy", "Always"),
        grace=grace,
        node_selector=dict(spec.get("nodeSelector", {})),
        affinity=spec.get("affinity"),
        tolerations=tuple(_toleration(each) for each in spec.get("tolerations", ())),
        priority_class=spec.get("priorityClassName", ""),
        priority=spec.get("priority", 0),
        node_name=spec.get("nodeName", ""),
        scheduler=spec.get("schedulerName") or DEFAULT_SCHEDULER,
    )


def _toleration(raw: dict[str, Any]) -> Toleration:
    return Toleration(
        raw.get("key", ""),
        raw.get("operator", "Equal"),
        raw.get("value", ""),
        raw.get("effect", ""),
        raw.get("tolerationSeconds"),
    )


def _probe(container: Object, field: str) -> Probe | None:
    raw = container.get(field)
    if raw is None:
        return None
    kind, action = "exec", raw.get("exec", {})
    if "tcpSocket" in raw:
        kind, action = "tcp", raw["tcpSocket"]
    elif "httpGet" in raw:
        kind, action = "http", raw["httpGet"]
    grace = raw.get("terminationGracePeriodSeconds")
    return Probe(
        port=_port(container, action.get("port", 0)),
        period=raw.get("periodSeconds", 10) * SECOND,
        failures=raw.get("failureThreshold", 3),
        kind=kind,
        path=action.get("path", "/") if kind == "http" else "",
        delay=raw.get("initialDelaySeconds", 0) * SECOND,
        timeout=raw.get("timeoutSeconds", 1) * SECOND,
        successes=raw.get("successThreshold", 1),
        grace=None if grace is None else grace * SECOND,
    )


def _port(container: Object, port: int | str) -> int:
    if isinstance(port, int):
        return port
    named = {each.get("name"): each["containerPort"] for each in container.get("ports", ())}
    return int(named.get(port, 0))


def read_deployment(deployment: Deployment, manifest: Object) -> None:
    """Writes what a manifest asks for into a Deployment, new or changed."""
    spec = manifest["spec"]
    packed = Packed(manifest)
    digest = template_hash(spec["template"])
    if digest != deployment.digest:
        deployment.digest = digest
        kept = Part(packed, "spec", "template", "spec")
        deployment.template = read_template(spec["template"], kept)
    strategy = spec.get("strategy", {})
    rolling = strategy.get("rollingUpdate") or {}
    deployment.manifest = packed
    deployment.labels = dict(manifest["metadata"].get("labels", {}))
    deployment.wanted = spec.get("replicas", 1)
    selector = dict(spec.get("selector", {}).get("matchLabels", {}))
    deployment.selector = share(selector, deployment.template.labels)
    deployment.strategy = strategy.get("type", "RollingUpdate")
    deployment.max_surge = rolling.get("maxSurge", "25%")
    deployment.max_unavailable = rolling.get("maxUnavailable", "25%")
    deployment.deadline = spec.get("progressDeadlineSeconds", _DEADLINE) * SECOND
    deployment.min_ready = spec.get("minReadySeconds", 0) * SECOND


def read_ports(manifest: Object) -> tuple[PortStatus, ...]:
    """The ports of a Service as they are asked for."""
    return tuple(
        PortStatus(
            port.get("name", ""),
            port["port"],
            port.get("targetPort", port["port"]),
            port.get("protocol", "TCP"),
            port.get("nodePort", 0),
        )
        for port in manifest["spec"].get("ports", ())
    )


def read_service(service: Service, manifest: Object) -> None:
    """Writes what a manifest asks for into a Service; addresses and node ports are not its business."""
    spec = manifest["spec"]
    service.manifest = Packed(manifest)
    like = service.group.deployment if service.group is not None else None
    like_labels, like_selector = (like.labels, like.selector) if like is not None else ({}, {})
    service.labels = share(dict(manifest["metadata"].get("labels", {})), like_labels)
    service.type = spec.get("type", "ClusterIP")
    service.publish_not_ready = bool(spec.get("publishNotReadyAddresses"))
    service.selector = share(dict(spec.get("selector", {})), like_selector)
