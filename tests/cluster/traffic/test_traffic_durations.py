"""Collections of durations: nearest rank, and how far a sketch may be off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.traffic.durations import ERROR, Each, Sketch

LISTS = st.lists(
    st.integers(0, 2**62) | st.integers(0, 300) | st.integers(0, 62).map(lambda n: 2**n),
    min_size=3,
    max_size=60,
)
SHARES = st.integers(0, 1000)


def sketch(values: list[int]) -> Sketch:
    made = Sketch()
    for value in values:
        made.add(value)
    return made


def each(values: list[int]) -> Each:
    made = Each()
    for value in values:
        made.add(value)
    return made


@pytest.mark.parametrize(
    ("share", "expected"), [(0, 10), (1, 10), (25, 10), (26, 20), (50, 20), (99, 40), (100, 40)]
)
def test_a_quantile_is_the_nearest_rank(share: int, expected: int) -> None:
    assert each([40, 10, 30, 20]).quantile(share, 100) == expected
    assert sketch([40, 10, 30, 20]).quantile(share, 100) == expected


@given(values=LISTS, share=SHARES)
def test_a_sketch_is_off_by_its_stated_error_at_most(values: list[int], share: int) -> None:
    exact = each(values).quantile(share, 1000)
    assert abs(sketch(values).quantile(share, 1000) - exact) * ERROR <= exact


def test_the_stated_error_is_nearly_reached() -> None:
    """A sketch with half as many buckets would not keep to it."""
    values = [2**20 + n for n in range(2**14)]  # the widest bucket for its durations
    rough, exact = sketch(values), each(values)
    worst = max(abs(rough.quantile(n, 1000) - exact.quantile(n, 1000)) for n in range(1001))
    assert 2**19 < worst * ERROR <= 2**20


@given(values=LISTS)
def test_count_sum_and_extremes_of_a_sketch_are_exact(values: list[int]) -> None:
    for made in (sketch(values), each(values)):
        assert made.count == len(values)
        assert made.total == sum(values)
        assert made.mean == sum(values) // len(values)
        assert (made.shortest, made.longest) == (min(values), max(values))
        assert made.quantile(1, 1) == max(values)


@given(one=LISTS, other=LISTS, share=SHARES)
def test_merging_is_having_seen_both(one: list[int], other: list[int], share: int) -> None:
    both = sketch(one + other)
    for merged, more in ((sketch(one), sketch(other)), (sketch(other), sketch(one))):
        merged.merge(more)
        assert merged.summary() == both.summary()
        assert merged.quantile(share, 1000) == both.quantile(share, 1000)


def test_merging_with_nothing_changes_nothing() -> None:
    made = sketch([5, 7])
    made.merge(Sketch())
    assert made.summary() == sketch([5, 7]).summary()
    empty = Sketch()
    empty.merge(made)
    assert empty.summary() == made.summary()
    assert empty.shortest == 5


def test_a_sketch_counts_on_beyond_one_fold() -> None:
    made = sketch(list(range(10_000)))
    assert (made.count, made.total, made.longest) == (10_000, 49_995_000, 9_999)
    assert abs(made.quantile(1, 2) - 4_999) * ERROR <= 4_999


def test_a_sketch_stays_small() -> None:
    assert sketch([n * n * n for n in range(100_000)]).buckets < 64 * 50


def test_a_copy_is_apart() -> None:
    for made in (sketch([1]), each([1])):
        twin = made.copy()
        made.add(9)
        assert (twin.count, made.count) == (1, 2)
        assert (twin.longest, made.longest) == (1, 9)


def test_nothing_has_no_quantile() -> None:
    for made in (Sketch(), Each()):
        assert made.summary() == {"count": 0}
        assert (made.mean, made.shortest, made.longest) == (0, 0, 0)
        with pytest.raises(ValueError, match="no durations"):
            made.quantile(1, 2)


@pytest.mark.parametrize("share", [(-1, 2), (3, 2), (0, 0)])
def test_what_is_no_share_is_refused(share: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not a share"):
        sketch([1]).quantile(*share)
