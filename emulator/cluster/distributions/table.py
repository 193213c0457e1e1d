"""Quantile functions made of straight lines, in integers.

Rules: a table is a row of knots (p, x): p of the ONE = 2^64 possible draws lie below, x nanoseconds is
the duration there. Both never fall, p goes from 0 to ONE. Between two knots the duration is a straight
line; two knots of the same x are an atom (one duration with a mass of its own), two of the same p a gap
(durations that never come). Mixing and cutting tables gives tables again, so nothing is approximated
but the curve that a table was made from.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise

#: The draws: a draw is an integer of [0, ONE).
ONE = 1 << 64
#: The longest duration in nanoseconds: 292 years.
LONGEST = 2**63 - 1
#: The share that a cut must leave is 1 / LEAST_SHARE.
LEAST_SHARE = 10**6


class Table:
    """A quantile function; `knots` as the module's rules say. Raises ValueError if they are broken."""

    def __init__(self, knots: Iterable[tuple[int, int]]) -> None:
        self._p: list[int] = []
        self._x: list[int] = []
        for p, x in _essential(list(knots)):
            self._p.append(p)
            self._x.append(x)
        if not self._p or self._p[0] != 0 or self._p[-1] != ONE:
            raise ValueError("knots: p must go from 0 to 2**64")
        if _falls(self._p) or _falls(self._x):
            raise ValueError("knots: p and x must never fall")

    def __len__(self) -> int:
        """How many knots it has."""
        return len(self._p)

    def at(self, draw: int) -> int:
        """The duration in nanoseconds, rounded down, of a draw of [0, ONE)."""
        ps, xs = self._p, self._x
        j = bisect_right(ps, draw)
        p, x = ps[j - 1], xs[j - 1]
        return x + (xs[j] - x) * (draw - p) // (ps[j] - p)

    def quantile(self, numerator: int, denominator: int) -> int:
        """The shortest duration that numerator / denominator of all do not exceed, in nanoseconds.

        Raises ValueError unless 0 <= numerator <= denominator and denominator >= 1.
        """
        check_share(numerator, denominator)
        share = (numerator << 64) // denominator
        ps, xs = self._p, self._x
        j = bisect_left(ps, share)
        if ps[j] == share:
            return xs[j]
        p, x = ps[j - 1], xs[j - 1]
        return x + (xs[j] - x) * (share - p) // (ps[j] - p)

    @cached_property
    def mean(self) -> int:
        """The expected value in nanoseconds, rounded half up."""
        widths = (q - p for p, q in pairwise(self._p))
        twice = sum(w * (x + y) for w, (x, y) in zip(widths, pairwise(self._x), strict=True))
        return (twice + ONE) // (2 * ONE)

    def below(self, x: int) -> int:
        """How many of the ONE draws are shorter than `x` nanoseconds."""
        return self._share(bisect_left(self._x, x), x)

    def up_to(self, x: int) -> int:
        """How many of the ONE draws are `x` nanoseconds or shorter."""
        return self._share(bisect_right(self._x, x), x)

    def _share(self, j: int, x: int) -> int:
        """The p of `x`, which lies behind the first `j` knots and not behind the next one."""
        ps, xs = self._p, self._x
        if j == 0:
            return 0
        if j == len(xs):
            return ONE
        p, x0 = ps[j - 1], xs[j - 1]
        return p + (ps[j] - p) * (x - x0) // (xs[j] - x0)

    def cut(self, low: int, high: int) -> Table:
        """The table of the durations from `low` to `high`, both included.

        Raises ValueError where less than 1 / LEAST_SHARE of all lies there.
        """
        first, last = self.below(low), self.up_to(high)
        kept = last - first
        if kept * LEAST_SHARE < ONE:
            raise ValueError("less than a millionth of it lies there")
        a, b = bisect_left(self._x, low), bisect_right(self._x, high)
        knots = list(zip(self._p[a:b], self._x[a:b], strict=True))
        if not knots or knots[0][0] > first:
            knots.insert(0, (first, low))
        if knots[-1][0] < last:
            knots.append((last, high))
        return Table(((p - first) * ONE // kept, x) for p, x in knots)

    @staticmethod
    def mixed(parts: Sequence[tuple[int, Table]]) -> Table:
        """The table of a draw from one of the tables, chosen with its weight, an integer above 0."""
        total = sum(weight for weight, _ in parts)
        xs = sorted({x for _, table in parts for x in table._x})
        below = [0] * len(xs)  # times total, as what follows
        atoms: dict[int, int] = {}
        for weight, table in parts:
            below = [sum_ + weight * p for sum_, p in zip(below, table._belows(xs), strict=True)]
            for x, mass in table._atoms():
                atoms[x] = atoms.get(x, 0) + weight * mass
        knots = []
        for x, sum_ in zip(xs, below, strict=True):
            knots.append((sum_ // total, x))
            if x in atoms:
                knots.append(((sum_ + atoms[x]) // total, x))
        return Table(knots)

    def _belows(self, xs: list[int]) -> Iterator[int]:
        """`below` of many, which must grow: one walk along the knots."""
        j, last = 0, len(self._x)
        for x in xs:
            while j < last and self._x[j] < x:
                j += 1
            yield self._share(j, x)

    def _atoms(self) -> Iterator[tuple[int, int]]:
        """The durations that have a mass of their own, and how many of the ONE draws it is."""
        for (p, q), (x, y) in zip(pairwise(self._p), pairwise(self._x), strict=True):
            if x == y:
                yield x, q - p


def check_share(numerator: int, denominator: int) -> None:
    """Raises ValueError unless numerator / denominator is a probability."""
    if denominator < 1 or not 0 <= numerator <= denominator:
        raise ValueError(
            f"quantile: {numerator}/{denominator} is not a probability,"
            " give 0 <= numerator <= denominator and denominator >= 1"
        )


def _falls(row: list[int]) -> bool:
    return any(one > other for one, other in pairwise(row))


def _essential(knots: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The knots without those that no draw reaches: of a run with one p or one x, the two ends.

    Of the knots at p = 0 only the last counts, and of those at p = ONE only the first.
    """
    start, end = 0, len(knots)
    while start + 1 < end and knots[start + 1][0] == 0:
        start += 1
    while end - 2 >= start and knots[end - 2][0] == ONE:
        end -= 1
    kept: list[tuple[int, int]] = []
    for knot in knots[start:end]:
        if len(kept) > 1 and any(kept[-2][i] == kept[-1][i] == knot[i] for i in (0, 1)):
            kept[-1] = knot
        else:
            kept.append(knot)
    return kept
