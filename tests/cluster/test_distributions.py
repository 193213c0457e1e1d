"""Distributions: integer nanoseconds from a stream, as each shape has them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from decimal import Decimal, localcontext
from hashlib import blake2b

import pytest
from hypothesis import given
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
)
from emulator.cluster.streams import Streams
from emulator.domain.timefmt import MILLISECOND, SECOND

ONE = 2**64

EXPONENTIAL = Exponential(2 * SECOND)
LOGNORMAL = Lognormal(Decimal(2 * SECOND), Decimal("0.5"))
TABLED: dict[str, Distribution] = {
    "exponential": EXPONENTIAL,
    "lognormal": LOGNORMAL,
    "p99": Lognormal.from_p99(2 * SECOND, 10 * SECOND),
    "gamma": Gamma(Decimal(2), 4 * SECOND),
    "empirical": Empirical((SECOND, 2 * SECOND, 2 * SECOND, 9 * SECOND)),
    "weighted": Empirical((9 * SECOND, SECOND), (1, 9)),
    "quantiles": Quantiles(
        ((Decimal(0), 0), (Decimal(50), 2 * SECOND), (Decimal(100), 30 * SECOND))
    ),
    "mixture": Mixture(((9, Constant(SECOND)), (1, Uniform(10 * SECOND, 20 * SECOND)))),
    "curves": Mixture(((3, EXPONENTIAL), (1, LOGNORMAL))),
    "truncated": Truncated(EXPONENTIAL, 100 * MILLISECOND, 30 * SECOND),
}
each = pytest.mark.parametrize("name", TABLED)


def test_a_constant_takes_nothing_from_the_stream() -> None:
    stream, twin = (Streams(1).stream("web", "start") for _ in range(2))
    assert Constant(5).sample(stream) == 5
    assert Constant(5).mean == 5
    assert stream.bits(64) == twin.bits(64)


@given(low=st.integers(0, 10**12), width=st.integers(1, 10**12), seed=st.integers())
def test_uniform_is_the_stream_between_low_and_high(low: int, width: int, seed: int) -> None:
    stream, twin = (Streams(seed).stream("web", "start") for _ in range(2))
    uniform = Uniform(low, low + width)
    for _ in range(5):
        sample = uniform.sample(stream)
        assert low <= sample < low + width
        assert sample == twin.between(low, low + width)


def test_uniform_with_equal_ends_is_that_one() -> None:
    stream = Streams(1).stream("web", "start")
    assert {Uniform(7, 7).sample(stream) for _ in range(10)} == {7}
    assert Uniform(7, 7).mean == 7


def test_uniform_reaches_low_and_never_high() -> None:
    stream = Streams(2).stream("web", "start")
    counts = Counter(Uniform(3, 6).sample(stream) for _ in range(3_000))
    assert set(counts) == {3, 4, 5}
    assert all(abs(count - 1_000) < 4 * 26 for count in counts.values())


def test_the_mean_of_uniform_is_what_samples_tend_to() -> None:
    uniform = Uniform(SECOND, 3 * SECOND)
    stream = Streams(3).stream("web", "start")
    average = sum(uniform.sample(stream) for _ in range(10_000)) // 10_000
    assert uniform.mean == 2 * SECOND
    assert abs(average - uniform.mean) < 4 * 5_773_503  # four standard errors


# three samples and the mean
GOLDEN = {
    "uniform": [2_175_646_280, 1_853_702_397, 1_416_868_160, 2_000_000_000],
    "exponential": [1_545_026_060, 197_133_270, 2_943_381_626, 2_000_337_738],
    "lognormal": [2_097_802_964, 1_035_063_814, 2_895_530_708, 2_266_319_960],
    "p99": [2_136_586_488, 803_928_806, 3_337_208_628, 2_540_805_680],
    "gamma": [3_606_692_297, 1_023_753_286, 5_617_036_817, 4_000_442_695],
    "empirical": [2_000_000_000, 1_000_000_000, 9_000_000_000, 3_500_000_000],
    "weighted": [1_000_000_000, 1_000_000_000, 1_000_000_000, 1_800_000_000],
    "quantiles": [4_129_850_941, 375_444_816, 17_139_727_335, 8_500_000_000],
    "mixture": [1_000_000_000, 1_000_000_000, 1_000_000_000, 2_400_000_000],
    "curves": [1_757_824_359, 267_393_368, 2_925_385_887, 2_066_833_294],
    "truncated": [1_645_062_348, 297_143_334, 3_043_131_426, 2_100_343_114],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_samples_are_pinned(name: str) -> None:
    distribution = TABLED.get(name, Uniform(SECOND, 3 * SECOND))
    stream = Streams(2026).stream("web", "start")
    assert [distribution.sample(stream) for _ in range(3)] == GOLDEN[name][:3]
    assert distribution.mean == GOLDEN[name][3]


def test_tables_are_pinned_whole() -> None:
    """Whatever the machine, the Python and the caller's decimal context."""
    with localcontext(prec=3):
        rows = [
            *(
                Gamma(Decimal(shape), 3600 * SECOND).table
                for shape in ("0.1", "0.7", "33.3", "1000")
            ),
            *(Lognormal.from_mean(SECOND, Decimal(sigma)).table for sigma in ("0.1", "0.77", "3")),
            *(distribution.table for distribution in TABLED.values()),
        ]
        quantiles = [table.quantile(i, 4_999) for table in rows for i in range(5_000)]
    digest = blake2b(repr(quantiles).encode(), digest_size=16).hexdigest()
    assert digest == "e74636a1287ad54cf84864ea194458b8"


@each
@given(draws=st.lists(st.integers(0, ONE - 1), min_size=2, max_size=20))
def test_a_greater_draw_is_never_a_shorter_duration(name: str, draws: list[int]) -> None:
    table = TABLED[name].table
    durations = [table.at(draw) for draw in sorted(draws)]
    assert durations == sorted(durations)
    assert table.at(0) <= durations[0]
    assert durations[-1] <= table.at(ONE - 1) <= LONGEST


@each
def test_one_draw_makes_one_sample(name: str) -> None:
    stream, twin = (Streams(5).stream("web", "start") for _ in range(2))
    for _ in range(20):
        assert TABLED[name].sample(stream) == TABLED[name].table.at(twin.bits(64))


@each
def test_the_mean_is_what_samples_tend_to(name: str) -> None:
    stream = Streams(4).stream("web", "start")
    samples = [TABLED[name].sample(stream) for _ in range(4_000)]
    average = sum(samples) / len(samples)
    deviation = math.sqrt(sum((sample - average) ** 2 for sample in samples) / len(samples))
    assert abs(average - TABLED[name].mean) < 4 * deviation / math.sqrt(len(samples))


def _gamma_2(seconds: float) -> float:
    return 1 - (1 + seconds / 2) * math.exp(-seconds / 2)


def _lognormal(seconds: float) -> float:
    return (1 + math.erf(math.log(seconds / 2) / 0.5 / math.sqrt(2))) / 2


def _exponential(seconds: float) -> float:
    return -math.expm1(-seconds / 2)


def _truncated(seconds: float) -> float:
    low, high = _exponential(0.1), _exponential(30)
    return (_exponential(seconds) - low) / (high - low)


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("exponential", _exponential),
        ("lognormal", _lognormal),
        ("gamma", _gamma_2),
        ("curves", lambda x: (3 * _exponential(x) + _lognormal(x)) / 4),
        ("truncated", _truncated),
        ("quantiles", lambda x: x / 4 if x < 2 else 0.5 + (x - 2) / 56),
    ],
)
def test_samples_have_the_closed_forms_distribution(
    name: str, below: Callable[[float], float]
) -> None:
    """Kolmogorov and Smirnov's distance stays under its 99.9 % quantile."""
    stream = Streams(6).stream("web", "start")
    n = 4_000
    samples = sorted(TABLED[name].sample(stream) for _ in range(n))
    masses = [below(sample / SECOND) for sample in samples]
    distance = max(max((i + 1) / n - mass, mass - i / n) for i, mass in enumerate(masses))
    assert distance < 1.95 / math.sqrt(n)


def test_lognormals_by_mean_and_by_p99_are_what_they_are_called() -> None:
    by_mean = Lognormal.from_mean(2 * SECOND, Decimal("0.8"))
    assert abs(by_mean.mean - 2 * SECOND) < 2 * SECOND // 5000
    by_p99 = Lognormal.from_p99(2 * SECOND, 10 * SECOND)
    assert by_p99.quantile(1, 2) == 2 * SECOND
    assert abs(by_p99.quantile(99, 100) - 10 * SECOND) < 10 * SECOND // 5000
    assert set(_samples(Lognormal.from_p99(SECOND, SECOND))) == {SECOND}


def _samples(distribution: Distribution, n: int = 200) -> list[int]:
    stream = Streams(7).stream("web", "start")
    return [distribution.sample(stream) for _ in range(n)]


def test_a_draw_is_cut_to_the_longest_duration() -> None:
    table = Lognormal(Decimal(LONGEST // 1000), Decimal(3)).table
    assert table.at(ONE - 1) == LONGEST
    assert Exponential(LONGEST).quantile(1, 1) == LONGEST


def test_empirical_values_come_as_often_as_they_weigh() -> None:
    assert TABLED["empirical"].mean == 3_500_000_000
    assert [TABLED["empirical"].quantile(i, 4) for i in range(5)] == [
        seconds * SECOND for seconds in (1, 1, 2, 2, 9)
    ]
    counts = Counter(_samples(TABLED["weighted"], 10_000))
    assert counts.keys() == {SECOND, 9 * SECOND}
    assert abs(counts[9 * SECOND] - 1_000) < 4 * 30


def test_quantiles_are_met_and_joined_by_straight_lines() -> None:
    assert [TABLED["quantiles"].quantile(i, 4) for i in range(5)] == [
        seconds * SECOND for seconds in (0, 1, 2, 16, 30)
    ]
    assert TABLED["quantiles"].mean == (1 + 16) * SECOND // 2


def test_a_mixture_is_its_parts_in_their_ratio() -> None:
    mixture = TABLED["mixture"]
    assert mixture.mean == 2_400_000_000
    assert mixture.quantile(9, 10) == SECOND
    assert mixture.quantile(95, 100) == 15 * SECOND
    assert {x == SECOND or 10 * SECOND <= x < 20 * SECOND for x in _samples(mixture)} == {True}


def test_a_truncation_keeps_atoms_at_its_bounds_and_nothing_outside() -> None:
    values = Empirical(tuple(range(1, 10)))
    assert Truncated(values, 3, 5).table.mean == 4
    assert {*_samples(Truncated(values, 3, 5))} == {3, 4, 5}
    assert {*_samples(Truncated(values, 2, 2))} == {2}
    with pytest.raises(ValueError, match="less than a millionth"):
        _ = Truncated(values, 10, 20).table
    with pytest.raises(ValueError, match="less than a millionth"):
        _ = Truncated(TABLED["mixture"], 2 * SECOND, 9 * SECOND).table


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Constant(-1), "ns: must not be negative, got -1"),
        (lambda: Uniform(-1, 2), "got low=-1, high=2"),
        (lambda: Uniform(3, 2), "got low=3, high=2"),
        (lambda: Exponential(0), "mean: must be at least 1 ns, got 0"),
        (lambda: Gamma(Decimal("0.01"), 5), "shape: give 0.1 to 1000, got 0.01"),
        (lambda: Lognormal(Decimal(1), Decimal(4)), "sigma: give 0 to 3, got 4"),
        (lambda: Lognormal(Decimal(0), Decimal(1)), "median: must be above 0, got 0"),
        (lambda: Lognormal(Decimal(LONGEST), Decimal(1)), "its mean is over 292 years"),
        (lambda: Lognormal.from_mean(5, Decimal(-(10**9))), "sigma: give 0 to 3, got -1000000000"),
        (lambda: Lognormal.from_p99(5, 4), "got median=5, p99=4"),
        (lambda: Lognormal.from_p99(5, 5_400), "p99 is over 1000 times the median"),
        (lambda: Empirical(()), "values: give at least one"),
        (lambda: Empirical((1,), (1, 2)), "weights: give one above 0 for each value"),
        (lambda: Empirical((1, 2), (1, 0)), "weights: give one above 0 for each value"),
        (lambda: Quantiles(((Decimal(0), 1),)), "points: give at least two"),
        (lambda: Quantiles(((Decimal(0), 1), (Decimal(90), 2))), "the last for 100"),
        (lambda: Quantiles(((Decimal(0), 2), (Decimal(100), 1))), "must not fall"),
        (lambda: Mixture(()), "parts: give at least one"),
        (lambda: Mixture(((0, Constant(1)),)), "weight above 0"),
        (lambda: Truncated(Constant(1), 3, 2), "got low=3, high=2"),
        (lambda: Constant(1).quantile(2, 1), "2/1 is not a probability"),
        (lambda: EXPONENTIAL.quantile(-1, 2), "-1/2 is not a probability"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()
