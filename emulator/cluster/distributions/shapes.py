"""The shapes of distributions.

Rules: a shape is a frozen value of integers and Decimals; what it was asked for is checked when it is
made (ValueError), what that comes to as a table is worked out when it is first needed, and kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cached_property
from typing import Protocol

from emulator.cluster.distributions import curves
from emulator.cluster.distributions.table import LONGEST, ONE, Table, check_share
from emulator.cluster.streams import Stream

#: The largest sigma of a lognormal, and the range of a gamma's shape.
SIGMA = Decimal(3)
SHAPES = Decimal("0.1"), Decimal(1000)


class Distribution(Protocol):
    """A random duration, never negative."""

    @property
    def mean(self) -> int:
        """The expected value in nanoseconds as it is sampled, rounded half up."""

    @property
    def table(self) -> Table:
        """Its quantile function."""

    def sample(self, stream: Stream) -> int:
        """A duration in nanoseconds."""

    def quantile(self, numerator: int, denominator: int) -> int:
        """The shortest duration that numerator / denominator of all do not exceed, in nanoseconds.

        Raises ValueError unless 0 <= numerator <= denominator and denominator >= 1.
        """


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

    @property
    def table(self) -> Table:
        return Table([(0, self.ns), (ONE, self.ns)])

    def sample(self, stream: Stream) -> int:
        return self.ns

    def quantile(self, numerator: int, denominator: int) -> int:
        check_share(numerator, denominator)
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

    @property
    def table(self) -> Table:
        return Table([(0, self.low), (ONE, self.high)])

    def sample(self, stream: Stream) -> int:
        if self.low == self.high:
            return self.low
        return stream.between(self.low, self.high)

    def quantile(self, numerator: int, denominator: int) -> int:
        check_share(numerator, denominator)
        return self.low + (self.high - self.low) * numerator // denominator


class Tabled(ABC):
    """A distribution that is sampled from its table: a subclass says how that is made."""

    @abstractmethod
    def _made(self) -> Table: ...

    @cached_property
    def table(self) -> Table:
        return self._made()

    @property
    def mean(self) -> int:
        return self.table.mean

    def sample(self, stream: Stream) -> int:
        return self.table.at(stream.bits(64))

    def quantile(self, numerator: int, denominator: int) -> int:
        return self.table.quantile(numerator, denominator)


@dataclass(frozen=True)
class Gamma(Tabled):
    """Gamma with a shape of 0.1 to 1000 and a mean in nanoseconds, at least 1. Raises ValueError."""

    shape: Decimal
    of_mean: int

    def __post_init__(self) -> None:
        if not SHAPES[0] <= self.shape <= SHAPES[1]:
            raise ValueError(f"shape: give {SHAPES[0]} to {SHAPES[1]}, got {self.shape}")
        _above_zero("mean", self.of_mean)

    def _made(self) -> Table:
        return Table(
            (p, min(LONGEST, (x * self.of_mean + ONE // 2) // ONE))
            for p, x in curves.gamma(self.shape)
        )


@dataclass(frozen=True)
class Exponential(Tabled):
    """Exponential with a mean in nanoseconds, at least 1. Raises ValueError."""

    of_mean: int

    def __post_init__(self) -> None:
        _above_zero("mean", self.of_mean)

    def _made(self) -> Table:
        return Gamma(Decimal(1), self.of_mean).table


@dataclass(frozen=True)
class Lognormal(Tabled):
    """exp of a normal: its median in nanoseconds (above 0, a fraction if need be) and its sigma.

    Raises ValueError unless 0 <= sigma <= 3 and median and mean are above 0 and at most LONGEST.
    """

    median: Decimal
    sigma: Decimal

    def __post_init__(self) -> None:
        _within_sigma(self.sigma)
        if self.median <= 0:
            raise ValueError(f"median: must be above 0, got {self.median}")
        with localcontext(curves.precisely()):
            if self.median * (self.sigma**2 / 2).exp() > LONGEST:
                raise ValueError("its mean is over 292 years: give a shorter median or less spread")

    @classmethod
    def from_mean(cls, mean: int, sigma: Decimal) -> Lognormal:
        """By its mean in nanoseconds, at least 1. Raises ValueError."""
        _above_zero("mean", mean)
        _within_sigma(sigma)
        with localcontext(curves.precisely()):
            return cls(mean / (sigma**2 / 2).exp(), sigma)

    @classmethod
    def from_p99(cls, median: int, p99: int) -> Lognormal:
        """By two quantiles in nanoseconds, 1 <= median <= p99. Raises ValueError."""
        _above_zero("median", median)
        if p99 < median:
            raise ValueError(f"p99: give at least the median, got median={median}, p99={p99}")
        with localcontext(curves.precisely()):
            sigma = (Decimal(p99) / median).ln() / curves.Z99
            if sigma > SIGMA:
                raise ValueError("p99 is over 1000 times the median: give a lower p99")
            return cls(Decimal(median), sigma)

    def _made(self) -> Table:
        return Table(curves.lognormal(self.median, self.sigma))


@dataclass(frozen=True)
class Empirical(Tabled):
    """One of the values (nanoseconds), each with its weight, an integer above 0: none for all alike.

    Raises ValueError.
    """

    values: tuple[int, ...]
    weights: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.values or min(self.values) < 0:
            raise ValueError("values: give at least one, none of them negative")
        if self.weights and (len(self.weights) != len(self.values) or min(self.weights) < 1):
            raise ValueError("weights: give one above 0 for each value, or none")

    def _made(self) -> Table:
        weights = self.weights or (1,) * len(self.values)
        total, heavier = sum(weights), 0
        knots = []
        for value, weight in sorted(zip(self.values, weights, strict=True)):
            knots.append((heavier * ONE // total, value))
            heavier += weight
            knots.append((heavier * ONE // total, value))
        return Table(knots)


@dataclass(frozen=True)
class Quantiles(Tabled):
    """Straight lines through (percent, nanoseconds), percent growing from 0 to 100.

    Raises ValueError unless it does, and unless the nanoseconds are never negative and never fall.
    """

    points: tuple[tuple[Decimal, int], ...]

    def __post_init__(self) -> None:
        percents, values = [p for p, _ in self.points], [x for _, x in self.points]
        if len(percents) < 2 or percents != sorted(set(percents)):
            raise ValueError("points: give at least two, percent growing")
        if percents[0] != 0 or percents[-1] != 100:
            raise ValueError("points: give the first for 0 percent and the last for 100")
        if values[0] < 0 or values != sorted(values):
            raise ValueError("points: durations must not be negative and must not fall")

    def _made(self) -> Table:
        knots = []
        for percent, value in self.points:
            numerator, denominator = percent.as_integer_ratio()
            knots.append((numerator * ONE // (100 * denominator), value))
        return Table(knots)


@dataclass(frozen=True)
class Mixture(Tabled):
    """One of the distributions, chosen with its weight, an integer above 0. Raises ValueError."""

    parts: tuple[tuple[int, Distribution], ...]

    def __post_init__(self) -> None:
        if not self.parts or min(weight for weight, _ in self.parts) < 1:
            raise ValueError("parts: give at least one, each with a weight above 0")

    def _made(self) -> Table:
        return Table.mixed([(weight, part.table) for weight, part in self.parts])


@dataclass(frozen=True)
class Truncated(Tabled):
    """The durations of `of` that lie from `low` to `high` nanoseconds, both included.

    Raises ValueError unless 0 <= low <= high, and, when the table is made, where less than a
    millionth of `of` lies there.
    """

    of: Distribution
    low: int = 0
    high: int = LONGEST

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ValueError(
                f"low, high: give 0 <= low <= high, got low={self.low}, high={self.high}"
            )

    def _made(self) -> Table:
        return self.of.table.cut(self.low, self.high)


def _above_zero(name: str, ns: int) -> None:
    if ns < 1:
        raise ValueError(f"{name}: must be at least 1 ns, got {ns}")


def _within_sigma(sigma: Decimal) -> None:
    if not 0 <= sigma <= SIGMA:
        raise ValueError(f"sigma: give 0 to {SIGMA}, got {sigma}")
