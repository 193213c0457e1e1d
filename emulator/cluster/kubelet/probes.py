"""Probes: when a run falls, what it says, and what a row of runs comes to. Pure.

Rules: a worker's runs fall on `base` and every period after it, none before the initial delay is over;
results count in a row, and a row that is long enough turns the result. The result begins as False for
readiness, True for liveness and None (unknown) for startup. Source: Kubernetes facts section 6.4;
kubernetes pkg/kubelet/prober/worker.go.
"""

from __future__ import annotations

from emulator.cluster.events import Streak
from emulator.cluster.objects import Probe

STARTUP, READINESS, LIVENESS = "startup", "readiness", "liveness"
KINDS = (STARTUP, READINESS, LIVENESS)
NEVER = 2**62

_INITIAL: dict[str, bool | None] = {STARTUP: None, READINESS: False, LIVENESS: True}


class Worker:
    """What probes one container for one purpose.

    `last` is the last instant whose runs are counted; `opens` is when the process begins to answer by
    itself, `forced` overrides that, and `hangs` says that no answer comes before the timeout; `failing`
    says that the present row of failures has been told of.
    """

    __slots__ = (
        "base",
        "count",
        "failing",
        "flight",
        "forced",
        "hangs",
        "kind",
        "last",
        "ok",
        "opens",
        "probe",
        "result",
        "streak",
    )

    def __init__(self, kind: str, probe: Probe, base: int, opens: int, last: int) -> None:
        self.kind = kind
        self.probe = probe
        self.base = base
        self.opens = opens
        self.last = last
        self.forced: bool | None = None
        self.hangs = False
        self.result = _INITIAL[kind]
        self.ok = False
        self.count = 0
        self.failing = False
        self.flight = NEVER  # the run that the worker's timer waits for
        self.streak: Streak | None = None

    def after(self, at: int) -> int:
        """The first run after an instant."""
        return self.base + ((at - self.base) // self.probe.period + 1) * self.probe.period

    def answers(self, at: int) -> bool:
        """Whether a run at that instant succeeds."""
        return at >= self.opens if self.forced is None else self.forced

    @property
    def patience(self) -> int:
        """How long a run lasts: at most its timeout, and no longer than the period."""
        return min(self.probe.timeout, self.probe.period) if self.hangs else 0

    def tally(self, ok: bool, runs: int) -> None:
        """Counts that many runs with the same result."""
        if runs:
            self.count = self.count + runs if self.ok == ok else runs
            self.ok = ok

    def count_until(self, before: int) -> None:
        """Counts the runs after `last` and before `before`."""
        runs = self._runs(self.last, before)
        if not runs:
            return
        if self.forced is not None:
            self.tally(self.forced, runs)
        else:
            failed = self._runs(self.last, min(before, self.opens))
            self.tally(False, failed)
            self.tally(True, runs - failed)
        self.last = before - 1

    def _runs(self, after: int, before: int) -> int:
        """How many runs lie after one instant and before another."""
        period, base = self.probe.period, self.base
        return max((before - 1 - base) // period - (after - base) // period, 0)

    def turning(self, ok: bool) -> int:
        """How many more runs in a row make `ok` the result, at least 1."""
        needed = self.probe.successes if ok else self.probe.failures
        return max(needed - (self.count if self.ok == ok else 0), 1)


def complaint(worker: Worker, ip: str) -> str:
    """The text of a failed run."""
    probe = worker.probe
    address = f"{ip}:{probe.port}"
    if probe.kind == "exec":
        said = "command timed out" if worker.hangs else ""
    elif probe.kind == "tcp":
        why = "i/o timeout" if worker.hangs else "connect: connection refused"
        said = f"dial tcp {address}: {why}"
    elif worker.forced is False and not worker.hangs:
        said = "HTTP probe failed with statuscode: 503"
    else:
        why = (
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            if worker.hangs
            else f"dial tcp {address}: connect: connection refused"
        )
        said = f'Get "http://{address}{probe.path}": {why}'
    return f"{worker.kind.capitalize()} probe failed: {said}"
