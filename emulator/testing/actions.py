"""What happens to a world in a test: actions as plain values, and the scenario file that repeats them.

Rules: an action is a frozen dataclass; times in it are nanoseconds, and `Advance` is the only one that
lets time pass, so a list of actions has one reading. `render` writes every action as a step at its
instant: the same list gives the same text, and `step` is one of its steps. Runs of one kind and image
are runs of one function, of which `Version` declares a new version.

A fault's target is `cluster`, `node/NAME`, `zone/NAME`, `run/NAME` (as the scenario calls it) or
`image/PATTERN`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.domain.timefmt import HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND


@dataclass(frozen=True, slots=True)
class Deploy:
    """A user deploys: a new run, called `run`, of the function of that kind and image.

    Runs of the same image are runs of one function, so they share its alias `latest`. `resources` are
    Kubernetes quantities by cpu, mem, gpu and disk; empty fields are left to the platform.
    """

    run: str
    image: str
    kind: str = "container"
    replicas: int = 1
    ports: tuple[int, ...] = (80,)
    resources: tuple[tuple[str, str], ...] = ()
    service_type: str = ""
    service_name: str = ""

    def spec(self) -> dict[str, Any]:
        """The run's spec."""
        spec: dict[str, Any] = {
            "service_ports": [{"port": port, "target_port": port} for port in self.ports],
            "replicas": self.replicas,
        }
        if self.resources:
            spec["resources"] = dict(self.resources)
        if self.service_type:
            spec["service_type"] = self.service_type
        if self.service_name:
            spec["service_name"] = self.service_name
        return spec


@dataclass(frozen=True, slots=True)
class Version:
    """A user declares a new version of the function of that kind and image."""

    image: str
    kind: str = "container"


@dataclass(frozen=True, slots=True)
class Stop:
    """A user stops a run; `refused` where the platform must say no."""

    run: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """A user deletes a run."""

    run: str


@dataclass(frozen=True, slots=True)
class Resume:
    """A user asks for a stopped run to go on; `refused` where the platform must say no."""

    run: str
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Invoke:
    """Somebody inside the perimeter calls a run's service."""

    run: str
    method: str = "GET"
    path: str = "/"


@dataclass(frozen=True, slots=True)
class Load:
    """Simulated clients call a run's service for a while: `users` of them, each waiting for its answer.

    `count` is the number of requests; `timeout` is None for clients without patience's end.
    """

    run: str
    name: str
    users: int = 1
    count: int = 10
    think: int = 100 * MILLISECOND
    service_time: int = 20 * MILLISECOND
    timeout: int | None = None
    retries: int = 0
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Advance:
    """Time passes."""

    duration: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something breaks, for `duration` (None: until it is healed by its name)."""

    kind: str
    target: str = "cluster"
    attributes: tuple[tuple[str, Any], ...] = ()
    duration: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Heal:
    """A fault is healed; every one without a name."""

    name: str = ""


Action = Deploy | Version | Stop | Delete | Resume | Invoke | Load | Advance | Fault | Heal


@dataclass(frozen=True, slots=True)
class Setting:
    """The world in which actions happen: the scenario's parts that are no steps.

    `cluster`, `registry` and `behaviours` are as the scenario's sections of these names; `functions`
    are (kind, image) of the functions that are there from the beginning, whether a run needs them or
    not. `rest` is how long the world goes on after the last action, in nanoseconds.
    """

    name: str = "found"
    seed: int = 0
    profile: str = "documented"
    cluster: Mapping[str, Any] = field(default_factory=dict)
    registry: Mapping[str, Any] = field(default_factory=dict)
    behaviours: Sequence[Mapping[str, Any]] = ()
    functions: Sequence[tuple[str, str]] = ()
    rest: int = HOUR


#: The names of functions, by kind and image.
Functions = Mapping[tuple[str, str], str]


def functions_of(actions: Iterable[Action], setting: Setting) -> Functions:
    """What the functions are called: those of the setting first, then in the order of their use."""
    used = [(each.kind, each.image) for each in actions if isinstance(each, Deploy | Version)]
    return {
        what: f"function-{number}"
        for number, what in enumerate(dict.fromkeys((*setting.functions, *used)), 1)
    }


def render(actions: Iterable[Action], setting: Setting | None = None) -> str:
    """The scenario file that does what the actions say, as YAML text."""
    setting = setting or Setting()
    actions = list(actions)
    functions = functions_of(actions, setting)
    steps: list[dict[str, Any]] = []
    now = 0
    for action in actions:
        if isinstance(action, Advance):
            now += action.duration
        else:
            steps.append(step(action, now, functions))
    lines = [
        "scenario: 1",
        *_values(
            name=setting.name,
            seed=setting.seed,
            profile=setting.profile,
            until=duration_text(now + setting.rest),
            **({"cluster": setting.cluster} if setting.cluster else {}),
            **({"registry": setting.registry} if setting.registry else {}),
        ),
        *_items("behaviours", setting.behaviours),
        *_items("functions", [_function(name, *what) for what, name in functions.items()]),
        *_items("steps", steps),
    ]
    return "\n".join(lines) + "\n"


def step(
    action: Deploy | Version | Stop | Delete | Resume | Invoke | Load | Fault | Heal,
    now: int,
    functions: Functions,
) -> dict[str, Any]:
    """The scenario's step that does what an action says at an instant."""
    return {**_step(action, functions), "at": duration_text(now)}


def _step(
    action: Deploy | Version | Stop | Delete | Resume | Invoke | Load | Fault | Heal,
    functions: Functions,
) -> dict[str, Any]:
    match action:
        case Deploy():
            function = functions[action.kind, action.image]
            return {"deploy": function, "as": action.run, "spec": action.spec()}
        case Version():
            name = functions[action.kind, action.image]
            return {"function": _function(name, action.kind, action.image)}
        case Invoke():
            return {"invoke": action.run, "method": action.method, "path": action.path}
        case Stop():
            return {"stop": action.run, **_refused(action)}
        case Resume():
            return {"resume": action.run, **_refused(action)}
        case Delete():
            return {"delete": action.run}
        case Load():
            return _load(action)
        case Fault():
            return _fault(action)
        case Heal():
            return {"heal": action.name or "all"}


def _refused(action: Stop | Resume) -> dict[str, Any]:
    return {"refused": True} if action.refused else {}


def _function(name: str, kind: str, image: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "spec": {"image": image}}


def _load(action: Load) -> dict[str, Any]:
    told: dict[str, Any] = {
        "load": action.run,
        "as": action.name,
        "background": True,
        "arrivals": {"users": action.users, "think": duration_text(action.think)},
        "service_time": duration_text(action.service_time),
        "count": action.count,
        "rows": True,
    }
    if action.timeout is not None:
        told["timeout"] = duration_text(action.timeout)
    if action.retries:
        told["retries"] = action.retries
    if action.zone:
        told["zone"] = action.zone
    return told


def _fault(action: Fault) -> dict[str, Any]:
    told: dict[str, Any] = {"fault": action.kind, "target": action.target}
    if action.name:
        told["as"] = action.name
    if action.duration is not None:
        told["for"] = duration_text(action.duration)
    if action.attributes:
        told["attributes"] = dict(action.attributes)
    return told


def _values(**values: object) -> list[str]:
    return [f"{key}: {json.dumps(value)}" for key, value in values.items()]


def _items(key: str, items: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{key}:", *(f"  - {json.dumps(item)}" for item in items)] if items else []


_UNITS = (
    (HOUR, "h"),
    (MINUTE, "m"),
    (SECOND, "s"),
    (MILLISECOND, "ms"),
    (MICROSECOND, "us"),
    (1, "ns"),
)


def duration_text(duration: int) -> str:
    """Nanoseconds as the scenario reads them back, exactly: `90s`, `1500ms`, `0s`."""
    if not duration:
        return "0s"
    return next(f"{duration // size}{unit}" for size, unit in _UNITS if not duration % size)
