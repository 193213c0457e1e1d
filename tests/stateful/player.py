"""Plays actions in one world, records them, and judges the world after each.

Rules: an action becomes the step that `render` writes for it and is taken by the scenario's own runner,
so that the file of the actions is the same history to the byte, the digest of the file apart. What
cannot be done now (a run that is gone, a fault that is over) is not done and not recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache

from emulator.cluster.faults import FaultError
from emulator.control.entities import Run
from emulator.domain.errors import Refused
from emulator.domain.lifecycle import TRANSITIONS, WANTED, Event, State
from emulator.domain.quirks import PROFILES
from emulator.domain.timefmt import MINUTE, SECOND
from emulator.scenario.loader import Loaded, parse
from emulator.scenario.runner import Runner, StepFailed
from emulator.scenario.schema import ACTIONS
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
    Setting,
    Stop,
    functions_of,
    render,
    step,
)
from emulator.testing.invariants import Violation
from emulator.testing.invariants.recovery import BOUND
from emulator.testing.judge import CALM, Judge
from emulator.testing.strategies import BEHAVIOURS, IMAGES
from emulator.world import World

NODES = ("a-1", "a-2", "b-1")
ZONES = ("a", "b")

_POOL = {"cpu": "1", "memory": "2Gi", "gpu": 1, "pods": 8}
_CLUSTER = {
    "service_range": "10.0.0.0/28",
    "balancer_range": "198.18.0.0/29",
    "progress_deadline": "90s",
    "network": {"delay": "1ms", "between_zones": "2ms"},
    "nodes": [
        {"name": "a", "count": 2, "zone": "a", **_POOL},
        {"name": "b", "count": 1, "zone": "b", **_POOL},
    ],
}
_FUNCTIONS = tuple(("container", image) for image in IMAGES)


def _setting(name: str, **cluster: object) -> Setting:
    return Setting(
        name=name,
        cluster={**_CLUSTER, **cluster},
        registry={"size": "20Mi"},
        behaviours=BEHAVIOURS,
        functions=_FUNCTIONS,
        rest=SECOND,
    )


#: The worlds that histories happen in; each is small, so that what there is can run out.
SETTINGS: tuple[Setting, ...] = (
    _setting("small"),
    _setting(
        "bounded",
        quotas=[{"name": "team", "hard": {"pods": "9", "requests.cpu": "3", "services": "9"}}],
    ),
    _setting("late", start={"uniform": ["200ms", "9s"]}, stop={"uniform": ["0s", "40s"]}),
    replace(_setting("core"), profile="core-0.15"),
)

#: When a fault's end is long enough ago: the bound of invariant 10, and what may begin it anew.
RECOVERY = BOUND + CALM
FAREWELL = 10 * MINUTE + CALM


_LOADED: dict[str, Loaded] = {}


def _empty(setting: Setting) -> Loaded:
    """The scenario of a setting, without any step; its seed is of no account."""
    loaded = _LOADED.get(setting.name)
    if loaded is None:
        text = render((), setting)
        loaded = _LOADED[setting.name] = Loaded(parse(text), text, "<history>")
    return loaded


class Broken(AssertionError):
    """A history broke an invariant: which, and the scenario that repeats it."""

    def __init__(self, violations: Sequence[Violation], scenario: str) -> None:
        self.violations = tuple(violations)
        self.scenario = scenario
        told = "\n".join(str(each) for each in violations[:5])
        super().__init__(f"{told}\n--- the scenario that shows it ---\n{scenario}")


class Player:
    """One world and its history so far. `clock` is when the next action happens, in nanoseconds."""

    def __init__(self, setting: Setting = SETTINGS[0], seed: int = 0) -> None:
        self.setting = replace(setting, seed=seed)
        self.runner = Runner(_empty(setting), seed)
        self.world = self.runner.world
        self.judge = Judge(self.world)
        self.actions: list[Action] = []
        self.clock = 0
        self.loads = 0
        self._functions = functions_of((), setting)
        self._table = _table(setting.profile)
        self.runner.begin()

    # -- what there is ---------------------------------------------------------------------------

    @property
    def runs(self) -> dict[str, Run]:
        """The runs that the platform knows, by their names, the oldest first."""
        find = self.world.plane.repository.find_run
        return {name: run for name, run in self.runner.result.runs.items() if find(run.id) is run}

    def served(self) -> list[str]:
        """The names of the runs that have a Service."""
        world = self.world
        home = world.settings.cluster.namespace
        return [
            name
            for name, run in self.runs.items()
            if run.state in WANTED
            and world.cluster.store.get("Service", f"{home}/{world.service_name(run)}") is not None
        ]

    @property
    def faults(self) -> list[str]:
        """The names of the faults that there are."""
        return [each.name for each in self.world.faults.all()]

    def until_next(self) -> int:
        """How long it is until the next event; 0 where there is none."""
        peek = self.world.kernel.peek()
        return 0 if peek == float("inf") else max(0, int(peek) - self.clock)

    # -- playing ---------------------------------------------------------------------------------

    def do(self, action: Action) -> bool:
        """Does an action and judges the world; says whether it could be done. Raises Broken."""
        done = self._lawful(action)
        if done is None:
            return False
        self.actions.append(done)
        with self._watched():
            problem = self._take(done)
            found = self.judge.look()
        if problem is not None:
            found.insert(0, problem)
        if found:
            raise self.broken(found)
        return True

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Whatever is raised inside is the emulator's own failure."""
        try:
            yield
        except Exception as error:
            text = f"the emulator failed: {type(error).__name__}: {error}"
            raise self.broken([Violation(0, self.world.journal.count, text)]) from error

    def _lawful(self, action: Action) -> Action | None:
        """The action as it can be done now, None where it cannot."""
        match action:
            case Deploy():
                return None if action.run in self.runner.result.runs else action
            case Stop() | Resume():
                if action.run not in self.runs:
                    return None
                return replace(action, refused=self._refuses(action))
            case Delete() | Invoke():
                return action if action.run in self.runs else None
            case Load():
                return action if action.run in self.served() else None
            case Fault():
                part, _, name = action.target.partition("/")
                return None if part == "run" and name not in self.runner.result.runs else action
            case Heal():
                return action if not action.name or action.name in self.faults else None
        return action

    def _refuses(self, action: Stop | Resume) -> bool:
        """Whether the platform promises to say no: by the transition table."""
        if self.setting.profile != "documented":
            return False
        state = self.runs[action.run].state
        event = Event.STOP if isinstance(action, Stop) else Event.RESUME
        if event is Event.STOP and state is State.STOP:
            return False
        return (state, event) not in self._table

    def _take(self, action: Action) -> Violation | None:
        if isinstance(action, Advance):
            self.clock += action.duration
            kernel = self.world.kernel
            if self.clock > kernel.now:  # a call may have taken longer
                kernel.advance(self.clock)
            return None
        raw = step(action, self.clock, self._functions)
        made = next(row for name, row in ACTIONS.items() if name in raw).model_validate(raw)
        try:
            self.runner.take(len(self.actions), made)
        except (StepFailed, Refused, FaultError) as failed:
            return Violation(1, self.world.journal.count, f"{action}: {failed}")
        return None

    def broken(self, violations: Sequence[Violation]) -> Broken:
        """The failure of this history."""
        return Broken(violations, render(self.actions, self.setting))

    # -- the end ---------------------------------------------------------------------------------

    def finish(self) -> None:
        """Heals, waits, takes everything away, waits, and judges for the last time. Raises Broken."""
        self.do(Heal())
        self.do(Advance(RECOVERY))
        for name in list(self.runs):
            self.do(Delete(name))
        self.do(Advance(FAREWELL))
        for name in list(self.runs):  # a failure may have kept a run once
            self.do(Delete(name))
        self.do(Advance(FAREWELL))
        with self._watched():
            self.world.kernel.advance(self.clock + self.setting.rest)
            found = self.judge.finish()
        if found:
            raise self.broken(found)

    def whole(self, actions: Iterable[Action]) -> Broken | None:
        """A history from these actions to its end, and the world's: what it breaks."""
        try:
            for action in actions:
                self.do(action)
            self.finish()
        except Broken as broken:
            return broken
        finally:
            self.close()
        return None

    def close(self) -> None:
        """Lets the world go."""
        self.world.close()


@cache
def _table(profile: str) -> frozenset[tuple[State, Event]]:
    quirks = PROFILES[profile]
    return frozenset(
        (row.source, row.event)
        for row in TRANSITIONS
        if row.quirk is None or not quirks.has(row.quirk)
    )


def replay(setting: Setting, actions: Sequence[Action]) -> World:
    """A new world in which these actions have happened, as the scenario's file has them."""
    player = Player(setting, setting.seed)
    with closing(player):
        for action in actions:
            player.actions.append(action)
            player._take(action)
        player.world.kernel.advance(player.clock + setting.rest)
    return player.world
