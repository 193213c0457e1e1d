"""Faults as values: what one is, and what its kind adds.

Rules: a fault is a frozen value, valid once it is made. A kind is one class, and one row of `table`. A
fault changes the world by what is computed from the faults that are active, never by keeping a value
to put back: `begin` and `end` are both called when the set of active faults is the new one already.
Chance is drawn from a stream of the fault's name and of who may be struck, so it is the same whoever
comes first, and the same whenever it is asked.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from emulator.cluster.faults.target import EVERY, Target
from emulator.cluster.faults.values import MILLION, FaultError, Share, Span, Value, attribute

if TYPE_CHECKING:
    from emulator.cluster.faults.active import Active
    from emulator.cluster.faults.engine import Faults
    from emulator.cluster.objects import Pod

_ON_PODS = ("run", "function", "image", "label", "node", "zone")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fault(ABC):
    """What breaks, whom it strikes, and when.

    `probability` is that of each who may be struck; `start` is an instant in nanoseconds (None: at
    once), `duration` how long it lasts (None: until it is healed). Raises FaultError.
    """

    kind: ClassVar[str] = ""
    #: The parts that a target may have, and those of which it must have one.
    takes: ClassVar[tuple[str, ...]] = _ON_PODS
    needs: ClassVar[tuple[str, ...]] = ()

    target: Target = EVERY
    probability: float = attribute(Share(), 1)
    start: int | None = None
    duration: int | None = None

    def __post_init__(self) -> None:
        for part in self.target.parts:
            if part not in self.takes:
                known = ", ".join(f"{each}/..." for each in self.takes) or "cluster alone"
                what = f"cannot be struck by {self.kind}"
                raise FaultError("target", self.target.text, what, f"give {known}")
        if self.needs and not any(part in self.needs for part in self.target.parts):
            known = " or ".join(f"{part}/NAME" for part in self.needs)
            raise FaultError(
                "target", self.target.text, f"is too much for {self.kind}", f"give {known}"
            )
        for name, value in attributes_of(type(self)).items():
            value.check(name, getattr(self, name))
        if self.start is not None:
            Span().check("start", self.start)
        if self.duration is not None:
            Span(1).check("duration", self.duration)

    @property
    def share(self) -> int:
        """The probability in millionths."""
        return round(self.probability * MILLION)

    def attributes(self) -> dict[str, Any]:
        """The kind's own attributes; `probability` too, where it is not 1."""
        shown = {name: getattr(self, name) for name in attributes_of(type(self))}
        if shown["probability"] == 1:
            del shown["probability"]
        return {name: value for name, value in shown.items() if value is not None}

    @abstractmethod
    def begin(self, faults: Faults, me: Active) -> None:
        """The fault is active from now on."""

    @abstractmethod
    def end(self, faults: Faults, me: Active) -> None:
        """The fault is not active any more; its timers are cancelled already."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PodFault(Fault):
    """A fault that strikes pods, each of them when it is there."""

    def begin(self, faults: Faults, me: Active) -> None:
        """Strikes the pods that there are."""
        for pod in faults.cluster.store.all("Pod"):
            faults.look(me, pod)

    @abstractmethod
    def strike(self, faults: Faults, me: Active, pod: Pod) -> None:
        """Called for a pod that is struck, at the beginning and whenever it has changed."""

    def end(self, faults: Faults, me: Active) -> None:
        """Nothing is left to do."""


def attributes_of(kind: type[Fault]) -> Mapping[str, Value]:
    """The attributes of a kind and the types of their values, `probability` among them."""
    return {
        each.name: each.metadata["value"]
        for each in dataclasses.fields(kind)
        if "value" in each.metadata
    }


def describe(kind: type[Fault]) -> dict[str, Any]:
    """A kind for people: what it does, whom it may strike, its attributes and how they are written."""
    defaults = {each.name: each.default for each in dataclasses.fields(kind)}
    return {
        "fault": kind.kind,
        "help": (kind.__doc__ or "").partition("\n")[0],
        "targets": list(kind.takes),
        "attributes": {
            name: {"form": value.form, "default": defaults[name]}
            for name, value in attributes_of(kind).items()
        },
    }
