"""The pacer: how simulated time follows the wall in each mode. The wall here is a number."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from emulator.cluster.kernel import Kernel
from emulator.domain.journal import Journal
from emulator.domain.timefmt import MINUTE, SECOND
from emulator.pacing import JUMP, Mode, Pacer


class Bench:
    """A kernel, a pacer, a wall that is set by hand, and what the tests say of runs."""

    def __init__(self, mode: str) -> None:
        self.wall = 0
        self.kernel = Kernel(Journal())
        self.moving: list[str] = []
        self.held = False
        self.fired: list[int] = []
        self.pacer = Pacer(
            self.kernel,
            Mode.parse(mode),
            lambda: self.wall,
            lambda: self.moving,
            lambda: self.held,
        )

    def plan(self, *times: int) -> None:
        """Events at these instants, which note that they have been."""
        for time in times:
            self.kernel.call_at(time, lambda: self.fired.append(self.kernel.now))


async def turn() -> None:
    """Lets the loop do what is due now."""
    for _ in range(5):
        await asyncio.sleep(0)


def live(mode: str, test: Callable[[Bench], Awaitable[None]]) -> None:
    """Runs a test against a started pacer."""

    async def main() -> None:
        bench = Bench(mode)
        bench.pacer.start(asyncio.get_running_loop())
        try:
            await test(bench)
        finally:
            bench.pacer.stop()

    asyncio.run(main())


def test_a_number_is_that_many_times_the_wall() -> None:
    async def test(bench: Bench) -> None:
        bench.plan(10 * SECOND, 21 * SECOND)
        bench.wall = 2 * SECOND
        bench.pacer.kick()
        await turn()
        assert bench.fired == [10 * SECOND]
        assert bench.pacer.present == 20 * SECOND
        bench.pacer.sync()
        assert bench.kernel.now == 20 * SECOND

    live("10", test)


def test_paused_moves_by_request_only() -> None:
    async def test(bench: Bench) -> None:
        bench.plan(SECOND, MINUTE)
        bench.moving = ["run"]
        bench.wall = 100 * MINUTE
        bench.pacer.kick()
        await turn()
        assert bench.fired == []
        bench.pacer.advance(30 * SECOND)
        assert bench.fired == [SECOND]
        assert bench.pacer.present == 30 * SECOND
        bench.pacer.advance_while(lambda: not bench.fired[1:], MINUTE)
        assert bench.fired == [SECOND, MINUTE]

    live("paused", test)


def test_auto_is_the_wall_while_nothing_moves() -> None:
    async def test(bench: Bench) -> None:
        bench.plan(SECOND, MINUTE)
        bench.wall = 2 * SECOND
        bench.pacer.kick()
        await turn()
        assert bench.fired == [SECOND]
        assert bench.pacer.present == 2 * SECOND

    live("auto", test)


def test_auto_jumps_for_a_run_on_its_way_and_goes_on_from_there() -> None:
    async def test(bench: Bench) -> None:
        bench.moving = ["run"]
        bench.kernel.call_at(10 * MINUTE, bench.moving.clear)
        bench.plan(11 * MINUTE)
        bench.pacer.kick()
        await turn()
        assert bench.moving == []
        assert bench.kernel.now == 10 * MINUTE
        assert bench.fired == [], "the run is settled: the next event waits for the wall"
        bench.wall = MINUTE
        bench.pacer.kick()
        await turn()
        assert bench.fired == [11 * MINUTE]

    live("auto", test)


def test_auto_jumps_no_farther_than_its_bound() -> None:
    async def test(bench: Bench) -> None:
        bench.moving = ["run"]
        bench.plan(JUMP, JUMP + 1)
        bench.pacer.kick()
        await turn()
        assert bench.fired == [JUMP]

    live("auto", test)


def test_a_real_handler_holds_the_time() -> None:
    async def test(bench: Bench) -> None:
        bench.moving, bench.held = ["run"], True
        bench.plan(SECOND)
        bench.pacer.kick()
        await turn()
        assert bench.fired == []
        bench.held = False
        bench.pacer.kick()
        await turn()
        assert bench.fired == [SECOND]

    live("auto", test)


def test_a_long_catch_up_yields_to_the_loop() -> None:
    async def test(bench: Bench) -> None:
        def slow() -> None:
            bench.wall += 4 * 1_000_000
            bench.fired.append(bench.kernel.now)

        for _ in range(6):
            bench.kernel.call_at(SECOND, slow)
        bench.wall = SECOND
        bench.pacer.kick()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert 0 < len(bench.fired) < 6
        await turn()
        assert len(bench.fired) == 6

    live("1", test)


def test_who_waits_is_told_when_it_has_come_and_when_it_has_not() -> None:
    async def test(bench: Bench) -> None:
        bench.plan(SECOND)
        waiting = asyncio.ensure_future(bench.pacer.wait_for(lambda: bool(bench.fired), 5))
        await turn()
        assert not waiting.done()
        bench.wall = SECOND
        bench.pacer.kick()
        assert await waiting is True
        assert await bench.pacer.wait_for(lambda: False, 0.01) is False

    live("1", test)


def test_changing_the_mode_keeps_the_present() -> None:
    async def test(bench: Bench) -> None:
        bench.wall = 3 * SECOND
        bench.pacer.set_mode(Mode.parse("paused"))
        bench.wall = 9 * SECOND
        assert bench.pacer.present == 3 * SECOND
        bench.pacer.set_mode(Mode.parse("2"))
        bench.wall = 10 * SECOND
        assert bench.pacer.present == 5 * SECOND

    live("auto", test)


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "nan", "inf", "1e7"])
def test_a_wrong_mode_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="give auto, paused or a number"):
        Mode.parse(text)
