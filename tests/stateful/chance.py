"""Histories by plain chance: what happens next in a player's world.

Rules: everything comes from the generator that is handed in, so a seed is one history. Each history
leaves out some of the actions (`moods`), so that what is rare alone comes in numbers somewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from player import NODES, SETTINGS, ZONES, Broken, Player

from emulator.cluster.faults import KINDS, attributes_of
from emulator.cluster.faults.calls import CallFault
from emulator.cluster.faults.values import Choice
from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND
from emulator.testing.actions import (
    Action,
    Advance,
    Delete,
    Deploy,
    Fault,
    Heal,
    Invoke,
    Load,
    Resume,
    Stop,
    Version,
    duration_text,
)
from emulator.testing.strategies import IMAGES, Targets

#: Weights of the actions while nothing is left out.
WEIGHTS = {
    "deploy": 8,
    "stop": 3,
    "delete": 3,
    "resume": 1,
    "version": 1,
    "invoke": 4,
    "load": 2,
    "instant": 3,
    "moment": 8,
    "wait": 4,
    "fault": 5,
    "heal": 3,
    "heal all": 1,
}
_WAITS = (10 * SECOND, 30 * SECOND, MINUTE, 3 * MINUTE, 5 * MINUTE + 30 * SECOND, 11 * MINUTE, HOUR)
_MOMENTS = (0, MILLISECOND, 10 * MILLISECOND, 100 * MILLISECOND, SECOND, 3 * SECOND, 5 * SECOND)


class Chance:
    """One history's generator."""

    def __init__(self, random: Random) -> None:
        self._random = random
        weights = dict(WEIGHTS)
        for name in ("fault", "load", "delete", "stop", "wait", "moment", "invoke"):
            if random.random() < 0.15:
                weights[name] = 0
        if not weights["fault"]:
            weights["heal"] = weights["heal all"] = 0
        self._names = list(weights)
        self._weights = list(weights.values())
        self._images = IMAGES if random.random() < 0.6 else ("good",)
        self._kinds = random.sample(list(KINDS), random.choice((1, 2, 4, len(KINDS))))
        self._count = 0
        # Two histories of three begin with services that have had the time to be ready.
        self._opening = ["deploy"] * random.choice((0, 1, 2)) + ["ready"]

    def next(self, player: Player) -> Action:
        """What happens next."""
        random = self._random
        self._count += 1
        runs = list(player.runs)
        what = random.choices(self._names, self._weights)[0]
        if self._opening:
            what = self._opening.pop(0)
        last = player.actions[-1] if player.actions else None
        if isinstance(last, Fault) and issubclass(KINDS[last.kind], CallFault):
            served = player.served()
            if served and random.random() < 0.5:
                runs, what = served, random.choice(("invoke", "load"))
        if not runs and what in ("stop", "delete", "resume", "invoke", "load"):
            what = "deploy"
        match what:
            case "ready":
                return Advance(10 * SECOND)
            case "stop":
                return Stop(random.choice(runs))
            case "delete":
                return Delete(random.choice(runs))
            case "resume":
                return Resume(random.choice(runs))
            case "version":
                return Version(random.choice(self._images))
            case "invoke":
                return Invoke(random.choice(runs), random.choice(("GET", "POST")))
            case "load":
                return self._load(random.choice(runs))
            case "instant":
                return Advance(max(0, player.until_next() - random.randrange(2)))
            case "moment":
                return Advance(random.choice(_MOMENTS))
            case "wait":
                return Advance(random.choice(_WAITS))
            case "fault":
                return self._fault(runs)
            case "heal":
                faults = player.faults
                return Heal(random.choice(faults)) if faults else Advance(SECOND)
            case "heal all":
                return Heal()
        return self._deploy()

    def _deploy(self) -> Deploy:
        random = self._random
        resources = []
        if random.random() < 0.5:
            resources.append(("cpu", random.choice(("50m", "100m", "300m", "500m"))))
        if random.random() < 0.3:
            resources.append(("mem", random.choice(("64Mi", "256Mi", "1Gi"))))
        if random.random() < 0.1:
            resources.append(("gpu", "1"))
        return Deploy(
            f"r{self._count}",
            "good" if self._opening else random.choice(self._images),
            replicas=random.choice((1, 1, 2, 3, 4)),
            ports=tuple(random.sample((80, 81, 8080), random.choice((1, 1, 2)))),
            resources=tuple(resources),
            service_type=random.choice(("", "", "NodePort", "LoadBalancer")),
            service_name=random.choice(("", "blue", "green")),
        )

    def _load(self, run: str) -> Load:
        random = self._random
        return Load(
            run,
            f"load-{self._count}",
            users=random.randint(1, 4),
            count=random.randint(1, 20),
            think=random.choice((0, 50 * MILLISECOND, SECOND)),
            service_time=random.choice((MILLISECOND, 100 * MILLISECOND, 2 * SECOND)),
            timeout=random.choice((None, 500 * MILLISECOND, 10 * SECOND)),
            retries=random.randrange(3),
            zone=random.choice(("", *ZONES)),
        )

    def _fault(self, runs: list[str]) -> Action:
        random = self._random
        kind = random.choice(self._kinds)
        targets = Targets(runs, NODES, ZONES).of(kind)
        numbers = _NUMBERS.get(kind, {})
        attributes = [
            (
                name,
                random.choice(value.words) if isinstance(value, Choice) else _NUMBERS[kind][name],
            )
            for name, value in attributes_of(KINDS[kind]).items()
            if isinstance(value, Choice) or name in numbers
        ]
        if random.random() < 0.2 and kind != "quota":
            attributes.append(("probability", 0.5))
        return Fault(
            kind,
            random.choice(targets),
            tuple(attributes),
            random.choice((None, SECOND, 20 * SECOND, MINUTE, 5 * MINUTE)),
            f"f{self._count}",
        )


_NUMBERS: Mapping[str, Mapping[str, Any]] = {
    "quota": {"pods": 3},
    "slow-start": {"delay": duration_text(20 * SECOND)},
    "crash-loop": {"after": duration_text(SECOND)},
    "api-latency": {"delay": duration_text(SECOND)},
}


def history(seed: int, length: int = 30) -> tuple[Player, Iterator[Action]]:
    """A player at the beginning of its world, and the actions that chance has for it."""
    random = Random(seed)
    player = Player(random.choice(SETTINGS), random.randrange(1000))
    chance = Chance(random)
    return player, (chance.next(player) for _ in range(length))


def play(seed: int) -> tuple[Player, Broken | None]:
    """A whole history, and what it breaks."""
    player, actions = history(seed)
    return player, player.whole(actions)
