"""Validation of containers: names, ports, environment, mounts, resources, probes.

Rules: as of the package. Security contexts and volume sources are not looked into. Source: Kubernetes
facts section 2; core `validateContainers`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from emulator.cluster.apiserver import causes as cause
from emulator.cluster.apiserver import quantities
from emulator.cluster.apiserver.causes import Cause
from emulator.cluster.apiserver.validation import meta, names
from emulator.cluster.apiserver.validation.service import PROTOCOLS

Object = dict[str, Any]

_PULL = ("Always", "IfNotPresent", "Never")
_MESSAGES = ("File", "FallbackToLogsOnError")
_SCHEMES = ("HTTP", "HTTPS")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_COUNTED = frozenset(
    "pods services services.nodeports services.loadbalancers secrets configmaps resourcequotas "
    "replicationcontrollers persistentvolumeclaims".split()
)
#: Of these a container may ask for less than its limit.
_STANDARD = ("cpu", "memory", "ephemeral-storage")


def container(given: Object, at: str, volumes: set[str], found: list[Cause]) -> None:
    """One container; `volumes` are the names that its pod has."""
    name = given.get("name", "")
    if not name:
        found.append(cause.required(f"{at}.name"))
    elif details := names.label(name):
        found += cause.all_invalid(f"{at}.name", name, details)
    if not given.get("image"):
        found.append(cause.required(f"{at}.image"))
    policy = given["terminationMessagePolicy"]
    if policy not in _MESSAGES:
        found.append(cause.unsupported(f"{at}.terminationMessagePolicy", policy, _MESSAGES))
    if ports := given.get("ports"):
        _ports(ports, f"{at}.ports", found)
    if env := given.get("env"):
        _environment(env, f"{at}.env", found)
    if mounts := given.get("volumeMounts"):
        _mounts(mounts, f"{at}.volumeMounts", volumes, found)
    if given["imagePullPolicy"] not in _PULL:
        found.append(cause.unsupported(f"{at}.imagePullPolicy", given["imagePullPolicy"], _PULL))
    if resources := given["resources"]:
        _resources(resources, f"{at}.resources", found)
    for name, hook in given.get("lifecycle", {}).items():
        if isinstance(hook, dict):
            _handler(hook, f"{at}.lifecycle.{name}", found)
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        if (probe := given.get(kind)) is not None:
            _probe(probe, kind, f"{at}.{kind}", found)


def _ports(ports: list[Object], field: str, found: list[Cause]) -> None:
    taken: set[str] = set()
    for index, port in enumerate(ports):
        at, name = f"{field}[{index}]", port.get("name", "")
        if name:
            if details := names.port_name(name):
                found += cause.all_invalid(f"{at}.name", name, details)
            elif name in taken:
                found.append(cause.duplicate(f"{at}.name", name))
            taken.add(name)
        number = port.get("containerPort", 0)
        if not number:
            found.append(cause.required(f"{at}.containerPort"))
        elif details := names.port_number(number):
            found += cause.all_invalid(f"{at}.containerPort", number, details)
        if number := port.get("hostPort", 0):
            found += cause.all_invalid(f"{at}.hostPort", number, names.port_number(number))
        if port["protocol"] not in PROTOCOLS:
            found.append(cause.unsupported(f"{at}.protocol", port["protocol"], PROTOCOLS))


def _environment(env: list[Object], at: str, found: list[Cause]) -> None:
    for index, variable in enumerate(env):
        if "valueFrom" in variable or not variable.get("name", "").isidentifier():
            _variable(variable, f"{at}[{index}]", found)


def _variable(variable: Object, at: str, found: list[Cause]) -> None:
    name = variable.get("name", "")
    if not name:
        found.append(cause.required(f"{at}.name"))
    elif details := names.environment_name(name):
        found += cause.all_invalid(f"{at}.name", name, details)
    source = variable.get("valueFrom")
    if source is None:
        return
    if variable.get("value"):
        text = "may not be specified when `value` is not empty"
        found.append(cause.invalid(f"{at}.valueFrom", "", text))
    elif not source:
        known = "fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef"
        text = f"must specify one of: `{known.replace(', ', '`, `').replace(' or ', '` or `')}`"
        found.append(cause.invalid(f"{at}.valueFrom", "", text))


def _mounts(mounts: list[Object], field: str, volumes: set[str], found: list[Cause]) -> None:
    taken: set[str] = set()
    for index, mount in enumerate(mounts):
        at, name, path = f"{field}[{index}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            found.append(cause.required(f"{at}.name"))
        if name not in volumes:
            found.append(cause.not_found(f"{at}.name", name))
        if not path:
            found.append(cause.required(f"{at}.mountPath"))
        elif path in taken:
            found.append(cause.invalid(f"{at}.mountPath", path, "must be unique"))
        taken.add(path)


def _resources(resources: Object, at: str, found: list[Cause]) -> None:
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    if not _wrong_amounts(tuple(limits.items()), tuple(requests.items())):
        return
    _amounts(limits, requests, at, found)


@lru_cache(maxsize=1024)
def _wrong_amounts(
    limits: tuple[tuple[str, str], ...], requests: tuple[tuple[str, str], ...]
) -> bool:
    """Whether anything is wrong; the same few amounts are seen again and again."""
    found: list[Cause] = []
    _amounts(dict(limits), dict(requests), "", found)
    return bool(found)


def _amounts(limits: Object, requests: Object, at: str, found: list[Cause]) -> None:
    value = quantities.value
    for name, text in limits.items():
        amount(name, text, f"{at}.limits[{name}]", found, container=True)
    for name, text in requests.items():
        amount(name, text, f"{at}.requests[{name}]", found, container=True)
        limit, standard = limits.get(name), name in _STANDARD
        if limit is None:
            if not standard:
                words = "Limit must be set for non overcommitable resources"
                found.append(cause.required(f"{at}.limits", words))
        elif text != limit:
            if not standard:
                words = f"must be equal to {name} limit of {limit}"
                found.append(cause.invalid(f"{at}.requests", text, words))
            elif value(text) > value(limit):
                words = f"must be less than or equal to {name} limit of {limit}"
                found.append(cause.invalid(f"{at}.requests", text, words))


def amount(name: str, text: str, at: str, found: list[Cause], *, container: bool = False) -> None:
    """An amount of a resource: its name, its sign, whole numbers for what has no fractions."""
    standard = name in _STANDARD or name.startswith("hugepages-")
    if container and not standard:
        if details := names.qualified(name):
            found += cause.all_invalid(at, name, details)
        elif "/" not in name:
            for words in (
                "must be a standard resource type or fully qualified",
                "must be a standard resource for containers",
            ):
                found.append(cause.invalid(at, name, words))
    if text.startswith("-"):
        found.append(cause.invalid(at, text, meta.NOT_NEGATIVE))
    elif text.endswith("m") and (name in _COUNTED or "/" in name):
        found.append(cause.invalid(at, text, "must be an integer"))


def _handler(handler: Object, at: str, found: list[Cause]) -> None:
    present = [each for each in handler if each in _HANDLERS]
    if len(present) > 1:
        present.sort(key=_HANDLERS.index)
    for each in present[1:]:
        text = "may not specify more than 1 handler type"
        found.append(cause.forbidden(f"{at}.{each}", text))
    if not present:
        found.append(cause.required(at, "must specify a handler type"))
        return
    kind = present[0]
    action = handler[kind]
    at = f"{at}.{kind}"
    if kind == "exec":
        if not action.get("command"):
            found.append(cause.required(f"{at}.command"))
    elif kind != "sleep":
        port = action.get("port", 0)
        if details := names.port_number_or_name(port):
            found += cause.all_invalid(f"{at}.port", port, details)
        if kind == "httpGet" and action.get("scheme") not in _SCHEMES:
            found.append(cause.unsupported(f"{at}.scheme", action.get("scheme", ""), _SCHEMES))


_PROBE_COUNTS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)


def _probe(probe: Object, kind: str, at: str, found: list[Cause]) -> None:
    _handler(probe, at, found)
    for value in probe.values():
        if value.__class__ is int and value < 0:
            for field in _PROBE_COUNTS:
                meta.not_negative(probe.get(field, 0), f"{at}.{field}", found)
            break
    grace = probe.get("terminationGracePeriodSeconds")
    if kind == "readinessProbe":
        if grace is not None:
            text = "must not be set for readinessProbes"
            found.append(cause.invalid(f"{at}.terminationGracePeriodSeconds", grace, text))
        return
    if grace is not None and grace <= 0:
        text = "must be greater than 0"
        found.append(cause.invalid(f"{at}.terminationGracePeriodSeconds", grace, text))
    if probe["successThreshold"] != 1:
        text = "must be 1"
        found.append(cause.invalid(f"{at}.successThreshold", probe["successThreshold"], text))
