"""The values of a fault's attributes: read from what people write, checked however they came.

Rules: a value is parsed once, by `read`, from text or JSON, and `check`ed when the fault is made, so a
fault that exists is valid. Durations are nanoseconds, written as text with a unit; a probability is a
number above 0, at most 1, kept as it is written. What cannot be is told with the field, the value and
the mend.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from typing import Any, Protocol

from emulator.domain import quantity
from emulator.domain.timefmt import HOUR, parse_duration

MILLION = 1_000_000
#: The longest that a fault, or a delay of one, may last: a year.
LONGEST = 8760 * HOUR


class FaultError(ValueError):
    """What cannot be a fault. `field` is the attribute, `mend` what to write instead."""

    def __init__(self, field: str, value: object, what: str, mend: str) -> None:
        shown = repr(value)
        self.field = field
        self.what = f"{shown if len(shown) <= 60 else shown[:57] + '...'} {what}"
        self.mend = mend
        super().__init__(f"{field}: {self.what}: {mend}")


def near(word: object, known: Iterable[str]) -> str:
    """`did you mean X? `, or an empty text where nothing comes near."""
    found = difflib.get_close_matches(str(word)[:80], list(known), n=1)
    return f"did you mean {found[0]}? " if found else ""


class Value(Protocol):
    """One type of values: `read` takes what people write, `check` what it became."""

    @property
    def form(self) -> str:
        """How it is written, for people."""

    def read(self, field: str, raw: object) -> Any:
        """Raises FaultError."""

    def check(self, field: str, value: Any) -> None:
        """Raises FaultError."""


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A duration of at least `least` nanoseconds."""

    least: int = 0
    form: str = "a duration like 10s"

    def read(self, field: str, raw: object) -> int:
        """Nanoseconds of a text. Raises FaultError."""
        mend = "write a number with a unit, like 1.5s or 2m"
        if not isinstance(raw, str):
            raise FaultError(field, raw, "is not a duration", mend)
        try:
            value = parse_duration(raw)
        except ValueError:
            raise FaultError(field, raw, "is not a duration", mend) from None
        if not self.least <= value <= LONGEST:
            raise self._outside(field, raw)
        return value

    def check(self, field: str, value: Any) -> None:
        """Raises FaultError unless it is so many nanoseconds."""
        if type(value) is not int or not self.least <= value <= LONGEST:
            raise self._outside(field, value)

    def _outside(self, field: str, value: object) -> FaultError:
        return FaultError(
            field, value, "is out of bounds", f"give {self.least} ns to {LONGEST // HOUR} h"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Number:
    """A whole number from `least` to `most`; None where `optional`."""

    least: int
    most: int
    optional: bool = False

    @property
    def form(self) -> str:
        """How it is written."""
        return f"a whole number from {self.least} to {self.most}"

    def read(self, field: str, raw: object) -> Any:
        """The number. Raises FaultError."""
        if raw is None:
            raise FaultError(field, raw, f"is not {self.form}", "give one, or leave it out")
        self.check(field, raw)
        return raw

    def check(self, field: str, value: Any) -> None:
        """Raises FaultError."""
        if value is None and self.optional:
            return
        if type(value) is not int or not self.least <= value <= self.most:
            raise FaultError(field, value, f"is not {self.form}", "give one within the limits")


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """A probability."""

    form: str = "a number above 0, at most 1"

    def read(self, field: str, raw: object) -> Any:
        """The number. Raises FaultError."""
        self.check(field, raw)
        return raw

    def check(self, field: str, value: Any) -> None:
        """Raises FaultError; a share below one in a million is none."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FaultError(field, value, "is not a probability", f"give {self.form}")
        if not 0 < value <= 1 or not round(value * MILLION):
            raise FaultError(field, value, "is not a probability", f"give {self.form}")


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def form(self) -> str:
        """How it is written."""
        return ", ".join(self.words)

    def read(self, field: str, raw: object) -> Any:
        """The word. Raises FaultError."""
        self.check(field, raw)
        return raw

    def check(self, field: str, value: Any) -> None:
        """Raises FaultError."""
        if value not in self.words:
            mend = f"{near(value, self.words)}choose one of {self.form}"
            raise FaultError(field, value, "is none of those", mend)


@dataclasses.dataclass(frozen=True, slots=True)
class Words:
    """A text of at least one character; None where `optional`."""

    optional: bool = False
    form: str = "a text"

    def read(self, field: str, raw: object) -> Any:
        """The text. Raises FaultError."""
        if raw is None:
            raise FaultError(field, raw, "is not a text", "give a text, or leave it out")
        self.check(field, raw)
        return raw

    def check(self, field: str, value: Any) -> None:
        """Raises FaultError."""
        if value is None and self.optional:
            return
        if not isinstance(value, str) or not value:
            raise FaultError(field, value, "is not a text", "give a text of at least one character")


@dataclasses.dataclass(frozen=True, slots=True)
class Amount:
    """A quantity as Kubernetes writes it, kept as text; None is no limit."""

    form: str = "a quantity like 2 or 4Gi"

    def read(self, field: str, raw: object) -> str:
        """The quantity as text. Raises FaultError."""
        if isinstance(raw, bool) or not isinstance(raw, int | str):
            raise FaultError(field, raw, "is not a quantity", "write a number and a unit, like 2Gi")
        text = str(raw)
        self.check(field, text)
        return text

    def check(self, field: str, value: Any) -> None:
        """Raises FaultError."""
        if value is None:
            return
        try:
            quantity.parse(value)
        except (ValueError, TypeError):
            mend = "write a number and a unit, like 2Gi"
            raise FaultError(field, value, "is not a quantity", mend) from None


def attribute(value: Value, default: Any) -> Any:
    """A field of a fault that holds such a value."""
    return dataclasses.field(default=default, metadata={"value": value})
