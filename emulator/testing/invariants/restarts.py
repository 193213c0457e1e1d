"""How soon a container comes back: the part of invariant 10 that is about back-offs.

Rules: a container's first end, and an end after a run of more than 600 s, are followed by no back-off.
How long it ran is known where the Event of its start was written.
Source: Kubernetes facts section 6.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.domain.journal import Row
from emulator.domain.timefmt import SECOND

RESET_AFTER = 600 * SECOND


class Restarts:
    """The containers of a cluster, by pod."""

    __slots__ = ("_at_once", "_started")

    def __init__(self) -> None:
        self._started: dict[str, int] = {}
        self._at_once: dict[str, str] = {}  # who is to come back without a wait, and why

    def ended(self, row: Row, pod: str) -> None:
        """A container has ended (an `exit` row)."""
        started = self._started.pop(pod, row.t)
        self._at_once.pop(pod, None)
        if row.data.get("restarts") == 0:
            self._at_once[pod] = "for the first time"
        elif row.t - started > RESET_AFTER:
            self._at_once[pod] = f"after {(row.t - started) // SECOND} s"

    def told(self, row: Row, pod: str) -> Iterator[str]:
        """An Event about a pod."""
        reason = row.data.get("reason")
        if reason == "Started":
            self._started[pod] = row.t
            self._at_once.pop(pod, None)
        elif (
            reason == "BackOff"
            and "restarting" in str(row.data.get("note", ""))
            and (why := self._at_once.pop(pod, ""))
        ):
            yield f"Pod/{pod} has ended {why}, and waits for its restart"

    def forget(self, pod: str) -> None:
        """The pod is gone."""
        self._started.pop(pod, None)
        self._at_once.pop(pod, None)
