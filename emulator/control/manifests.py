"""The Kubernetes objects of a run, built from its spec: pure functions.

Rules: a run's own objects are built once and kept with it (`Run.made`) until they are gone; nobody
writes into them, so what is alike is one object (labels, what a container always has).
Sources: contract sections 4.1 to 4.4. Differences between the profiles are named quirks.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from emulator.control.entities import Run
from emulator.control.settings import ControlSettings, ResourceProfile
from emulator.domain import names, quantity
from emulator.domain.errors import BuildError
from emulator.domain.kube import Object
from emulator.domain.names import parse_function_ref, sanitize
from emulator.domain.quirks import Quirk
from emulator.platform import OWNER, Workload

_DEFAULT_REQUESTS = {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "2Gi"}
#: More pods than this no service of the platform has, and one request must not stop the server.
MAX_REPLICAS = 1000
_GPU = "nvidia.com/gpu"
_NO_PROFILE = ResourceProfile()
_MEMORY_FACTOR = 1.10000002384185791015625  # 1.1 in single precision


def build(run: Run, settings: ControlSettings, aliases: Sequence[str]) -> Workload:
    """Every object of a run, with the Services of the aliases that it is to own.

    Raises BuildError where the platform cannot build them.
    """
    made = run.made
    if made is None:
        made = run.made = _own(run, settings)
    if not aliases:
        return made
    services = tuple(_alias(made.service, alias) for alias in aliases)
    return Workload(made.name, made.namespace, made.deployment, made.service, services)


def _own(run: Run, settings: ControlSettings) -> Workload:
    labels = _labels(run, settings)
    owned = {**labels, OWNER: sanitize(run.id)}
    return Workload(
        run.id,
        settings.namespace,
        _deployment(run, settings, labels, owned),
        _service(run, settings, labels, owned),
    )


def alias_names(run: Run, settings: ControlSettings, *, latest: bool) -> tuple[str, ...]:
    """The aliases that a run may own: by its service name, and `latest`. Raises BuildError."""
    function = parse_function_ref(run.spec.get("function"))
    if function is None:
        return ()
    wanted = [each for each in (run.spec.get("service_name"),) if each]
    if latest:
        wanted.append(names.LATEST)
    shorten = not settings.profile.has(Quirk.ALIAS_TOO_LONG)
    return tuple(
        names.alias_name(run.project, function.name, each, shorten=shorten) for each in wanted
    )


def _profile(run: Run, settings: ControlSettings) -> ResourceProfile:
    return settings.profiles.get(run.spec.get("profile", ""), _NO_PROFILE)


def _labels(run: Run, settings: ControlSettings) -> dict[str, str]:
    app = settings.app
    function = parse_function_ref(run.spec.get("function"))
    version = sanitize(run.id)
    labels = {
        "app.kubernetes.io/instance": f"{app}-{version}",
        "app.kubernetes.io/version": version,
        "app.kubernetes.io/component": f"{app}-{run.project}",
        "app.kubernetes.io/part-of": app,
        "app.kubernetes.io/managed-by": "dhcore",
        "dhcore/instance": app,
        "dhcore/project": run.project,
        "dhcore/framework": "k8sserve",
        "dhcore/runtime": run.row.runtime,
        "dhcore/run": version,
        "dhcore/user": sanitize(run.user),
        f"{app}/function": sanitize(function.name) if function else "",
    }
    if (profile := run.spec.get("profile")) in settings.profiles:
        labels[f"{app}/template"] = str(profile)
    return labels


def _metadata(name: str, settings: ControlSettings, owned: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "namespace": settings.namespace, "labels": owned}


def _deployment(
    run: Run, settings: ControlSettings, labels: dict[str, str], owned: dict[str, str]
) -> Object:
    replicas = run.row.replicas(run.spec, settings.profile)
    if not 1 <= replicas <= MAX_REPLICAS:
        raise BuildError(f"replicas: {replicas} is not from 1 to {MAX_REPLICAS}")
    spec: dict[str, Any] = {"containers": [_container(run, settings)], "restartPolicy": "Always"}
    if security := _security(run.spec):
        spec["securityContext"] = security
    spec |= _placement(_profile(run, settings))
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(names.deployment_name(run.row.task, run.id), settings, owned),
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": settings.deadline,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


_SECURITY = {"fs_group": "fsGroup", "run_as_user": "runAsUser", "run_as_group": "runAsGroup"}
_CONTAINER_SECURITY = {"privileged": False, "seccompProfile": {"type": "RuntimeDefault"}}


def _placement(profile: ResourceProfile) -> dict[str, Any]:
    """Where a profile lets pods go, and before whom."""
    fields = {
        "nodeSelector": dict(profile.node_selector),
        "affinity": profile.affinity,
        "tolerations": [dict(each) for each in profile.tolerations],
        "runtimeClassName": profile.runtime_class,
        "priorityClassName": profile.priority_class,
    }
    return {name: value for name, value in fields.items() if value}


def _security(spec: dict[str, Any]) -> dict[str, int]:
    return {name: spec[field] for field, name in _SECURITY.items() if spec.get(field)}


def _container(run: Run, settings: ControlSettings) -> dict[str, Any]:
    template = run.row.template(run.spec, settings.profile)
    if not template.image:
        raise BuildError("image: the function names none: give it an image")
    container: dict[str, Any] = {
        "name": names.container_name(run.row.task, run.id),
        "image": template.image,
        "imagePullPolicy": template.pull_policy,
        "env": _env(run, settings),
        "resources": _resources(run, settings),
        "securityContext": _CONTAINER_SECURITY,
    }
    if template.command:
        container["command"] = list(template.command)
    if template.args:
        container["args"] = list(template.args)
    ports = run.row.ports(run.spec)
    if ports and not settings.profile.has(Quirk.NO_PROBES):
        socket = {"tcpSocket": {"port": ports[0].target_port}}
        container["startupProbe"] = {
            **socket,
            "periodSeconds": 1,
            # the Deployment's deadline speaks first, and says what is wrong
            "failureThreshold": settings.deadline + 60,
        }
        container["readinessProbe"] = {**socket, "periodSeconds": 10}
    return container


def _env(run: Run, settings: ControlSettings) -> list[dict[str, str]]:
    env = {
        "PROJECT_NAME": run.project,
        "RUN_ID": run.id,
        "DHCORE_ENDPOINT": settings.endpoint,
        "DHCORE_NAMESPACE": settings.namespace,
    }
    for each in run.spec.get("envs", ()):
        env.setdefault(each["name"], each.get("value", ""))
    return [{"name": name, "value": value} for name, value in env.items()]


def _resources(run: Run, settings: ControlSettings) -> dict[str, dict[str, str]]:
    asked = run.spec.get("resources", {})
    profile = _profile(run, settings)
    return _shared_resources(
        profile.cpu or asked.get("cpu"),
        profile.mem or asked.get("mem"),
        asked.get("disk"),
        profile.gpu or asked.get("gpu"),
    )


@lru_cache(maxsize=1024)
def _shared_resources(
    cpu: str | None, memory: str | None, disk: str | None, gpu: str | None
) -> dict[str, dict[str, str]]:
    """Requests and limits. Raises BuildError."""
    wanted = {"cpu": cpu, "memory": memory, "ephemeral-storage": disk, _GPU: gpu}
    requests = {**_DEFAULT_REQUESTS, **{name: text for name, text in wanted.items() if text}}
    limits = {"cpu": requests["cpu"], "memory": _memory_limit(requests["memory"])}
    if _GPU in requests:
        limits[_GPU] = requests[_GPU]
    return {"requests": requests, "limits": limits}


def _memory_limit(request: str) -> str:
    """The request and a tenth, in the platform's single-precision floats: 256Mi gives 295279008."""
    try:
        value = quantity.parse(request)
    except ValueError as error:
        raise BuildError(f"resources.mem: {error}") from None
    return str(math.ceil(_single(_single(float(value)) * _MEMORY_FACTOR)))


def _single(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _service(
    run: Run, settings: ControlSettings, labels: dict[str, str], owned: dict[str, str]
) -> Object:
    pinned = run.pinned
    node_ports = pinned.get("nodePorts", {})
    address = {"clusterIP": pinned["clusterIP"]} if pinned.get("clusterIP") else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(names.service_name(run.row.task, run.id), settings, owned),
        "spec": {
            "type": run.row.service_type(run.spec, settings.profile),
            **address,
            "selector": labels,
            "ports": [
                {
                    "name": names.port_name(each.port),
                    "protocol": "TCP",
                    "port": each.port,
                    "targetPort": each.target_port,
                    **_node_port(node_ports, each.port),
                }
                for each in run.row.ports(run.spec)
            ],
        },
    }


def _alias(service: Object, name: str) -> Object:
    """The Service of an alias: as the run's own, without the addresses that belong to that one."""
    spec = service["spec"]
    ports = spec["ports"]
    if any("nodePort" in port for port in ports):
        ports = [{key: port[key] for key in port if key != "nodePort"} for port in ports]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**service["metadata"], "name": name},
        "spec": {"type": "ClusterIP", "selector": spec["selector"], "ports": ports},
    }


def _node_port(held: dict[str, int], port: int) -> dict[str, int]:
    return {"nodePort": held[str(port)]} if str(port) in held else {}
