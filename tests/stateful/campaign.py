"""Long campaigns: fresh histories until one breaks an invariant, or the time is over.

    python -m tests.stateful.campaign --seconds 600 --seed 1

Rules: the histories are those of `chance`, one for each number from the seed on, so a find is found
again. What is found is made smaller by leaving actions out, as long as the same invariant breaks.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
for folder in (str(HERE), str(HERE.parent)):
    if folder not in sys.path:  # as pytest does, which puts a test's folder there
        sys.path.insert(0, folder)

from chance import play  # noqa: E402  # only now it is on the path
from player import replay  # noqa: E402
from shrinking import shrink  # noqa: E402

from emulator.testing.actions import render  # noqa: E402

#: One history in so many is played again, for invariant 9.
REPLAYED = 4


@dataclass(frozen=True, slots=True)
class Found:
    """What a campaign has found.

    `invariant` is its number, 0 where the emulator itself failed; `scenario` the text of a file that
    shows it; `examples` how many histories it took; `seed` that of the history.
    """

    invariant: int
    message: str
    scenario: str
    examples: int
    seed: int


def find(
    seed: int,
    seconds: float,
    *,
    shrinking: float = 10.0,
    clock: Callable[[], float] = time.monotonic,
) -> Found | None:
    """Plays histories until one breaks; None where none does within `seconds`.

    Making it smaller takes at most `shrinking` more.
    """
    end = clock() + seconds
    number = 0
    while clock() < end:
        number += 1
        player, broken = play(seed * 1_000_000 + number)
        if (
            broken is None
            and number % REPLAYED == 0
            and replay(player.setting, player.actions).journal.sha256 != player.world.journal.sha256
        ):
            text = "the same history gives another journal"
            scenario = render(player.actions, player.setting)
            return Found(9, text, scenario, number, seed * 1_000_000 + number)
        if broken is not None:
            small = shrink(player.setting, player.actions, broken, clock() + shrinking, clock)
            first = small.violations[0]
            return Found(
                first.invariant,
                first.message,
                small.scenario,
                number,
                seed * 1_000_000 + number,
            )
    return None


def main() -> int:
    """The command line; 1 where something was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="where the scenario goes")
    asked = parser.parse_args()
    found = find(asked.seed, asked.seconds)
    if found is None:
        print(f"nothing found within {asked.seconds:g} s")
        return 0
    print(f"invariant {found.invariant}: {found.message}")
    print(f"after {found.examples} histories; the last one's seed is {found.seed}")
    if asked.write is not None:
        asked.write.write_text(found.scenario, encoding="utf-8")
        print(f"scenario: {asked.write}; dhemu sim --invariants {asked.write}")
    else:
        print(found.scenario)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
