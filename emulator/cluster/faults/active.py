"""One fault at work: its name, its dice, its timers, and whom it has struck.

Rules: what is kept here is gone when the fault ends, and belongs to nobody else.
"""

from __future__ import annotations

from emulator.cluster.faults.base import Fault
from emulator.cluster.faults.values import MILLION
from emulator.cluster.kernel import Timer
from emulator.cluster.streams import Stream, Streams


class Active:
    """A fault under a name, from its being asked for to its end. `began` is None before its start."""

    __slots__ = (
        "_dice",
        "_streams",
        "_struck",
        "began",
        "clock",
        "done",
        "fault",
        "name",
        "timers",
    )

    def __init__(self, name: str, fault: Fault, streams: Streams) -> None:
        self.name = name
        self.fault = fault
        self.began: int | None = None
        self.clock: Timer | None = None  # its start, then its end
        self.timers: dict[str, Timer] = {}
        self.done: dict[str, object] = {}  # by pod, what has been done to it
        self._struck: dict[str, bool] = {}
        self._dice: dict[str, Stream] = {}
        self._streams = streams

    def strikes(self, entity: str) -> bool:
        """Whether chance has it that this one is struck; the same answer however often it is asked."""
        share = self.fault.share
        if share == MILLION:
            return True
        found = self._struck.get(entity)
        if found is None:
            stream = self._streams.stream(f"Fault/{self.name}", entity)
            found = self._struck[entity] = stream.chance(share, MILLION)
        return found

    def chance(self, entity: str) -> bool:
        """Whether the next call of this one is struck: a draw for each call."""
        share = self.fault.share
        if share == MILLION:
            return True
        stream = self._dice.get(entity)
        if stream is None:
            stream = self._streams.stream(f"Fault/{self.name}", f"{entity} calls")
            self._dice[entity] = stream
        return stream.chance(share, MILLION)

    def forget(self, entity: str) -> None:
        """One who could be struck is no more."""
        self.done.pop(entity, None)
        self._struck.pop(entity, None)
        self._dice.pop(entity, None)
        if timer := self.timers.pop(entity, None):
            timer.cancel()

    def cancel(self) -> None:
        """Cancels its timers."""
        if self.clock is not None:
            self.clock.cancel()
            self.clock = None
        for timer in self.timers.values():
            timer.cancel()
        self.timers.clear()
