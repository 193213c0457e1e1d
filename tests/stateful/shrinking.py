"""Makes a history that breaks an invariant smaller.

Rules: actions are left out, many at once and then fewer, as long as the same invariant breaks first; a
history is always played to its world's end. What is left is a local minimum, or what there was time for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from player import Broken, Player

from emulator.testing.actions import Action, Setting


def shrink(
    setting: Setting,
    actions: Sequence[Action],
    broken: Broken,
    end: float,
    clock: Callable[[], float] = time.monotonic,
) -> Broken:
    """The same violation with fewer actions, as far as one gets until `end`."""
    kept = list(actions)
    size = len(kept) // 2
    while size:
        start = 0
        while start < len(kept) and clock() < end:
            fewer = kept[:start] + kept[start + size :]
            again = attempt(setting, fewer)
            if (
                again is not None
                and again.violations[0].invariant == broken.violations[0].invariant
            ):
                kept, broken = fewer, again
            else:
                start += size
        size //= 2
    return broken


def attempt(setting: Setting, actions: Sequence[Action]) -> Broken | None:
    """What these actions break in a new world, None where nothing."""
    player = Player(setting, setting.seed)
    return player.whole(actions)
