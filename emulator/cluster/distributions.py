"""Distributions of durations: from a stream's integer bits to integer nanoseconds.

Rules: a sampler is a frozen value and keeps no state; the stream carries all of it. No float takes
part, so that the same stream gives the same nanoseconds on every machine. A scenario writes a
distribution as a duration text (`3s`, a constant) or as an object with one key, its shape
(`{uniform: [1s, 3s]}`); `_SHAPES` is the registry: a new shape is one class and one entry of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from emulator.cluster.streams import Stream
from emulator.domain.timefmt import parse_duration


class Distribution(Protocol):
    """A random duration, never negative."""

    @property
    def mean(self) -> int:
        """The expected value in nanoseconds, rounded half up."""

    def sample(self, stream: Stream) -> int:
        """A duration in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Always `ns` nanoseconds; takes nothing from the stream. Raises ValueError if negative."""

    ns: int

    def __post_init__(self) -> None:
        if self.ns < 0:
            raise ValueError(f"ns: must not be negative, got {self.ns}")

    @property
    def mean(self) -> int:
        return self.ns

    def sample(self, stream: Stream) -> int:
        return self.ns


@dataclass(frozen=True, slots=True)
class Uniform:
    """Each nanosecond of [low, high) is as likely; where the two are equal, it is that one.

    Raises ValueError unless 0 <= low <= high.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ValueError(
                f"low, high: give 0 <= low <= high, got low={self.low}, high={self.high}"
            )

    @property
    def mean(self) -> int:
        return (self.low + self.high) // 2

    def sample(self, stream: Stream) -> int:
        if self.low == self.high:
            return self.low
        return stream.between(self.low, self.high)


def parse_distribution(value: object, field: str = "distribution") -> Distribution:
    """The distribution that a scenario's `value` describes.

    Raises ValueError that begins with `field` and names the value and what to write instead.
    """
    if isinstance(value, str):
        return Constant(_duration(value, field))
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f"{field}: {_short(value)} is not a distribution: write {_FORMS}")
    ((shape, argument),) = value.items()
    known = _SHAPES.get(shape)
    if known is None:
        raise ValueError(f"{field}: {_short(shape)} is no known distribution: write {_FORMS}")
    read, _ = known
    return read(argument, f"{field}.{shape}")


def _constant(argument: object, field: str) -> Distribution:
    return Constant(_duration(argument, field))


def _uniform(argument: object, field: str) -> Distribution:
    if not isinstance(argument, list | tuple) or len(argument) != 2:
        raise ValueError(
            f"{field}: {_short(argument)} is not a pair: write low and high, like [1s, 3s]"
        )
    low, high = (_duration(end, f"{field}[{i}]") for i, end in enumerate(argument))
    if low > high:
        raise ValueError(
            f"{field}: low {argument[0]} is more than high {argument[1]}:"
            f" write [{argument[1]}, {argument[0]}]"
        )
    return Uniform(low, high)


def _duration(value: object, field: str) -> int:
    if not isinstance(value, str):
        raise ValueError(
            f"{field}: {_short(value)} is not a duration:"
            " write a number with a unit, like 1.5s or 2m"
        )
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


#: Shape -> (its reader: argument and field to distribution, an example for the error texts).
_SHAPES: dict[object, tuple[Callable[[object, str], Distribution], str]] = {
    "constant": (_constant, "{constant: 3s}"),
    "uniform": (_uniform, "{uniform: [1s, 3s]}"),
}
_FORMS = " or ".join(["a duration like 3s", *(example for _, example in _SHAPES.values())])
