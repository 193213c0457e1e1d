"""Distributions: integer nanoseconds from a stream, and how a scenario writes them."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.distributions import Constant, Distribution, Uniform, parse_distribution
from emulator.cluster.streams import Streams
from emulator.domain.timefmt import SECOND


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


def test_samples_are_pinned() -> None:
    stream = Streams(2026).stream("web", "start")
    uniform = Uniform(SECOND, 3 * SECOND)
    assert [uniform.sample(stream) for _ in range(3)] == [
        2_175_646_280,
        1_853_702_397,
        1_416_868_160,
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3s", Constant(3 * SECOND)),
        ("0s", Constant(0)),
        ("1m30s", Constant(90 * SECOND)),
        ({"constant": "200ms"}, Constant(SECOND // 5)),
        ({"uniform": ["1s", "3s"]}, Uniform(SECOND, 3 * SECOND)),
        ({"uniform": ("2s", "2s")}, Uniform(2 * SECOND, 2 * SECOND)),
    ],
)
def test_a_scenarios_value_is_read(value: object, expected: Distribution) -> None:
    assert parse_distribution(value) == expected


FORMS = "write a duration like 3s or {constant: 3s} or {uniform: [1s, 3s]}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, f"start: 3 is not a distribution: {FORMS}"),
        (None, f"start: None is not a distribution: {FORMS}"),
        ({}, f"start: {{}} is not a distribution: {FORMS}"),
        (["1s", "3s"], f"start: ['1s', '3s'] is not a distribution: {FORMS}"),
        (
            {"constant": "1s", "uniform": []},
            f"start: {{'constant': '1s', 'uniform': []}} is not a distribution: {FORMS}",
        ),
        ({"gauss": "1s"}, f"start: 'gauss' is no known distribution: {FORMS}"),
        ({1: "1s"}, f"start: 1 is no known distribution: {FORMS}"),
        (
            "3",
            "start: '3' is not a duration: write a number with a unit, like 1.5s or 2m",
        ),
        (
            {"constant": 3},
            "start.constant: 3 is not a duration: write a number with a unit, like 1.5s or 2m",
        ),
        (
            {"uniform": ["1s", "x"]},
            "start.uniform[1]: 'x' is not a duration: write a number with a unit, like 1.5s or 2m",
        ),
        (
            {"uniform": "1s"},
            "start.uniform: '1s' is not a pair: write low and high, like [1s, 3s]",
        ),
        (
            {"uniform": ["1s"]},
            "start.uniform: ['1s'] is not a pair: write low and high, like [1s, 3s]",
        ),
        (
            {"uniform": ["3s", "1s"]},
            "start.uniform: low 3s is more than high 1s: write [1s, 3s]",
        ),
    ],
)
def test_a_value_that_is_none_says_field_value_and_mend(value: object, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_distribution(value, "start")


def test_a_long_value_is_shown_in_short() -> None:
    with pytest.raises(ValueError, match=r"\.\.\. is not a distribution") as caught:
        parse_distribution(list(range(1000)))
    assert len(str(caught.value)) < 200
    assert str(caught.value).startswith("distribution: ")


def test_durations_are_never_negative() -> None:
    with pytest.raises(ValueError, match="ns: must not be negative, got -1"):
        Constant(-1)
    with pytest.raises(ValueError, match="got low=-1, high=2"):
        Uniform(-1, 2)
    with pytest.raises(ValueError, match="got low=3, high=2"):
        Uniform(3, 2)
