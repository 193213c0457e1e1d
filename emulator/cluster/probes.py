"""Probes, computed instead of run: the next instant at which an answer can be new.

Rules: a TCP probe runs at once when the container starts and then every period; while its answer
cannot differ it costs no event. Source: Kubernetes facts section 6.4.
"""

from __future__ import annotations

from emulator.cluster.objects import Probe


def next_run(started: int, probe: Probe, at: int) -> int:
    """The first run of the probe at or after `at`, for a container that started at `started`."""
    if at <= started:
        return started
    return started + -(-(at - started) // probe.period) * probe.period


def exhausted(started: int, probe: Probe) -> int:
    """The instant of the run that makes `failures` failures in a row, none ever having passed."""
    return started + (probe.failures - 1) * probe.period


def refusal(kind: str, ip: str, port: int) -> str:
    """The text of a failed TCP probe."""
    return f"{kind} probe failed: dial tcp {ip}:{port}: connect: connection refused"
