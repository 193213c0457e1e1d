"""The builder of a run's `status`, the document that people and clients read.

Rules: a status is a pure function of what the control plane knows of the run. `service` holds the
page's five keys in the page's order (`name`, `type`, `clusterIP`, `ports`, `url`); a further key follows
only when it carries something. It is there from the first RUNNING on. Where the profile differs it is
by a named quirk.
Sources: `services.txt`; contract sections 2.5, 4.5, 4.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emulator.domain import kube
from emulator.domain.kinds import ServeKind
from emulator.domain.kube import Observation, ServiceStatus, value
from emulator.domain.lifecycle import UNRECORDED, State
from emulator.domain.quirks import Profile, Quirk
from emulator.domain.timefmt import iso


@value
class Moment:
    """One entry of a run's story: the state reached, when, and why."""

    state: State
    time: int
    message: str = ""


@value
class Facts:
    """What a status is built from.

    `observation` is what the last refresh saw, `fresh` whether no refresh has happened since the
    objects were made; `named` whether the run asked for an alias by `service_name`.
    """

    state: State
    message: str
    story: Sequence[Moment]
    observation: Observation | None
    spec: dict[str, Any]
    kind: ServeKind
    profile: Profile
    epoch: int
    serving: bool
    fresh: bool = False
    named: bool = False


def build_status(facts: Facts) -> dict[str, Any]:
    """`status` as the wire carries it."""
    status: dict[str, Any] = {"state": facts.state.value}
    if facts.message:
        status["message"] = facts.message
    transitions = _transitions(facts)
    if transitions:
        status["transitions"] = transitions
    seen = facts.observation
    if seen is None:
        return status
    reached = any(moment.state is State.RUNNING for moment in facts.story)
    if facts.serving and reached and seen.service is not None:
        url = service_url(seen.service, facts.profile)
        status["service"] = service_block(seen.service, seen.aliases, facts.profile, facts.named)
        if url:
            status |= facts.kind.protocol(url, facts.spec)
    status["pods"] = [kube.raw_pod(pod, facts.epoch) for pod in seen.pods]
    status["events"] = [kube.raw_event(event, facts.epoch) for event in seen.events]
    status["k8s"] = _k8s(facts, seen)
    return status


def _transitions(facts: Facts) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    previous = None
    for moment in facts.story:
        if moment.state in UNRECORDED or moment.state is previous:
            continue
        previous = moment.state
        entry: dict[str, Any] = {"status": moment.state.value}
        if moment.message:
            entry["message"] = moment.message
        entry["time"] = iso(facts.epoch + moment.time)
        shown.append(entry)
    shown.reverse()
    return shown


def _host(service: ServiceStatus, profile: Profile) -> str:
    if service.type == "LoadBalancer":
        return service.hostname or service.ip if service.ip else ""
    if profile.has(Quirk.SERVICE_URL_NAMESPACE):
        return f"{service.name}.{service.namespace}"
    return service.name


def service_url(service: ServiceStatus, profile: Profile) -> str:
    """`<host>:<first port>` without a scheme; empty where a load balancer has no address yet."""
    host = _host(service, profile)
    return f"{host}:{service.ports[0].port}" if host and service.ports else ""


def service_block(
    service: ServiceStatus, aliases: Sequence[ServiceStatus], profile: Profile, named: bool
) -> dict[str, Any]:
    """`status.service`, key by key in the page's order."""
    core = profile.has(Quirk.SERVICE_URL_NAMESPACE)
    block: dict[str, Any] = {"name": service.name}
    if core:
        block["namespace"] = service.namespace
    block["type"] = service.type
    if service.cluster_ip:
        block["clusterIP"] = service.cluster_ip
    block["ports"] = [port.raw() for port in service.ports]
    if url := service_url(service, profile):
        block["url"] = url
    if len(service.ports) > 1 and (host := _host(service, profile)):
        block["urls"] = [f"{host}:{port.port}" for port in service.ports]
    if core or (named and aliases):
        urls = [service_url(alias, profile) for alias in aliases]
        block["aliases"] = [url for url in urls if url]
    if service.ip:
        block["ip"] = service.ip
    if service.hostname:
        block["hostname"] = service.hostname
    return block


def _k8s(facts: Facts, seen: Observation) -> dict[str, Any]:
    objects: dict[str, Any] = {}
    if seen.deployment is not None:
        objects["deployment"] = kube.raw_deployment(seen.deployment, facts.epoch)
    if facts.state is State.STOPPED or not (
        facts.serving or facts.state in (State.READY, State.PENDING)
    ):
        return objects
    if seen.service is not None:
        objects["service"] = kube.raw_service(seen.service)
        objects["services"] = [kube.raw_service(alias) for alias in seen.aliases]
    if facts.fresh and facts.profile.has(Quirk.K8S_DOUBLY_NESTED):
        return {key: {key: value} for key, value in objects.items() if key != "services"}
    objects["pods"] = [kube.raw_pod_object(pod, facts.epoch) for pod in seen.pods]
    return objects
