"""Health, and the contextual message: one place that says how a service is and why.

Rules: health is not state. It is computed from what the platform reports: `starting` until the first
time that all wanted replicas are ready, then `healthy` (all), `degraded` (some), `unhealthy` (none,
or failing), and `stopped` once the run is over by somebody's wish. The message is one sentence: why the
service is not healthy and what would mend it; it is empty for a healthy one. `REASONS` is the table:
the first rule that finds something speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from emulator.domain.kube import ContainerStatus, EventRecord, Observation, PodStatus
from emulator.domain.lifecycle import State


class Health(StrEnum):
    """How a service is, for people."""

    STARTING = "starting"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    STOPPED = "stopped"


_OVER = frozenset({State.STOP, State.STOPPED, State.COMPLETED, State.DELETING, State.DELETED})
_CREATE = frozenset({"CreateContainerError", "CreateContainerConfigError", "RunContainerError"})
_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})


def health(state: State, observation: Observation | None, *, was_ready: bool) -> Health:
    """The health of a run's service from what was last seen of it."""
    if state in _OVER:
        return Health.STOPPED
    if state is State.ERROR:
        return Health.UNHEALTHY
    if observation is None or observation.deployment is None:
        return Health.UNHEALTHY if was_ready else Health.STARTING
    desired, ready = observation.deployment.desired, observation.deployment.ready
    if ready >= desired:
        return Health.HEALTHY
    if ready:
        return Health.DEGRADED
    if was_ready or _failing(observation):
        return Health.UNHEALTHY
    return Health.STARTING


def message(state: State, observation: Observation | None, *, was_ready: bool) -> str:
    """Why the service is not healthy and what would mend it; empty when it is healthy or over."""
    how = health(state, observation, was_ready=was_ready)
    if how in (Health.HEALTHY, Health.STOPPED):
        return ""
    if observation is None:
        return "the objects of this run are being created"
    reason = next(filter(None, (rule(observation) for rule in REASONS)), "")
    if how is Health.DEGRADED and observation.deployment is not None:
        count = f"{observation.deployment.ready} of {observation.deployment.desired} replicas ready"
        return f"{count}: {reason}" if reason else count
    return reason


def _failing(observation: Observation) -> bool:
    waiting = (each.state.reason for pod in observation.pods for each in pod.containers)
    failing = _PULL | _CREATE | {"CrashLoopBackOff"}
    return any(reason in failing for reason in waiting)


def _gone(observation: Observation) -> str:
    if observation.deployment is None:
        return "the Deployment is gone from the cluster: start a new run"
    return ""


def _image(observation: Observation) -> str:
    for _, container in _containers(observation):
        if container.state.reason == "InvalidImageName":
            return f"{container.state.message}: mend the image's name in the function"
        if container.state.reason in _PULL:
            return (
                f"{container.state.reason}: {container.state.message}: "
                "check the image's name, and that the registry has it and lets this cluster in"
            )
    return ""


def _create(observation: Observation) -> str:
    for _, container in _containers(observation):
        if container.state.reason in _CREATE:
            return f"{container.state.reason}: {container.state.message}"
    return ""


def _crash(observation: Observation) -> str:
    for _, container in _containers(observation):
        ended = container.state if container.state.phase == "terminated" else container.last
        if ended is not None and not container.ready:
            times = "once" if container.restarts == 1 else f"{container.restarts} times"
            shown = container.state.reason or "restarting"
            return (
                f"{shown}: the container exited with code {ended.exit_code} ({ended.reason}) and was "
                f"restarted {times}: see its logs"
            )
    return ""


def _unschedulable(observation: Observation) -> str:
    for pod in observation.pods:
        placed = pod.condition("PodScheduled")
        if placed is not None and placed.status == "False":
            return f"{placed.message} Ask for less, stop something, or add nodes"
    return ""


def _refused(observation: Observation) -> str:
    deployment = observation.deployment
    failure = deployment.condition("ReplicaFailure") if deployment else None
    if failure is not None and failure.status == "True":
        return f"{failure.message}: ask for less, or raise the quota"
    event = _last_event(observation, "FailedCreate")
    return (
        f"{event.note}: ask for less, or raise the quota" if event and not observation.pods else ""
    )


def _node_lost(observation: Observation) -> str:
    for pod in observation.pods:
        ready, own = pod.condition("Ready"), pod.condition("ContainersReady")
        if ready is None or own is None or (ready.status, own.status) != ("False", "True"):
            continue  # only the node controller says no where the kubelet has said yes
        if _last_event(observation, "NodeNotReady", pod.name):
            return (
                f"{pod.node} does not answer: what ran there is replaced 300 s after that was "
                "seen, or goes on when the node is back"
            )
    return ""


def _unanswered(observation: Observation) -> str:
    if any(each.state.phase == "running" for _, each in _containers(observation) if not each.ready):
        event = _last_event(observation, "Unhealthy")
        if event is not None:
            return f"{event.note}: check that the container listens on the target port"
        return "the container runs and does not answer on its port yet"
    return ""


def _pulling(observation: Observation) -> str:
    for pod, container in _containers(observation):
        if container.state.phase == "waiting":
            if pod.node and (event := _last_event(observation, "Pulling", pod.name)):
                pulled = _last_event(observation, "Pulled", pod.name)
                if pulled is None or pulled.time < event.time:
                    return f'pulling image "{container.image}" on {pod.node}'
            return "the container is being created"
    return "the pods are being created"


#: The rules, the gravest first. The last one always speaks.
REASONS: tuple[Callable[[Observation], str], ...] = (
    _gone,
    _image,
    _create,
    _crash,
    _unschedulable,
    _refused,
    _node_lost,
    _unanswered,
    _pulling,
)


def _containers(observation: Observation) -> list[tuple[PodStatus, ContainerStatus]]:
    return [
        (pod, each) for pod in observation.pods if not pod.terminating for each in pod.containers
    ]


def _last_event(
    observation: Observation, reason: str, name: str | None = None
) -> EventRecord | None:
    found = (
        each
        for each in observation.events
        if each.reason == reason and (name is None or each.name == name)
    )
    return max(found, key=lambda each: each.time, default=None)
