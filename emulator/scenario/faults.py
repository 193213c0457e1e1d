"""Faults in a scenario: the fields of a `fault` step and of the section `faults`.

Rules: a fault is written by its kind, its target, how long it lasts (`for`; to its healing or the end
where left out) and its attributes, which the kind reads. A step begins it when its time has come, an
entry of the section at `at`. It is called `as` it says, else by its kind.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from emulator.cluster.faults import Fault, make, read_target
from emulator.cluster.faults.engine import FAULT_NAME
from emulator.scenario.fields import Duration, Maybe, Model, Span, Spec, Text, form

#: What `heal` takes for every fault.
ALL = "all"

FaultName = Annotated[
    str, form(FAULT_NAME.fullmatch, "a fault's name: 1 to 63 of a-z, 0-9, dots and -, not all")
]


class FaultFields(Model):
    """A fault. `target` is `cluster`, or parts like `run/web` with blanks between them."""

    fault: Text
    target: Text = "cluster"
    alias: Maybe[FaultName] = Field(default=None, alias="as")
    duration: Maybe[Span] = Field(default=None, alias="for")
    attributes: Spec = Field(default_factory=dict)

    def made(self, start: int | None = None) -> Fault:
        """The fault. Raises FaultError."""
        return make(
            self.fault,
            target=read_target(self.target),
            start=start,
            duration=self.duration,
            attributes=self.attributes,
        )


class PlannedFault(FaultFields):
    """A fault that begins at an instant, whatever the steps do."""

    at: Duration = 0
