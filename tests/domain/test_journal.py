"""The journal: canonical lines, numbers, causes, the digest."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.domain.journal import SCHEMA, Journal, Row, read, read_line

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
    digest = journal.sha256
    assert hashlib.sha256(sink.getvalue().encode()).hexdigest() == digest != empty
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


def test_lines_reach_the_sink_when_there_is_a_chunk_and_when_they_are_asked_for() -> None:
    sink = io.StringIO()
    journal = Journal(sink=sink, keep=False)
    journal.record(0, "a", "s")
    assert sink.getvalue() == ""
    journal.flush()
    assert [read_line(line).n for line in sink.getvalue().splitlines()] == [1]
    for _ in range(1000):
        journal.record(0, "b", "s")
    assert len(sink.getvalue().splitlines()) > 800
    assert journal.sha256 == hashlib.sha256(sink.getvalue().encode()).hexdigest()
    assert len(sink.getvalue().splitlines()) == journal.count == 1001


def test_a_row_says_what_held_when_it_was_recorded() -> None:
    journal, held = Journal(), [1]
    journal.record(0, "a", "s", held=held)
    before = hashlib.sha256(journal.rows[0].line().encode()).hexdigest()
    held.append(2)
    assert journal.sha256 == before


def test_counts_have_no_rows_and_no_digest() -> None:
    journal = Journal()
    heard: list[Row] = []
    journal.record(0, "world", "World", schema=SCHEMA)
    journal.count_only()
    journal.listen(heard.append)
    first = journal.record(1, "event", "Pod/p", type="Normal", reason="Started", note="")
    journal.record(1, "event", "Pod/q", cause=first, type="Normal", reason="Started", note="")
    assert journal.record(2, "run", "Run/r") == 4 == journal.count
    assert journal.counts == {"world": 1, "event": 2, "run": 1}
    assert journal.reasons == {"Started": 2}
    assert not heard
    assert not journal.rows
    assert journal.sha256 == ""
    assert journal.cause == 4


def test_a_journal_is_read_from_its_header_on() -> None:
    sink = io.StringIO()
    journal = Journal(sink=sink)
    journal.record(0, "world", "World", schema=SCHEMA, version="9")
    journal.record(5, "a", "s", text="\u00fc")
    journal.flush()
    rows = list(read(sink.getvalue().splitlines()))
    assert [row.line() for row in rows] == [row.line() for row in journal.rows]


@pytest.mark.parametrize(
    ("first", "problem"),
    [
        (
            Row(1, 0, 0, "world", "World", {"schema": SCHEMA + 1, "version": "9.9"}),
            rf"has schema {SCHEMA + 1}, this version reads {SCHEMA}: .*\(9\.9\)",
        ),
        (Row(1, 0, 0, "run", "Run/r", {}), "begins with its header"),
    ],
)
def test_a_journal_of_another_schema_is_refused(first: Row, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        next(read([first.line()]))
