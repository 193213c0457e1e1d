"""Quantile tables: masses and durations are two views of one thing, and so with mixtures and cuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.distributions import Table

ONE = 2**64
LAST = 60  # no table here is longer, in nanoseconds


def _table(pairs: list[tuple[int, int]]) -> Table:
    """A table with steps at eighths of the draws, atoms and gaps among them."""
    ps, xs = sorted(p for p, _ in pairs), sorted(x for _, x in pairs)
    steps = [(p * ONE // 8, x) for p, x in zip(ps, xs, strict=True)]
    return Table([(0, 0), *steps, (ONE, LAST)])


tables = st.lists(st.tuples(st.integers(0, 8), st.integers(0, LAST)), max_size=8).map(_table)
bounds = st.integers(0, LAST + 5)
draws = st.integers(0, ONE - 1) | st.integers(0, 7).map(lambda eighth: eighth * ONE // 8)


@given(table=tables, x=bounds, draw=draws)
def test_a_duration_lies_on_its_draws_side_of_a_mass(table: Table, x: int, draw: int) -> None:
    duration = table.at(draw)
    assert table.below(x) <= table.up_to(x)
    if draw < table.below(x):
        assert duration < x
    if draw > table.below(x):
        assert duration >= x
    if draw < table.up_to(x):
        assert duration <= x
    assert table.quantile(draw, ONE) <= duration


@given(table=tables)
def test_a_table_keeps_no_knot_that_no_draw_reaches(table: Table) -> None:
    first, last = table.at(0), table.quantile(1, 1)
    assert table.quantile(0, 1) == first
    assert table.below(first) == 0
    assert table.up_to(last) == ONE
    assert 2 <= len(table) <= 10


@given(
    parts=st.lists(st.tuples(st.integers(1, 9), tables), min_size=1, max_size=4),
    x=bounds,
)
def test_a_mixtures_masses_are_the_parts_in_their_ratio(
    parts: list[tuple[int, Table]], x: int
) -> None:
    mixed = Table.mixed(parts)
    total = sum(weight for weight, _ in parts)
    below = sum(weight * table.below(x) for weight, table in parts) // total
    up_to = sum(weight * table.up_to(x) for weight, table in parts) // total
    assert abs(mixed.below(x) - below) <= 3
    assert abs(mixed.up_to(x) - up_to) <= 3
    mean = sum(weight * table.mean for weight, table in parts) / total
    assert abs(mixed.mean - mean) <= 1


@given(table=tables, ends=st.tuples(bounds, bounds), draw=draws, x=bounds)
def test_a_cut_is_the_table_given_the_bounds(
    table: Table, ends: tuple[int, int], draw: int, x: int
) -> None:
    low, high = sorted(ends)
    first = table.below(low)
    kept = table.up_to(high) - first
    if kept * 10**6 < ONE:
        with pytest.raises(ValueError, match="less than a millionth"):
            table.cut(low, high)
        return
    cut = table.cut(low, high)
    assert low <= cut.at(draw) <= high
    if low <= x <= high:
        assert abs(cut.up_to(x) - (table.up_to(x) - first) * ONE // kept) <= 2 * ONE // kept + 2


def test_broken_knots_are_refused() -> None:
    for knots in ([], [(0, 1)], [(0, 1), (5, 2)], [(1, 1), (ONE, 2)]):
        with pytest.raises(ValueError, match=r"^knots: p must go from 0 to 2\*\*64$"):
            Table(knots)
    for knots in ([(0, 2), (ONE, 1)], [(0, 0), (5, 1), (4, 2), (ONE, 3)]):
        with pytest.raises(ValueError, match=r"^knots: p and x must never fall$"):
            Table(knots)
