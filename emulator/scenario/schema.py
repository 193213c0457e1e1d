"""Version 1 of the scenario file, as models.

Rules: the models say the shape and nothing else: what needs two places of the file to judge (names
that must exist, the order of time, a kind's specs) is in `checks`. Strict: unknown keys are errors and
no value is converted, except the texts that `fields` parses. The cluster's and the registry's sections
are in `clusters`, a load's fields in `loads`, a fault's in `faults`. Durations are nanoseconds. A new
action is one class and one entry of `ACTIONS`.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from emulator.cluster.settings import ClusterSettings
from emulator.domain.health import Health
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import HOUR, MINUTE
from emulator.scenario.clusters import Cluster, Registry, cluster_settings
from emulator.scenario.faults import FaultFields, PlannedFault
from emulator.scenario.fields import (
    Duration,
    Headers,
    Identifier,
    Items,
    Maybe,
    Model,
    Project,
    QuantityText,
    Span,
    Spec,
    Text,
    form,
)
from emulator.scenario.loads import LoadFields
from emulator.scenario.rules import short
from emulator.workloads.rules import RuleModel

VERSION = 1

_NAME = re.compile(r"[a-z0-9-]{1,100}")
_PATH = re.compile(r"/[!\"$-~]*")


class ResourceProfile(Model):
    """What a run that names this profile asks of a node: Kubernetes quantities as text."""

    cpu: Maybe[QuantityText] = None
    mem: Maybe[QuantityText] = None
    gpu: Maybe[QuantityText] = None


class Function(Model):
    """A function (or its new version): its kind, and the spec that the kind reads."""

    name: Identifier
    kind: Text
    spec: Spec = Field(default_factory=dict)


class Condition(Model):
    """What is asked of a run: each of the three that is given must hold.

    `message` is a part of the contextual message. Raises `condition` where none is given.
    """

    run: Identifier
    state: Maybe[Annotated[State, Field(strict=False)]] = None
    health: Maybe[Annotated[Health, Field(strict=False)]] = None
    message: Maybe[Text] = None

    @model_validator(mode="after")
    def _asks(self) -> Condition:
        if self.state is None and self.health is None and self.message is None:
            raise PydanticCustomError("condition", "the condition asks nothing of the run")
        return self


class When(Condition):
    """A condition that a step waits for, at most `timeout` nanoseconds of simulated time."""

    timeout: Span = 15 * MINUTE


class Expect(Model):
    """What an answer must be; what is not given is not looked at."""

    status: Maybe[Annotated[int, Field(ge=100, le=599)]] = None
    body: Maybe[str] = None


class Step(Model):
    """When a step happens: `at` (nanoseconds since the run began), `after` the previous step, or
    `when` a condition holds; with none of them right after the previous step.
    """

    action: ClassVar[str]

    at: Maybe[Duration] = None
    after: Maybe[Duration] = None
    when: Maybe[When] = None

    @model_validator(mode="after")
    def _one_time(self) -> Step:
        given = [key for key in ("at", "after", "when") if getattr(self, key) is not None]
        if len(given) > 1:
            raise PydanticCustomError(
                "timing",
                "the step has {keys}, only one of them can say its time",
                {"keys": " and ".join(given), "key": given[1]},
            )
        return self


class Deploy(Step):
    """Makes a new run of a function. `alias` (written `as`) names the run in this scenario."""

    action: ClassVar[str] = "deploy"

    deploy: Identifier
    alias: Maybe[Identifier] = Field(default=None, alias="as")
    id: Maybe[Identifier] = None
    spec: Spec = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """The run's name in this scenario."""
        return self.alias or self.deploy


class Invoke(Step):
    """Sends a request to a run's service, from inside the perimeter."""

    action: ClassVar[str] = "invoke"

    invoke: Identifier
    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] = "GET"
    path: Annotated[
        str, form(_PATH.fullmatch, "a path: / and ASCII characters, no space, no #")
    ] = "/"
    headers: Headers = Field(default_factory=dict)
    body: Maybe[str] = None
    expect: Maybe[Expect] = None


class Stop(Step):
    """Stops a run; with `refused` the platform must say no."""

    action: ClassVar[str] = "stop"

    stop: Identifier
    refused: bool = False


class Resume(Step):
    """Asks for a stopped run to go on; with `refused` the platform must say no."""

    action: ClassVar[str] = "resume"

    resume: Identifier
    refused: bool = False


class Delete(Step):
    """Deletes a run."""

    action: ClassVar[str] = "delete"

    delete: Identifier


class Declare(Step):
    """A new function, or a new version of one."""

    action: ClassVar[str] = "function"

    function: Function


class Assert(Step):
    """Fails the scenario unless the condition holds now."""

    action: ClassVar[str] = "assert"

    condition: Condition = Field(alias="assert")


class Load(Step, LoadFields):
    """Simulated clients call a run's service."""

    action: ClassVar[str] = "load"


class Break(Step, FaultFields):
    """Something breaks."""

    action: ClassVar[str] = "fault"


class Heal(Step):
    """Ends a fault; `all` ends every one."""

    action: ClassVar[str] = "heal"

    heal: Text


ACTIONS: dict[str, type[Step]] = {
    step.action: step
    for step in (Deploy, Invoke, Stop, Resume, Delete, Declare, Assert, Load, Break, Heal)
}


def action_of(raw: object) -> str | None:
    """The one action of a step as written, None where there is none or more than one."""
    if isinstance(raw, Step):
        return raw.action
    found = [key for key in raw if key in ACTIONS] if isinstance(raw, dict) else []
    return found[0] if len(found) == 1 else None


AnyStep = Annotated[
    Annotated[Deploy, Tag("deploy")]
    | Annotated[Invoke, Tag("invoke")]
    | Annotated[Stop, Tag("stop")]
    | Annotated[Resume, Tag("resume")]
    | Annotated[Delete, Tag("delete")]
    | Annotated[Declare, Tag("function")]
    | Annotated[Assert, Tag("assert")]
    | Annotated[Load, Tag("load")]
    | Annotated[Break, Tag("fault")]
    | Annotated[Heal, Tag("heal")],
    Discriminator(
        action_of,
        custom_error_type="action",
        custom_error_message="a step has exactly one action",
    ),
]


def _version(value: int) -> int:
    if value != VERSION:
        raise PydanticCustomError(
            "version",
            "version {value} of the schema is not known, only {known} is",
            {"value": short(value), "known": VERSION},
        )
    return value


class Scenario(Model):
    """A scenario: a world, what happens in it, and what must be seen. `until` is in nanoseconds."""

    scenario: Annotated[int, AfterValidator(_version)]
    name: Annotated[str, form(_NAME.fullmatch, "a name: 1 to 100 of a-z, 0-9 and -")]
    title: str = ""
    seed: Annotated[int, Field(ge=0, le=2**64 - 1)] = 0
    profile: Literal["documented", "core-0.15"] = "documented"
    until: Span = HOUR
    cluster: Cluster = Cluster()
    profiles: dict[Identifier, ResourceProfile] = Field(default_factory=dict)
    registry: Registry = Registry()
    behaviours: Items[RuleModel] = ()
    project: Project = "demo"
    functions: Items[Function] = ()
    faults: Items[PlannedFault] = ()
    steps: Items[AnyStep] = ()

    def cluster_settings(self, epoch: int = 0) -> ClusterSettings:
        """The simulated cluster as its model wants it; `epoch` is Unix nanoseconds."""
        return cluster_settings(self.cluster, self.registry, epoch)
