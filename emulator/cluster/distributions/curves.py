"""The curves behind the tables: gamma's and the normal's distribution functions.

Rules: decimal arithmetic only, in a context of its own that says everything that matters (30 digits,
half even), so that the integers that come out are the same on every machine. Nothing is inverted: the
knots are chosen along the duration, and the mass between two of them is integrated. Both densities f
solve (a0 + a1 s) f'(s) = (b0 - s) f(s) around any point, which gives the coefficients of their power
series one from another; a density needs no scale, for the masses are divided by their sum.

A straight line between knots that are h apart is off by h^2 / 8 |f'/f| (the density's logarithmic slope
there) at most, which is how the steps below were chosen.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from functools import lru_cache
from itertools import accumulate

from emulator.cluster.distributions.table import LONGEST, ONE

#: Steps of gamma's curve: relative to the point below 1, to the standard deviation above.
_GAMMA_STEPS = 16
#: Steps of the normal's curve in one standard deviation.
NORMAL_STEPS = 64
#: The normal's quantile of 99 %; the 40 digits are checked by the tests.
Z99 = Decimal("2.326347874040841100885606163346911723350")

_ENOUGH = Decimal("1e-24")  # a term this small, relative to the whole, ends a series
_NOTHING = Decimal(
    "1e-23"
)  # a mass this small, relative to the whole, ends a curve: 2^-64 is 5e-20


def precisely() -> Context:
    """The context of every calculation here and of those that go on with its results."""
    traps = [DivisionByZero, InvalidOperation, Overflow]
    return Context(30, ROUND_HALF_EVEN, Emin=-999_999, Emax=999_999, clamp=0, traps=traps)


@lru_cache(maxsize=64)
def gamma(shape: Decimal) -> tuple[tuple[int, int], ...]:
    """The knots of gamma with that shape and mean 1: (p, x times 2^64). Shape from 0.1 to 1000."""
    with localcontext(precisely()):
        # a point with so little below it (or so near to zero) that one straight line will do
        x = shape * (-min(Decimal(20), 1 + 50 / shape)).exp()
        density = Decimal(1)
        mass = density * x / shape * _near_zero(shape, x)
        masses, points = [Decimal(0), mass], [Decimal(0), x]
        widest = max(Decimal(1), shape.sqrt()) / _GAMMA_STEPS
        area = mass
        while x < shape or area > mass * _NOTHING:
            step = min(x / _GAMMA_STEPS, widest)
            area, density = _across(x, 1, shape - 1 - x, step, density)
            mass += area
            x += step
            masses.append(mass)
            points.append(x)
        return tuple(
            (int((m / mass * ONE).to_integral_value()), int((x / shape * ONE).to_integral_value()))
            for m, x in zip(masses, points, strict=True)
        )


@lru_cache(maxsize=1)
def normal() -> tuple[int, ...]:
    """Of ONE, how many lie between 0 and i / NORMAL_STEPS standard deviations, for i = 0, 1, ..."""
    with localcontext(precisely()):
        step = 1 / Decimal(NORMAL_STEPS)
        density, z = Decimal(1), Decimal(0)
        areas = [Decimal(0)]
        while z < 1 or areas[-1] > _NOTHING:
            area, density = _across(Decimal(1), 0, -z, step, density)
            areas.append(area)
            z += step
        masses = list(accumulate(areas))
        return tuple(int((m / masses[-1] * (ONE // 2)).to_integral_value()) for m in masses)


def lognormal(median: Decimal, sigma: Decimal) -> Iterable[tuple[int, int]]:
    """The knots of exp(ln(median) + sigma z), z being normal: (p, nanoseconds), as a row."""
    with localcontext(precisely()):
        factor = (sigma / NORMAL_STEPS).exp()
        factors = list(accumulate([Decimal(1)] + [factor] * (len(normal()) - 1), Decimal.__mul__))
        lower = [(ONE // 2 - m, whole(median / f)) for m, f in zip(normal(), factors, strict=True)]
        upper = [(ONE // 2 + m, whole(median * f)) for m, f in zip(normal(), factors, strict=True)]
        return [*reversed(lower), *upper[1:]]


def whole(ns: Decimal) -> int:
    """The nearest nanosecond, LONGEST at most."""
    return int(min(ns, Decimal(LONGEST)).to_integral_value(ROUND_HALF_EVEN))


def _near_zero(shape: Decimal, x: Decimal) -> Decimal:
    """1 + x / (shape + 1) + x^2 / ((shape + 1) (shape + 2)) + ..., for x below shape."""
    term = total = Decimal(1)
    n = 0
    while term > _ENOUGH:
        n += 1
        term = term * x / (shape + n)
        total += term
    return total


def _across(
    a0: Decimal, a1: int, b0: Decimal, step: Decimal, density: Decimal
) -> tuple[Decimal, Decimal]:
    """The area under the density along one step, and the density at its end (see the rules)."""
    ratio, enough = step / a0, density * _ENOUGH
    before, term = Decimal(0), density
    end = area = density
    n = 0
    while True:
        n, before, term = n + 1, term, ratio * ((b0 - a1 * n) * term - step * before) / (n + 1)
        end += term
        area += term / (n + 1)
        if abs(term) < enough and abs(before) < enough:
            return area * step, end
