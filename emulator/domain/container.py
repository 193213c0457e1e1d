"""The kind `container`: its specs, its ports and the container that it runs.

Sources: contract sections 2.3, 2.4, 4.3, 4.4.
"""

from __future__ import annotations

import shlex
from typing import Any, Literal

from pydantic import Field

from emulator.domain.errors import BuildError
from emulator.domain.kinds import REGISTRY, ContainerTemplate, ServeKind, ServicePort
from emulator.domain.quirks import Profile, Quirk
from emulator.domain.specs import RunSpec, Source, Spec, TaskSpec

ServiceType = Literal["ExternalName", "ClusterIP", "NodePort", "LoadBalancer"]


class ServicePortSpec(Spec):
    """A port of the service; an entry that lacks either number is dropped."""

    port: int | None = None
    target_port: int | None = None


class ContainerFunctionSpec(Spec):
    """The function: an image, and a command."""

    image: str | None = None
    base_image: str | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    command: str | None = None
    source: Source | None = None


class ContainerServeTaskSpec(TaskSpec):
    """Defaults of a service's runs."""

    service_ports: list[ServicePortSpec] | None = None
    service_type: ServiceType | None = None
    service_name: str | None = None
    replicas: int | None = Field(default=None, ge=1)
    fs_group: int | None = Field(default=None, ge=1)
    run_as_user: int | None = Field(default=None, ge=1)
    run_as_group: int | None = Field(default=None, ge=1)


class ContainerServeRunSpec(RunSpec):
    """The run: what its task leaves open, and arguments.

    The limits of the task's numbers are not enforced on a run (contract section 2.1); what they
    forbid fails when the objects are built.
    """

    service_ports: list[ServicePortSpec] | None = None
    service_type: ServiceType | None = None
    service_name: str | None = None
    replicas: int | None = None
    fs_group: int | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    args: list[str] | None = None


def _ports(spec: dict[str, Any]) -> tuple[ServicePort, ...]:
    return tuple(
        ServicePort(entry["port"], entry["target_port"])
        for entry in spec.get("service_ports", ())
        if "port" in entry and "target_port" in entry
    )


def _template(spec: dict[str, Any], profile: Profile) -> ContainerTemplate:
    command = spec.get("command") or ""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise BuildError(
            f"command: {command!r} has no words ({error}): quote as a shell does"
        ) from None
    policy = None if profile.has(Quirk.PULL_POLICY_DROPPED) else spec.get("image_pull_policy")
    return ContainerTemplate(
        image=spec.get("image") or spec.get("base_image") or "",
        command=words,
        args=tuple(spec.get("args", ())),
        pull_policy=policy or "IfNotPresent",
    )


def _replicas(spec: dict[str, Any], profile: Profile) -> int:
    if profile.has(Quirk.CONTAINER_REPLICAS_IGNORED):
        return 1
    replicas = spec.get("replicas", 1)
    return int(replicas)


CONTAINER = REGISTRY.add(
    ServeKind(
        runtime="container",
        action="serve",
        function_spec=ContainerFunctionSpec,
        task_spec=ContainerServeTaskSpec,
        run_spec=ContainerServeRunSpec,
        ports=_ports,
        template=_template,
        replicas=_replicas,
        core_service_type="NodePort",
    )
)
