"""Reading the objects that the platform is handed: Kubernetes' validation, in Kubernetes' words.

Rules: what a real API server refuses is refused here with the same code, reason and field causes; what
is read becomes the small objects of the simulation. Source: Kubernetes facts section 2.
"""

from __future__ import annotations

import json
import re
from typing import Any

from emulator.cluster.objects import PodTemplate, Probe
from emulator.domain import quantity
from emulator.domain.kube import Object
from emulator.domain.timefmt import SECOND
from emulator.platform import PlatformError

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
    "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PORT_TEXT = "must be between 1 and 65535, inclusive"

Cause = dict[str, Any]


class Rejected(Exception):
    """The API server refuses the object; `error` is its Status in short."""

    def __init__(self, error: PlatformError) -> None:
        super().__init__(error.message)
        self.error = error


def invalid(kind: str, name: str, causes: list[Cause]) -> Rejected:
    """422 Invalid with its causes."""
    texts = [f"{cause['field']}: {cause['message']}" for cause in causes]
    body = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    message = f'{kind} "{name}" is invalid: {body}'
    return Rejected(PlatformError(422, "Invalid", message, tuple(causes)))


def already_exists(resource: str, name: str) -> Rejected:
    """409 AlreadyExists."""
    return Rejected(PlatformError(409, "AlreadyExists", f'{resource} "{name}" already exists'))


def internal(message: str) -> Rejected:
    """500 InternalError."""
    text = f"Internal error occurred: {message}"
    return Rejected(PlatformError(500, "InternalError", text, ({"message": message},)))


def _cause(field: str, reason: str, message: str) -> Cause:
    return {"reason": reason, "message": message, "field": field}


def bad_value(field: str, value: object, detail: str) -> Cause:
    """`Invalid value`."""
    shown = json.dumps(value, separators=(",", ":"))
    return _cause(field, "FieldValueInvalid", f"Invalid value: {shown}: {detail}")


def _name_causes(field: str, name: str) -> list[Cause]:
    causes = []
    if len(name) > 63:
        causes.append(bad_value(field, name, "must be no more than 63 characters"))
    if not _LABEL.fullmatch(name):
        causes.append(bad_value(field, name, _LABEL_TEXT))
    return causes


def validate_service(manifest: Object) -> None:
    """Raises Rejected (422) as the API server would."""
    name, spec = manifest["metadata"]["name"], manifest["spec"]
    causes = _name_causes("metadata.name", name)
    kind = spec.get("type", "ClusterIP")
    ports = spec.get("ports", [])
    if kind not in _TYPES:
        known = ", ".join(f'"{each}"' for each in _TYPES)
        causes.append(
            _cause(
                "spec.type",
                "FieldValueNotSupported",
                f'Unsupported value: "{kind}": supported values: {known}',
            )
        )
    if kind == "ExternalName":
        if not spec.get("externalName"):
            causes.append(_cause("spec.externalName", "FieldValueRequired", "Required value"))
    elif not ports:
        causes.append(_cause("spec.ports", "FieldValueRequired", "Required value"))
    causes += _port_causes(ports)
    if causes:
        raise invalid("Service", name, causes)


def _port_causes(ports: list[dict[str, Any]]) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    taken: set[tuple[int, str]] = set()
    for index, port in enumerate(ports):
        at = f"spec.ports[{index}]"
        name, protocol = port.get("name", ""), port.get("protocol", "TCP")
        if name:
            causes += _name_causes(f"{at}.name", name)
            if name in names:
                text = f'Duplicate value: "{name}"'
                causes.append(_cause(f"{at}.name", "FieldValueDuplicate", text))
            names.add(name)
        elif len(ports) > 1:
            causes.append(_cause(f"{at}.name", "FieldValueRequired", "Required value"))
        for field in ("port", "targetPort"):
            number = port.get(field, port.get("port"))
            if not isinstance(number, int) or not 1 <= number <= 65535:
                causes.append(bad_value(f"{at}.{field}", number, _PORT_TEXT))
        if protocol not in _PROTOCOLS:
            known = ", ".join(f'"{each}"' for each in _PROTOCOLS)
            text = f'Unsupported value: "{protocol}": supported values: {known}'
            causes.append(_cause(f"{at}.protocol", "FieldValueNotSupported", text))
        key = (port.get("port", 0), protocol)
        if key in taken:
            shown = json.dumps({"port": key[0], "protocol": key[1]}, separators=(",", ":"))
            causes.append(_cause(at, "FieldValueDuplicate", f"Duplicate value: {shown}"))
        taken.add(key)
    return causes


def validate_deployment(manifest: Object) -> None:
    """Raises Rejected (422) as the API server would."""
    name, spec = manifest["metadata"]["name"], manifest["spec"]
    causes: list[Cause] = []
    if len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        causes.append(bad_value("metadata.name", name, _SUBDOMAIN_TEXT))
    replicas = spec.get("replicas", 1)
    if replicas < 0:
        causes.append(bad_value("spec.replicas", replicas, "must be greater than or equal to 0"))
    container = spec["template"]["spec"]["containers"][0]
    if not container.get("image"):
        at = "spec.template.spec.containers[0].image"
        causes.append(_cause(at, "FieldValueRequired", "Required value"))
    if causes:
        raise invalid("Deployment.apps", name, causes)


def _quantities(requests: dict[str, str]) -> dict[str, int]:
    read: dict[str, int] = {}
    for resource, text in requests.items():
        try:
            read[resource] = quantity.read(resource, text)
        except ValueError:
            message = (
                "quantities must match the regular expression "
                "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            )
            raise Rejected(
                PlatformError(400, "BadRequest", f"{resource}: {text!r}: {message}")
            ) from None
    return read


def _probe(raw: dict[str, Any] | None) -> Probe | None:
    if raw is None:
        return None
    return Probe(
        port=raw["tcpSocket"]["port"],
        period=raw.get("periodSeconds", 10) * SECOND,
        failures=raw.get("failureThreshold", 3),
    )


def read_template(manifest: Object, ports: tuple[int, ...]) -> PodTemplate:
    """The pod template of a Deployment; `ports` are the Service's target ports. Raises Rejected."""
    spec = manifest["spec"]["template"]["spec"]
    container = spec["containers"][0]
    return PodTemplate(
        container=container["name"],
        image=container["image"],
        command=tuple(container.get("command", ())),
        args=tuple(container.get("args", ())),
        env={each["name"]: each.get("value", "") for each in container.get("env", ())},
        pull_policy=container.get("imagePullPolicy", "IfNotPresent"),
        requests=_quantities(container.get("resources", {}).get("requests", {})),
        ports=ports,
        startup=_probe(container.get("startupProbe")),
        readiness=_probe(container.get("readinessProbe")),
    )
