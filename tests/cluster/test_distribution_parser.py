"""How a scenario writes distributions: what is read, and what is told about the rest."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.cluster.distributions import (
    LONGEST,
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
    parse_distribution,
)
from emulator.domain.timefmt import SECOND


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3s", Constant(3 * SECOND)),
        ("0s", Constant(0)),
        ("1m30s", Constant(90 * SECOND)),
        ({"constant": "200ms"}, Constant(SECOND // 5)),
        ({"uniform": ["1s", "3s"]}, Uniform(SECOND, 3 * SECOND)),
        ({"uniform": ("2s", "2s")}, Uniform(2 * SECOND, 2 * SECOND)),
        ({"exponential": "2s"}, Exponential(2 * SECOND)),
        (
            {"lognormal": {"median": "2s", "sigma": 0.5}},
            Lognormal(Decimal(2 * SECOND), Decimal("0.5")),
        ),
        (
            {"lognormal": {"sigma": "0.5", "mean": "2s"}},
            Lognormal.from_mean(2 * SECOND, Decimal("0.5")),
        ),
        (
            {"lognormal": {"median": "2s", "p99": "10s"}},
            Lognormal.from_p99(2 * SECOND, 10 * SECOND),
        ),
        ({"gamma": {"shape": 2, "mean": "4s"}}, Gamma(Decimal(2), 4 * SECOND)),
        ({"gamma": {"shape": 0.1, "mean": "4s"}}, Gamma(Decimal("0.1"), 4 * SECOND)),
        ({"empirical": ["1s", "9s"]}, Empirical((SECOND, 9 * SECOND))),
        ({"empirical": {"values": ["1s"]}}, Empirical((SECOND,))),
        (
            {"empirical": {"values": ["1s", "9s"], "weights": [1.5, "1"]}},
            Empirical((SECOND, 9 * SECOND), (3, 2)),
        ),
        (
            {"quantiles": {"p100": "30s", "p0": "0s", "p99.9": "2s"}},
            Quantiles(
                ((Decimal(0), 0), (Decimal("99.9"), 2 * SECOND), (Decimal(100), 30 * SECOND))
            ),
        ),
        (
            {"mixture": [{"weight": 9, "of": "1s"}, {"weight": 1, "of": {"exponential": "2s"}}]},
            Mixture(((9, Constant(SECOND)), (1, Exponential(2 * SECOND)))),
        ),
        (
            {"truncated": {"of": {"exponential": "2s"}, "low": "1s", "high": "30s"}},
            Truncated(Exponential(2 * SECOND), SECOND, 30 * SECOND),
        ),
        (
            {"truncated": {"of": {"exponential": "2s"}, "low": "1s"}},
            Truncated(Exponential(2 * SECOND), SECOND, LONGEST),
        ),
        (
            {"truncated": {"of": {"exponential": "2s"}, "high": "1s"}},
            Truncated(Exponential(2 * SECOND), 0, SECOND),
        ),
    ],
)
def test_a_scenarios_value_is_read(value: object, expected: Distribution) -> None:
    assert parse_distribution(value) == expected


FORMS = (
    "write a duration like 3s, or one of constant, uniform, exponential, lognormal, gamma,"
    " empirical, quantiles, mixture, truncated, as in {uniform: [1s, 3s]}"
)
UNIT = "is not a duration: write a number with a unit, like 1.5s or 2m"
LOGNORMALS = "write {median: 2s, sigma: 0.5}, {mean: 2s, sigma: 0.5} or {median: 2s, p99: 10s}"
POINTS = "like {p0: 100ms, p50: 2s, p100: 30s}"
SIGMA = "is not a number from 0 to 3: write one like 0.5"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, f": 3 is not a distribution: {FORMS}"),
        (None, f": None is not a distribution: {FORMS}"),
        ({}, f": {{}} is not a distribution: {FORMS}"),
        (["1s", "3s"], f": ['1s', '3s'] is not a distribution: {FORMS}"),
        (
            {"constant": "1s", "uniform": []},
            f": {{'constant': '1s', 'uniform': []}} is not a distribution: {FORMS}",
        ),
        ({"gauss": "1s"}, f": 'gauss' is no known distribution: {FORMS}"),
        ({1: "1s"}, f": 1 is no known distribution: {FORMS}"),
        ("3", f": '3' {UNIT}"),
        ({"constant": 3}, f".constant: 3 {UNIT}"),
        ({"uniform": ["1s", "x"]}, f".uniform[1]: 'x' {UNIT}"),
        ({"uniform": "1s"}, ".uniform: '1s' is not a pair: write low and high, like [1s, 3s]"),
        ({"uniform": ["1s"]}, ".uniform: ['1s'] is not a pair: write low and high, like [1s, 3s]"),
        ({"uniform": ["3s", "1s"]}, ".uniform: low 3s is more than high 1s: write [1s, 3s]"),
        (
            {"exponential": "0s"},
            ".exponential: '0s' is not longer than nothing: write at least 1ns",
        ),
        (
            {"exponential": "2600000h"},
            ".exponential: '2600000h' is not a duration below 292 years: write a shorter one",
        ),
        (
            {"lognormal": {"median": "2s"}},
            f".lognormal: {{'median': '2s'}} is not what belongs here: {LOGNORMALS}",
        ),
        ({"lognormal": "2s"}, f".lognormal: '2s' is not what belongs here: {LOGNORMALS}"),
        ({"lognormal": {"median": "2s", "sigma": 4}}, f".lognormal.sigma: 4 {SIGMA}"),
        ({"lognormal": {"median": "2s", "sigma": "1e0"}}, f".lognormal.sigma: '1e0' {SIGMA}"),
        ({"lognormal": {"mean": "2s", "sigma": True}}, f".lognormal.sigma: True {SIGMA}"),
        ({"lognormal": {"mean": "2s", "sigma": float("nan")}}, f".lognormal.sigma: nan {SIGMA}"),
        ({"lognormal": {"mean": 2, "sigma": 1}}, f".lognormal.mean: 2 {UNIT}"),
        (
            {"lognormal": {"median": "2s", "p99": "1s"}},
            ".lognormal: p99 1s is less than median 2s: write a longer p99",
        ),
        (
            {"lognormal": {"median": "2s", "p99": "9h"}},
            ".lognormal: {'median': '2s', 'p99': '9h'} is not a lognormal of sigma 3 at most and a"
            " mean below 292 years: write a p99 below 1000 medians, or a shorter median",
        ),
        (
            {"lognormal": {"median": "2000000h", "sigma": 2}},
            ".lognormal: {'median': '2000000h', 'sigma': 2} is not a lognormal with a mean below"
            " 292 years: write a shorter median or a smaller sigma",
        ),
        (
            {"gamma": {"shape": 0, "mean": "1s"}},
            ".gamma.shape: 0 is not a number from 0.1 to 1000: write one like 2",
        ),
        (
            {"gamma": {"mean": "1s"}},
            ".gamma: {'mean': '1s'} is not what belongs here: write {shape: 2, mean: 4s}",
        ),
        (
            {"empirical": []},
            ".empirical: [] is not a list of durations: write at least one, like [1s, 2s, 9s]",
        ),
        ({"empirical": ["1s", 2]}, f".empirical[1]: 2 {UNIT}"),
        (
            {"empirical": {"weights": [1]}},
            ".empirical: {'weights': [1]} is not what belongs here:"
            " write a list like [1s, 2s, 9s] or {values: [1s, 9s], weights: [9, 1]}",
        ),
        (
            {"empirical": {"values": ["1s"], "weights": [1, 2]}},
            ".empirical.weights: [1, 2] is not a list of 1:"
            " write one weight for each of the values",
        ),
        (
            {"empirical": {"values": ["1s"], "weights": [0]}},
            ".empirical.weights[0]: 0 is not a number from 0.000001 to 1000000: write one like 9",
        ),
        (
            {"quantiles": ["1s"]},
            f".quantiles: ['1s'] is not a set of quantiles: write points {POINTS}",
        ),
        (
            {"quantiles": {"p0": "1s", "p50": "2s"}},
            ".quantiles: {'p0': '1s', 'p50': '2s'} is not complete:"
            f" write p0 and p100 too, {POINTS}",
        ),
        (
            {"quantiles": {"p101": "1s"}},
            f".quantiles: 'p101' is not a quantile: write p0 to p100, {POINTS}",
        ),
        (
            {"quantiles": {"p0": "1s", "p0.0": "1s"}},
            ".quantiles: 'p0.0' is given twice: write it once",
        ),
        (
            {"quantiles": {"p0": "2s", "p100": "1s"}},
            ".quantiles: p100 1s is less than p0 2s: write durations that grow",
        ),
        (
            {"mixture": {}},
            ".mixture: {} is not a mixture:"
            " write 1 to 16 parts, like [{weight: 9, of: 1s}, {weight: 1, of: 20s}]",
        ),
        (
            {"mixture": ["1s"]},
            ".mixture[0]: '1s' is not what belongs here: write {weight: 9, of: 1s}",
        ),
        (
            {"mixture": [{"weight": -1, "of": "1s"}]},
            ".mixture[0].weight: -1 is not a number from 0.000001 to 1000000: write one like 9",
        ),
        (
            {"mixture": [{"weight": 1, "of": {"uniform": ["1s", "x"]}}]},
            f".mixture[0].of.uniform[1]: 'x' {UNIT}",
        ),
        (
            {"truncated": {"of": "1s"}},
            ".truncated: {'of': '1s'} is not what belongs here: write {of: {exponential: 2s},"
            " low: 100ms, high: 30s}, with one of low and high at least",
        ),
        (
            {"truncated": {"of": "1s", "low": "3s", "high": "2s"}},
            ".truncated: low 3s is more than high 2s: write low: 2s and high: 3s",
        ),
        (
            {"truncated": {"of": "1s", "low": "3s"}},
            ".truncated: {'low': '3s', 'of': '1s'}: less than a millionth of it lies there:"
            " write wider bounds",
        ),
    ],
)
def test_a_value_that_is_none_says_field_value_and_mend(value: object, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape('start' + text)}$"):
        parse_distribution(value, "start")


def test_a_long_value_is_shown_in_short() -> None:
    for value in (list(range(1000)), {"k" * 10**5: 1}, "s" * 10**5, {"constant": 10**5000}):
        with pytest.raises(ValueError, match=r"^distribution") as caught:
            parse_distribution(value)
        assert len(str(caught.value)) < 300


def test_what_lies_too_deep_is_refused() -> None:
    value: object = {"exponential": "2s"}
    for _ in range(3):
        value = {"truncated": {"of": value, "low": "1s"}}
    assert parse_distribution(value).quantile(0, 1) == SECOND
    for depth in (1, 10_000):
        for _ in range(depth):
            value = {"mixture": [{"weight": 1, "of": value}]}
        with pytest.raises(
            ValueError, match=r"lies more than 4 distributions deep: write it flatter$"
        ):
            parse_distribution(value)
    cycle: dict[str, dict[str, object]] = {"truncated": {"low": "1s"}}
    cycle["truncated"]["of"] = cycle
    with pytest.raises(ValueError, match="distributions deep"):
        parse_distribution(cycle)


WORDS = """constant uniform exponential lognormal gamma empirical quantiles mixture truncated
of low high mean median sigma p99 p0 p50 p100 shape values weights weight"""
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["0s", "1s", "3s", "200ms", "-1s", "1e9", "0.5", "²"])
)
objects = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS.split()) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def _mostly(good: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.integers(0, 19).flatmap(lambda n: good if n else scalars)


durations = _mostly(st.sampled_from(["1s", "1s", "3s", "200ms", "0s"]))
numbers = _mostly(st.sampled_from([1, 2, 0.5, "1.5", 0]))


def _object(keys: str, **values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """An object with the keys, or with some of those that there are."""
    exact = st.fixed_dictionaries({key: values[key] for key in keys.split()})
    return st.integers(0, 9).flatmap(
        lambda n: exact if n else st.fixed_dictionaries({}, optional=values)
    )


def _shapes(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Objects that are nearly distributions."""
    middle = {"median": durations, "mean": durations, "sigma": numbers, "p99": durations}
    pairs = {
        "values": st.lists(durations, min_size=1, max_size=2),
        "weights": st.lists(numbers, max_size=2),
    }
    bounds = {"of": inner, "low": durations, "high": st.just("30s") | durations}
    part = _object("weight of", weight=numbers, of=inner)
    arguments = [
        ("uniform", st.tuples(durations, durations)),
        ("exponential", durations),
        ("lognormal", _object("median sigma", **middle)),
        ("lognormal", _object("mean sigma", **middle)),
        ("lognormal", _object("median p99", **middle)),
        ("gamma", _object("shape mean", shape=numbers, mean=durations)),
        ("empirical", _object("values", **pairs)),
        ("empirical", _object("values weights", **pairs)),
        ("quantiles", _object("p0 p100", p0=durations, p50=durations, p100=durations)),
        ("mixture", st.lists(part, min_size=1, max_size=3)),
        ("truncated", _object("of high", **bounds)),
        ("truncated", _object("of low high", **bounds)),
    ]
    return st.one_of([st.fixed_dictionaries({shape: value}) for shape, value in arguments])


nearly = st.recursive(durations, _shapes, max_leaves=8)


@settings(deadline=None)
@given(value=st.integers(0, 3).flatmap(lambda n: nearly if n else objects))
def test_any_value_is_a_distribution_or_a_value_error(value: object) -> None:
    found = _outcome(value)
    if isinstance(found, str):
        assert re.match(r"start[.:\[]", found)
        assert re.search(r": (write|give) ", found)
    else:
        assert 0 <= found.quantile(0, 1) <= found.mean <= found.quantile(1, 1) <= LONGEST


def _outcome(value: object) -> Distribution | str:
    try:
        return parse_distribution(value, "start")
    except ValueError as error:
        return str(error)
