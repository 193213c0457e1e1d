"""What an observation means for a run: ready, lost, or not yet. Pure.

Sources: contract sections 3.4, 3.6, 9; the quirk table names every difference of the profiles.
"""

from __future__ import annotations

import json

from emulator.control.entities import Run
from emulator.domain.kube import Observation
from emulator.domain.lifecycle import State
from emulator.domain.quirks import Profile, Quirk
from emulator.platform import PlatformError

#: Reason phrases, our own: those of the standard library change between versions of Python.
_PHRASES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

_MENDS = {
    "range is full": "stop a service, or take a larger --service-range",
    "already exists": "another run has the same names: choose another run id",
    "spec.ports: Required value": "give the run service_ports with port and target_port",
    "must be between 1 and 65535": "give a port between 1 and 65535",
}


def is_ready(seen: Observation, profile: Profile) -> bool:
    """Whether the platform calls the run RUNNING."""
    if profile.has(Quirk.READY_ANY_POD):
        return any(pod.phase == "Running" for pod in seen.pods) and any(
            pod.ready for pod in seen.pods
        )
    if seen.service is not None and seen.service.endpoints == 0:
        return False  # the page's promise: what is RUNNING can be reached
    return any(pod.phase == "Running" and pod.ready for pod in seen.pods)


def give_up(run: Run, seen: Observation, profile: Profile) -> str:
    """Why the run ends in ERROR now; empty when it does not."""
    if seen.deployment is None or seen.service is None:
        missing = "Deployment" if seen.deployment is None else "Service"
        return f"k8s: Not Found: the {missing} of this run is gone: start a new run"
    if profile.has(Quirk.RESTARTS_ARE_FATAL) and any(
        container.restarts > 1 for pod in seen.pods for container in pod.containers
    ):
        return "Multiple pod restarts"
    if run.state is State.PENDING and not profile.has(Quirk.PENDING_WITHOUT_END):
        progressing = seen.deployment.condition("Progressing")
        if progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
            seconds = seen.deployment.manifest["spec"].get("progressDeadlineSeconds", 600)
            return f"not ready within {seconds} s: {run.message}"
    return ""


def refusal_text(error: PlatformError, profile: Profile) -> str:
    """The sentence for a refusal of the platform's API."""
    if profile.has(Quirk.K8S_RAW_ERRORS):
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": error.message,
            "reason": error.reason,
            "details": {"causes": list(error.causes)},
            "code": error.code,
        }
        phrase = _PHRASES.get(error.code, error.reason)
        return f"k8s: {phrase} {json.dumps(status, separators=(',', ':'))} "
    mend = next((mend for part, mend in _MENDS.items() if part in error.message), "")
    return f"k8s: {error.message}" + (f": {mend}" if mend else "")
