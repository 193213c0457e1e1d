"""The words for a scripted life: how a container ends, what it uses, what its probes and signals meet.

Rules: times are durations from the container's start, `stop` counts from SIGTERM; a word is checked when
it is read, and an error names the field, the value and the mend.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from emulator.domain import quantity
from emulator.domain.timefmt import parse_duration
from emulator.domain.workload import Exit, MemoryUse, ProbeChange, Stop

#: What a behaviour says instead of a duration when it ignores SIGTERM.
NEVER = "never"
PROBES = ("startup", "readiness", "liveness")


class Words(BaseModel):
    """A map of a rule: unknown keys and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def duration(text: str, info: ValidationInfo) -> str:
    """A duration as it is written. Raises ValueError, naming the field."""
    try:
        parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{info.field_name}: {error}") from None
    return text


class ExitModel(Words):
    """A scripted end: how long after the start, with what code, under which reason."""

    after: str = Field(description="duration, like 5s")
    code: int = Field(default=1, description="exit code, 0 to 255")
    reason: str | None = Field(default=None, description="Error, or Completed for code 0")

    _after = field_validator("after")(duration)

    @field_validator("code")
    @classmethod
    def _byte(cls, code: int) -> int:
        if not 0 <= code <= 255:
            raise ValueError(f"code: {code} is no exit code: choose one from 0 to 255")
        return code

    def exit(self) -> Exit:
        """The end as the kubelet takes it."""
        reason = self.reason or ("Error" if self.code else "Completed")
        return Exit(parse_duration(self.after), self.code, reason)


class MemoryModel(Words):
    """Memory that is used from some time on; more than the limit means an OOM kill."""

    after: str = Field(default="0s", description="duration, like 5s")
    amount: str = Field(description="quantity, like 600Mi")

    _after = field_validator("after")(duration)

    @field_validator("amount")
    @classmethod
    def _quantity(cls, amount: str) -> str:
        try:
            quantity.parse(amount)
        except ValueError as error:
            raise ValueError(f"amount: {error}") from None
        return amount

    def use(self) -> MemoryUse:
        """The use as the kubelet takes it."""
        return MemoryUse(parse_duration(self.after), quantity.whole(self.amount))


class ProbeModel(Words):
    """A probe that is answered well or badly from some time on."""

    probe: str = Field(description="startup, readiness or liveness")
    after: str = Field(default="0s", description="duration, like 30s")
    ok: bool = Field(default=False, description="false: the probe fails")

    _after = field_validator("after")(duration)

    @field_validator("probe")
    @classmethod
    def _known(cls, probe: str) -> str:
        if probe not in PROBES:
            raise ValueError(f"probe: {probe!r} is no probe: choose one of {', '.join(PROBES)}")
        return probe

    def change(self) -> ProbeChange:
        """The change as the kubelet takes it."""
        return ProbeChange(parse_duration(self.after), self.probe, self.ok)


def checked_stop(text: str) -> str:
    """How SIGTERM is met, as it is written: `never`, or a duration. Raises ValueError."""
    if text != NEVER:
        try:
            parse_duration(text)
        except ValueError as error:
            raise ValueError(f"stop: {error}, or {NEVER}") from None
    return text


def stop(text: str) -> Stop:
    """How SIGTERM is met, as the kubelet takes it."""
    return Stop(None if text == NEVER else parse_duration(text))
