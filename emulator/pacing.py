"""The paced driver of the kernel: how simulated time follows the wall, when a server lives.

Rules: everything due is done before a command is applied (`sync`); a long catch-up yields to the event
loop every few milliseconds. Modes: `auto` (the wall's time, except that time jumps while a run is on its
way to a settled state and only simulated time stands between, at most `JUMP` for one transition), a
number (that many times the wall), `paused` (time moves by `advance` only). While a real handler works
for a run (`held`), time passes as on the wall.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from emulator.cluster.kernel import Kernel
from emulator.domain.timefmt import MILLISECOND, MINUTE, SECOND

#: How far time may jump for one transition. It covers the progress deadline of 600 s.
JUMP = 15 * MINUTE
BUDGET = 5 * MILLISECOND
_LONGEST_NAP = 3600.0

Wall = Callable[[], int]


class Mode:
    """A time mode: its name, and how many simulated seconds pass in one of the wall."""

    __slots__ = ("jumps", "name", "rate")

    def __init__(self, name: str, rate: float, *, jumps: bool = False) -> None:
        self.name = name
        self.rate = rate
        self.jumps = jumps

    @classmethod
    def parse(cls, text: str) -> Mode:
        """`auto`, `paused`, or a positive number. Raises ValueError, saying so."""
        if text == "auto":
            return cls("auto", 1.0, jumps=True)
        if text == "paused":
            return cls("paused", 0.0)
        try:
            rate = float(text)
        except ValueError:
            rate = 0.0
        if not 0 < rate <= 1e6:
            raise ValueError(
                f"{text!r} is no speed: give auto, paused or a number above 0, at most 1e6"
            )
        return cls(f"{rate:g}", rate)


class Pacer:
    """Drives a kernel from an event loop.

    `moving` names the runs on their way to a settled state, `held` says whether a real handler works.
    """

    def __init__(
        self,
        kernel: Kernel,
        mode: Mode,
        wall: Wall,
        moving: Callable[[], Iterable[str]],
        held: Callable[[], bool],
    ) -> None:
        self._kernel = kernel
        self._wall = wall
        self._moving = moving
        self._held = held
        self.mode = mode
        self._base_wall = wall()
        self._base_sim = kernel.now
        self._limits: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.Handle | None = None
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.after_pump: Callable[[], None] = lambda: None

    # -- the present -----------------------------------------------------------------------------

    @property
    def present(self) -> int:
        """Simulated time as the mode has it now."""
        if self.mode.rate == 0:
            return self._kernel.now
        elapsed = int((self._wall() - self._base_wall) * self.mode.rate)
        return max(self._base_sim + elapsed, self._kernel.now)

    def sync(self) -> None:
        """Does everything that is due, and makes the present the kernel's."""
        self._kernel.advance(self.present)

    def _rebase(self) -> None:
        self._base_wall = self._wall()
        self._base_sim = self._kernel.now

    def set_mode(self, mode: Mode) -> None:
        """Changes the mode from now on."""
        self.sync()
        self.mode = mode
        self._rebase()
        self.kick()

    def advance(self, until: int) -> None:
        """Moves time to `until` at once, whatever the mode."""
        self._kernel.advance(max(until, self._kernel.now))
        self._rebase()
        self.kick()

    def advance_while(self, condition: Callable[[], bool], limit: int) -> None:
        """Moves time, event by event, while `condition` holds, at most to `limit`."""
        self._kernel.run_while(condition, limit)
        self._rebase()
        self.kick()

    # -- the loop --------------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to drive."""
        self._loop = loop
        self._rebase()
        self.kick()

    def stop(self) -> None:
        """Ends driving; waiters are let go."""
        if self._handle is not None:
            self._handle.cancel()
        self._loop = self._handle = None
        for _, future in self._waiters:
            if not future.done():
                future.cancel()
        self._waiters.clear()

    def kick(self) -> None:
        """Looks again soon: something was scheduled, or a mode has changed."""
        if self._loop is not None:
            if self._handle is not None:
                self._handle.cancel()
            self._handle = self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._handle = None
        stop_at = self._wall() + BUDGET
        done = self._catch_up(stop_at) and self._jump(stop_at)
        self.after_pump()
        self._release()
        if self._loop is None:
            return
        if not done:
            self._handle = self._loop.call_soon(self._pump)
            return
        nap = self._nap()
        if nap is not None:
            self._handle = self._loop.call_later(nap, self._pump)

    def _catch_up(self, stop_at: int) -> bool:
        present = self.present
        while self._kernel.peek() <= present:
            self._kernel.step()
            if self._wall() > stop_at:
                return False
        self._kernel.advance(present)
        return True

    def _jump(self, stop_at: int) -> bool:
        """Jumps while a run is on its way; False when the budget is spent before that."""
        if not self.mode.jumps:
            return True
        while not self._held() and self._kernel.peek() <= self._jump_limit():
            self._kernel.step()
            self._rebase()
            if self._wall() > stop_at:
                return False
        return True

    def _jump_limit(self) -> int:
        """The farthest instant that any run on its way may still jump to; -1 for none."""
        now = self._kernel.now
        moving = set(self._moving())
        self._limits = {run: self._limits.get(run, now + JUMP) for run in moving}
        return max(self._limits.values(), default=-1)

    def _nap(self) -> float | None:
        peek = self._kernel.peek()
        if self.mode.rate == 0 or peek == float("inf"):
            return None
        return min(max(peek - self.present, 0) / SECOND / self.mode.rate, _LONGEST_NAP)

    # -- waiting ---------------------------------------------------------------------------------

    async def wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits until `condition` holds, at most `seconds` of the wall; says whether it does."""
        if condition():
            return True
        assert self._loop is not None
        future: asyncio.Future[None] = self._loop.create_future()
        entry = (condition, future)
        self._waiters.append(entry)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return condition()
        except asyncio.CancelledError:
            if future.cancelled():
                return condition()
            raise
        finally:
            if entry in self._waiters:
                self._waiters.remove(entry)
        return True

    async def until(self, instant: int) -> None:
        """Waits until simulated time has come to an instant, however long that takes."""
        assert self._loop is not None
        self.sync()
        future: asyncio.Future[None] = self._loop.create_future()
        at = max(instant, self._kernel.now)

        def come() -> None:
            if not future.done():
                future.set_result(None)

        timer = self._kernel.call_at(at, come)
        self.kick()
        try:
            await future
        finally:
            timer.cancel()

    def _release(self) -> None:
        for condition, future in self._waiters:
            if not future.done() and condition():
                future.set_result(None)
