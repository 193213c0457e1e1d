"""The columns of pods: what READY, STATUS and RESTARTS say of a pod.

Rules: STATUS is the phase, overruled by the pod's reason, by what a container waits for or died of,
and by its deletion, in this order. Source: Kubernetes pkg/printers/internalversion/printers.go.
"""

from __future__ import annotations

from typing import Any

from emulator.kubeapi.tables.text import NONE, Ages

Json = dict[str, Any]

COLUMNS = (
    ("Name", "string", "name", 0),
    ("Ready", "string", "", 0),
    ("Status", "string", "", 0),
    ("Restarts", "string", "", 0),
    ("Age", "string", "", 0),
    ("IP", "string", "", 1),
    ("Node", "string", "", 1),
    ("Nominated Node", "string", "", 1),
    ("Readiness Gates", "string", "", 1),
)


def cells(pod: Json, ages: Ages) -> list[Any]:
    """The cells of a pod."""
    spec, status = pod["spec"], pod.get("status", {})
    containers = status.get("containerStatuses", ())
    ready = sum(1 for each in containers if each.get("ready") and "running" in each["state"])
    addresses: list[Json] = status.get("podIPs") or [{}]
    return [
        pod["metadata"]["name"],
        f"{ready}/{len(spec.get('containers', ()))}",
        _status(pod, ready),
        _restarts(containers, ages),
        ages.of(pod),
        addresses[0].get("ip") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(spec, status),
    ]


def _status(pod: Json, ready: int) -> str:
    status = pod.get("status", {})
    phase = status.get("phase", "")
    reason: str = status.get("reason") or phase
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    if conditions.get("PodScheduled", {}).get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    for container in reversed(status.get("containerStatuses", ())):
        reason = _held_up(container["state"]) or reason
    if reason == "Completed" and ready:
        healthy = conditions.get("Ready", {}).get("status") == "True"
        reason = "Running" if healthy else "NotReady"
    if "deletionTimestamp" in pod["metadata"]:
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if phase not in ("Succeeded", "Failed"):
            return "Terminating"
    return reason


def _held_up(state: Json) -> str:
    """Why a container does not run; empty where it does, or nobody says."""
    waiting: str = state.get("waiting", {}).get("reason", "")
    if waiting or "terminated" not in state:
        return waiting
    ended = state["terminated"]
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _restarts(containers: Any, ages: Ages) -> str:
    count = sum(each.get("restartCount", 0) for each in containers)
    ends = [
        each.get("lastState", {}).get("terminated", {}).get("finishedAt") for each in containers
    ]
    last = max(filter(None, ends), default=None)
    return f"{count} ({ages.since(last)} ago)" if count and last else str(count)


def _gates(spec: Json, status: Json) -> str:
    gates = [each.get("conditionType") for each in spec.get("readinessGates", ())]
    if not gates:
        return NONE
    true = {each["type"] for each in status.get("conditions", ()) if each["status"] == "True"}
    return f"{sum(1 for each in gates if each in true)}/{len(gates)}"
