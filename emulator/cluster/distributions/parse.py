"""Reading the distributions of a scenario (the package's docstring shows their spelling).

Rules: whatever is handed in either becomes a distribution or raises a ValueError that begins with the
field, shows the value and says after `: write` what to put there; a value is never shown at length.
What is wrong with a distribution is found here and not when it is first sampled. A new shape is one
reader and one entry of `SHAPES`.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from math import lcm

from emulator.cluster.distributions import shapes
from emulator.cluster.distributions.shapes import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    Lognormal,
    Mixture,
    Quantiles,
    Truncated,
    Uniform,
)
from emulator.cluster.distributions.table import LONGEST
from emulator.domain.timefmt import parse_duration

#: How deep distributions may lie in one another, and how many a mixture may have.
DEEPEST = 4
MOST_PARTS = 16
#: What a weight may be: the ratio of two weights stays far from the 2^64 draws.
WEIGHTS = Decimal("1e-6"), Decimal("1e6")

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_PERCENT = re.compile(r"p([0-9]{1,3}(?:\.[0-9]{1,15})?)")
_LONG = 100  # a text longer than this is neither a duration nor a number


def parse_distribution(value: object, field: str = "distribution") -> Distribution:
    """The distribution that a scenario's `value` describes.

    Raises ValueError that begins with `field` and names the value and what to write instead.
    """
    return _read(value, field, 1)


def _read(value: object, field: str, depth: int) -> Distribution:
    if isinstance(value, str):
        return Constant(_duration(value, field))
    if not isinstance(value, dict) or len(value) != 1:
        raise _wrong(field, value, "a distribution", _FORMS)
    if depth > DEEPEST:
        raise ValueError(
            f"{field}: {_short(value)} lies more than {DEEPEST} distributions deep: write it flatter"
        )
    ((shape, argument),) = value.items()
    reader = SHAPES.get(shape)
    if reader is None:
        raise ValueError(f"{field}: {_short(shape)} is no known distribution: write {_FORMS}")
    return reader(argument, f"{field}.{shape}", depth)


def _constant(argument: object, field: str, _: int) -> Distribution:
    return Constant(_duration(argument, field))


def _uniform(argument: object, field: str, _: int) -> Distribution:
    if not isinstance(argument, list | tuple) or len(argument) != 2:
        raise _wrong(field, argument, "a pair", "low and high, like [1s, 3s]")
    low, high = (_duration(end, f"{field}[{i}]") for i, end in enumerate(argument))
    if low > high:
        raise ValueError(
            f"{field}: low {argument[0]} is more than high {argument[1]}:"
            f" write [{argument[1]}, {argument[0]}]"
        )
    return Uniform(low, high)


def _exponential(argument: object, field: str, _: int) -> Distribution:
    return Exponential(_span(argument, field))


def _lognormal(argument: object, field: str, _: int) -> Distribution:
    forms = "{median: 2s, sigma: 0.5}, {mean: 2s, sigma: 0.5} or {median: 2s, p99: 10s}"
    given = _keys(argument, field, forms, "median sigma", "mean sigma", "median p99")
    if "p99" in given:
        return _by_p99(given, field)
    sigma = _number(given["sigma"], f"{field}.sigma", Decimal(0), shapes.SIGMA, "0.5")
    middle = "mean" if "mean" in given else "median"
    span = _span(given[middle], f"{field}.{middle}")
    try:
        return (
            Lognormal.from_mean(span, sigma) if "mean" in given else Lognormal(Decimal(span), sigma)
        )
    except ValueError:  # sigma and the span are sound, so what is left is their mean
        shorter = "a shorter median or a smaller sigma"
        raise _wrong(field, argument, "a lognormal with a mean below 292 years", shorter) from None


def _by_p99(given: dict[str, object], field: str) -> Distribution:
    median, p99 = (_span(given[key], f"{field}.{key}") for key in ("median", "p99"))
    if p99 < median:
        raise ValueError(
            f"{field}: p99 {given['p99']} is less than median {given['median']}: write a longer p99"
        )
    try:
        return Lognormal.from_p99(median, p99)
    except ValueError:  # their order is sound, so what is left is the spread
        milder = "a p99 below 1000 medians, or a shorter median"
        raise _wrong(
            field, given, "a lognormal of sigma 3 at most and a mean below 292 years", milder
        ) from None


def _gamma(argument: object, field: str, _: int) -> Distribution:
    given = _keys(argument, field, "{shape: 2, mean: 4s}", "shape mean")
    shape = _number(given["shape"], f"{field}.shape", *shapes.SHAPES, "2")
    return Gamma(shape, _span(given["mean"], f"{field}.mean"))


def _empirical(argument: object, field: str, _: int) -> Distribution:
    if isinstance(argument, list | tuple):
        return Empirical(_values(argument, field))
    forms = "a list like [1s, 2s, 9s] or {values: [1s, 9s], weights: [9, 1]}"
    given = _keys(argument, field, forms, "values", "values weights")
    values = _values(given["values"], f"{field}.values")
    if "weights" not in given:
        return Empirical(values)
    weights, field = given["weights"], f"{field}.weights"
    if not isinstance(weights, list | tuple) or len(weights) != len(values):
        raise _wrong(
            field, weights, f"a list of {len(values)}", "one weight for each of the values"
        )
    return Empirical(values, _weights([(w, f"{field}[{i}]") for i, w in enumerate(weights)]))


def _values(argument: object, field: str) -> tuple[int, ...]:
    if not isinstance(argument, list | tuple) or not argument:
        raise _wrong(field, argument, "a list of durations", "at least one, like [1s, 2s, 9s]")
    return tuple(_duration(value, f"{field}[{i}]") for i, value in enumerate(argument))


def _quantiles(argument: object, field: str, _: int) -> Distribution:
    example = "{p0: 100ms, p50: 2s, p100: 30s}"
    if not isinstance(argument, dict):
        raise _wrong(field, argument, "a set of quantiles", f"points like {example}")
    points: dict[Decimal, tuple[int, object]] = {}
    for key, value in argument.items():
        found = _PERCENT.fullmatch(key) if isinstance(key, str) and len(key) < _LONG else None
        percent = Decimal(found[1]) if found else Decimal(-1)
        if not 0 <= percent <= 100:
            raise _wrong(field, key, "a quantile", f"p0 to p100, like {example}")
        if percent in points:
            raise ValueError(f"{field}: {_short(key)} is given twice: write it once")
        points[percent] = _duration(value, f"{field}.{key}"), value
    if not {Decimal(0), Decimal(100)} <= points.keys():
        raise _wrong(field, argument, "complete", f"p0 and p100 too, like {example}")
    row = sorted(points.items())
    for (low, (before, shown)), (high, (after, lower)) in pairwise(row):
        if after < before:
            raise ValueError(
                f"{field}: p{high} {lower} is less than p{low} {shown}: write durations that grow"
            )
    return Quantiles(tuple((percent, ns) for percent, (ns, _) in row))


def _mixture(argument: object, field: str, depth: int) -> Distribution:
    example = "[{weight: 9, of: 1s}, {weight: 1, of: 20s}]"
    if not isinstance(argument, list | tuple) or not 1 <= len(argument) <= MOST_PARTS:
        raise _wrong(field, argument, "a mixture", f"1 to {MOST_PARTS} parts, like {example}")
    given = [
        _keys(part, f"{field}[{i}]", "{weight: 9, of: 1s}", "weight of")
        for i, part in enumerate(argument)
    ]
    weights = _weights([(part["weight"], f"{field}[{i}].weight") for i, part in enumerate(given)])
    parts = [_read(part["of"], f"{field}[{i}].of", depth + 1) for i, part in enumerate(given)]
    return Mixture(tuple(zip(weights, parts, strict=True)))


def _truncated(argument: object, field: str, depth: int) -> Distribution:
    forms = "{of: {exponential: 2s}, low: 100ms, high: 30s}, with one of low and high at least"
    given = _keys(argument, field, forms, "of low high", "of low", "of high")
    of = _read(given["of"], f"{field}.of", depth + 1)
    low = _duration(given["low"], f"{field}.low") if "low" in given else 0
    high = _duration(given["high"], f"{field}.high") if "high" in given else LONGEST
    if low > high:
        raise ValueError(
            f"{field}: low {given['low']} is more than high {given['high']}:"
            f" write low: {given['high']} and high: {given['low']}"
        )
    truncated = Truncated(of, low, high)
    try:
        _ = truncated.table  # made here, where its error has a field
    except ValueError as error:
        raise ValueError(f"{field}: {_short(argument)}: {error}: write wider bounds") from None
    return truncated


def _keys(argument: object, field: str, forms: str, *sets: str) -> dict[str, object]:
    """The object, whose keys must be those of one of the `sets` of words."""
    if isinstance(argument, dict) and argument.keys() in [set(keys.split()) for keys in sets]:
        return argument
    raise _wrong(field, argument, "what belongs here", forms)


def _span(value: object, field: str) -> int:
    """A duration longer than nothing."""
    if (found := _duration(value, field)) == 0:
        raise _wrong(field, value, "longer than nothing", "at least 1ns")
    return found


def _duration(value: object, field: str) -> int:
    if not isinstance(value, str) or len(value) > _LONG:
        raise _wrong(field, value, "a duration", "a number with a unit, like 1.5s or 2m")
    try:
        found = parse_duration(value)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None
    if found > LONGEST:
        raise _wrong(field, value, "a duration below 292 years", "a shorter one")
    return found


def _weights(given: list[tuple[object, str]]) -> tuple[int, ...]:
    """Weights, each with its field, as integers in the same ratio."""
    ratios = [_number(value, field, *WEIGHTS, "9").as_integer_ratio() for value, field in given]
    common = lcm(*(denominator for _, denominator in ratios))
    return tuple(numerator * (common // denominator) for numerator, denominator in ratios)


def _number(value: object, field: str, low: Decimal, high: Decimal, example: str) -> Decimal:
    """A number of [low, high], as it is written; trailing zeros do not count."""
    found = Decimal("nan")
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        found = Decimal(value) if isinstance(value, int) else Decimal(str(value))
    elif isinstance(value, str) and _NUMBER.fullmatch(value):
        found = Decimal(value)
    if found.is_nan() or not low <= found <= high:
        raise _wrong(field, value, f"a number from {low:f} to {high:f}", f"one like {example}")
    return found


def _wrong(field: str, value: object, wanted: str, mend: str) -> ValueError:
    return ValueError(f"{field}: {_short(value)} is not {wanted}: write {mend}")


def _short(value: object) -> str:
    """The value as Python writes it, in 60 characters at most."""
    try:
        text = _REPR.repr(value)
    except ValueError:  # an integer of thousands of digits
        text = "a number too long to show"
    return text if len(text) <= 60 else f"{text[:57]}..."


_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxlist, _REPR.maxtuple, _REPR.maxdict = 4, 20, 20, 20
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = 70

#: Shape -> its reader: argument, field and depth to distribution.
SHAPES: dict[object, Callable[[object, str, int], Distribution]] = {
    "constant": _constant,
    "uniform": _uniform,
    "exponential": _exponential,
    "lognormal": _lognormal,
    "gamma": _gamma,
    "empirical": _empirical,
    "quantiles": _quantiles,
    "mixture": _mixture,
    "truncated": _truncated,
}
_FORMS = f"a duration like 3s, or one of {', '.join(map(str, SHAPES))}, as in {{uniform: [1s, 3s]}}"
