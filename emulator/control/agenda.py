"""What the control plane wants to be woken for: one instant a run, computed instead of ticked.

Rules: a poll or a delayed refresh is noted only when it would see something new; a run at rest has no
entry. The earliest instant asked for wins.
"""

from __future__ import annotations

from heapq import heappop, heappush


class Agenda:
    """Instants by run."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def ask(self, run: str, time: int) -> bool:
        """Wakes for `run` at `time`, unless an earlier instant is noted; says whether it is news."""
        held = self._due.get(run)
        if held is not None and held <= time:
            return False
        self._due[run] = time
        heappush(self._heap, (time, run))
        return True

    def drop(self, run: str) -> None:
        """Forgets what was noted for `run`."""
        self._due.pop(run, None)

    def next(self) -> int | None:
        """The earliest instant, or None."""
        heap, due = self._heap, self._due
        while heap:
            time, run = heap[0]
            if due.get(run) == time:
                return time
            heappop(heap)
        return None

    def due(self, now: int) -> list[str]:
        """The runs whose instant has come, earliest first; they are taken off."""
        found: list[str] = []
        while (time := self.next()) is not None and time <= now:
            run = heappop(self._heap)[1]
            del self._due[run]
            found.append(run)
        return found
