"""The journal: canonical lines, numbers, causes, the digest."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.domain.journal import Journal, Row, read_line

RESERVED = {"n", "t", "cause", "kind", "subject"}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
data = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda key: key not in RESERVED), values, max_size=5
)


@given(st.integers(1), st.integers(0), st.integers(0), st.text(), st.text(), data)
def test_a_line_is_read_as_it_was_written(
    n: int, t: int, cause: int, kind: str, subject: str, extra: dict[str, object]
) -> None:
    row = Row(n, t, cause, kind, subject, extra)
    line = row.line()
    assert line.isascii()
    assert line.endswith("\n")
    assert "\n" not in line[:-1]
    read = read_line(line)
    assert read.line() == line
    assert (read.n, read.t, read.cause, read.kind, read.subject) == (n, t, cause, kind, subject)
    assert dict(read.data) == extra


@given(data)
def test_the_order_of_the_data_does_not_matter(extra: dict[str, object]) -> None:
    backwards = dict(reversed(list(extra.items())))
    assert Row(1, 0, 0, "k", "s", extra).line() == Row(1, 0, 0, "k", "s", backwards).line()


@pytest.mark.parametrize("line", ["", "[]", "{", "null", '{"n":1}', "1"])
def test_what_is_no_row_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a row of a journal"):
        read_line(line)


def test_rows_follow_from_one_another_unless_they_are_siblings() -> None:
    journal = Journal()
    first = journal.record(0, "a", "s")
    second = journal.record(1, "b", "s")
    third = journal.record(2, "c", "s", cause=first)
    fourth = journal.record(3, "d", "s")
    assert [row.cause for row in journal.rows] == [0, first, first, second]
    assert [first, second, third, fourth] == [1, 2, 3, 4]


def test_the_digest_is_over_the_lines() -> None:
    sink = io.StringIO()
    journal = Journal(sink=sink, keep=False, window=2)
    empty = journal.sha256
    for number in range(20):
        journal.record(number, "tick", "s", value=number)
    assert hashlib.sha256(sink.getvalue().encode()).hexdigest() == journal.sha256 != empty
    assert [json.loads(line)["value"] for line in sink.getvalue().splitlines()] == list(range(20))
    assert journal.count == 20
    assert 2 <= len(journal.rows) <= 4
    assert journal.rows[-1].data == {"value": 19}


def test_listeners_hear_every_row() -> None:
    journal = Journal()
    heard: list[int] = []
    journal.listen(lambda row: heard.append(row.n))
    journal.record(0, "a", "s")
    journal.record(0, "b", "s")
    assert heard == [1, 2]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        Journal().record(0, "a", "s", value=value)
