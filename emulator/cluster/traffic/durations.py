"""Collections of durations: each one kept, or a sketch of them.

Rules: integers only, so that the same durations give the same answers on every machine. A quantile is
the nearest rank: of n durations the ceil(q n)-th shortest, the shortest for q = 0. A sketch counts by
buckets: a bucket of its own for each duration below 128 ns, and 64 buckets of one width between a
power of two and the next from there on. It answers with the middle of a bucket, which is off by 1/128
(0.8 %) of the exact quantile at most. Count, sum, shortest and longest are exact. Merging is the same
as having seen both, in any order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections import Counter
from typing import Literal

#: A quantile of a sketch is within 1 / ERROR of the exact one.
ERROR = 128

_BITS = 6  # 2 ** _BITS buckets from one power of two to the next
_EXACT = 2 << _BITS  # below it each duration has a bucket of its own
_FOLD = 4096  # so many durations are counted in one go


class Durations(ABC):
    """Durations in nanoseconds, none of them negative."""

    __slots__ = ()

    @abstractmethod
    def add(self, duration: int) -> None:
        """Takes one more."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many there are."""

    @property
    @abstractmethod
    def total(self) -> int:
        """Their sum, exactly."""

    @property
    @abstractmethod
    def shortest(self) -> int:
        """The shortest; 0 where there are none."""

    @property
    @abstractmethod
    def longest(self) -> int:
        """The longest; 0 where there are none."""

    @abstractmethod
    def copy(self) -> Durations:
        """The same, from now on apart."""

    @abstractmethod
    def ranked(self, rank: int) -> int:
        """The rank-th shortest, 1 <= rank <= count."""

    @property
    def mean(self) -> int:
        """Their mean, rounded down; 0 where there are none."""
        return self.total // self.count if self.count else 0

    def quantile(self, numerator: int, denominator: int) -> int:
        """The shortest duration that numerator / denominator of all do not exceed.

        Raises ValueError where there are no durations or that is no share.
        """
        if not 0 <= numerator <= denominator or denominator < 1:
            raise ValueError(f"quantile: {numerator}/{denominator} is not a share")
        if not self.count:
            raise ValueError("quantile: there are no durations")
        return self.ranked(max(1, -(-self.count * numerator // denominator)))

    def summary(self) -> dict[str, int]:
        """Count, and where there are any, mean, p50, p90, p99, p99.9 and max, for a row."""
        if not self.count:
            return {"count": 0}
        return {
            "count": self.count,
            "mean": self.mean,
            "p50": self.quantile(1, 2),
            "p90": self.quantile(9, 10),
            "p99": self.quantile(99, 100),
            "p99.9": self.quantile(999, 1000),
            "max": self.longest,
        }


class Each(Durations):
    """Every duration, in the order in which they came: 8 bytes each."""

    __slots__ = ("_ordered", "values")

    def __init__(self) -> None:
        self.values = array("q")
        self._ordered: list[int] = []

    def add(self, duration: int) -> None:
        self.values.append(duration)

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def total(self) -> int:
        return sum(self.values)

    @property
    def shortest(self) -> int:
        return min(self.values, default=0)

    @property
    def longest(self) -> int:
        return max(self.values, default=0)

    def copy(self) -> Each:
        twin = Each()
        twin.values = self.values[:]
        return twin

    def ranked(self, rank: int) -> int:
        if len(self._ordered) != len(self.values):
            self._ordered = sorted(self.values)
        return self._ordered[rank - 1]


class Sketch(Durations):
    """How many durations lie in each bucket (see the rules)."""

    __slots__ = ("_buckets", "_count", "_longest", "_new", "_shortest", "_total")

    def __init__(self) -> None:
        self._new: list[int] = []
        self._buckets: Counter[int] = Counter()
        self._count = self._total = self._shortest = self._longest = 0

    def add(self, duration: int) -> None:
        new = self._new
        new.append(duration)
        if len(new) == _FOLD:
            self._fold()

    def _fold(self) -> None:
        """Counts what came since the last time."""
        new = self._new
        if not new:
            return
        shortest = min(new)
        self._shortest = min(shortest, self._shortest) if self._count else shortest
        self._longest = max(self._longest, max(new))
        self._count += len(new)
        self._total += sum(new)
        self._buckets.update(
            [
                v if v < _EXACT else ((shift := v.bit_length() - _BITS - 1) << _BITS) + (v >> shift)
                for v in new
            ]
        )
        new.clear()

    @property
    def count(self) -> int:
        return self._count + len(self._new)

    @property
    def total(self) -> int:
        self._fold()
        return self._total

    @property
    def shortest(self) -> int:
        self._fold()
        return self._shortest

    @property
    def longest(self) -> int:
        self._fold()
        return self._longest

    @property
    def buckets(self) -> int:
        """How many buckets hold anything."""
        self._fold()
        return len(self._buckets)

    def copy(self) -> Sketch:
        twin = Sketch()
        twin.merge(self)
        return twin

    def merge(self, other: Sketch) -> None:
        """Takes everything that the other one has seen."""
        self._fold()
        other._fold()
        if not other._count:
            return
        shortest = other._shortest
        self._shortest = min(shortest, self._shortest) if self._count else shortest
        self._longest = max(self._longest, other._longest)
        self._count += other._count
        self._total += other._total
        self._buckets.update(other._buckets)

    def ranked(self, rank: int) -> int:
        self._fold()
        if rank == 1:
            return self._shortest
        if rank == self._count:
            return self._longest
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                return min(max(_middle(bucket), self._shortest), self._longest)
        raise ValueError(f"ranked: there are {self._count} durations, not {rank}")


def _middle(bucket: int) -> int:
    if bucket < _EXACT:
        return bucket
    shift = (bucket >> _BITS) - 1
    return ((bucket - (shift << _BITS)) << shift) + (1 << shift >> 1)


def durations(keep: Literal["each", "sketch"]) -> Durations:
    """An empty collection of the kind."""
    return Each() if keep == "each" else Sketch()
