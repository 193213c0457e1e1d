"""The journal: the ordered record of everything that happened in a world.

Rules: a row has a number `n`, a time `t` (integer nanoseconds since the world began), a `cause` (the
number of the row that led to it, 0 for none), a `kind`, a `subject` and data. Rows are canonical JSON
lines (`journal_lines`), so that the same world is the same bytes; `sha256` is over those bytes, header
included. The first row is the header (kind `world`), whose `schema` says what the rows mean: a reader
refuses another one. What user code answers, and wall time, stay out of it.

A journal keeps its rows, or hands them to a sink while it runs, or only counts (`count_only`: no row,
no bytes, no digest). A row is encoded when it is recorded, so that it says what held then; bytes go
to the digest and the sink in chunks. `flush` hands over what is left: reading the digest does it, and
the kernel does when a callback fails.

Whoever runs a callback sets `cause` to what it was when the callback was scheduled (the kernel does);
`record` takes it from there and becomes the cause of what follows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from emulator.domain.journal_lines import decode, encode

#: The meaning of the rows; raised with every change of it.
SCHEMA = 2

#: Rows that wait for the digest and the sink at most: about 30 KB.
_CHUNK = 128
_HEAD = ("n", "t", "cause", "kind", "subject")


class Sink(Protocol):
    """Where the journal's lines go."""

    def write(self, text: str) -> object:
        """Takes one or more whole lines, their newlines included."""


class Row:
    """One row, as readers of the journal get it."""

    __slots__ = ("cause", "data", "kind", "n", "subject", "t")

    def __init__(
        self, n: int, t: int, cause: int, kind: str, subject: str, data: Mapping[str, Any]
    ) -> None:
        self.n = n
        self.t = t
        self.cause = cause
        self.kind = kind
        self.subject = subject
        self.data = data

    def line(self) -> str:
        """The row as one canonical JSON line."""
        head = (self.n, self.t, self.cause, self.kind, self.subject)
        return encode({**self.data, **dict(zip(_HEAD, head, strict=True))}).decode()

    def __repr__(self) -> str:
        return f"Row({self.line().rstrip()})"


class Journal:
    """Collects rows, hashes them, and hands them to a sink and to listeners.

    With `keep` the rows stay readable in `rows`; without, at least the last `window` of them do.
    `counts` holds the rows by kind and `reasons` the events by reason, of a journal that only counts.
    """

    def __init__(self, *, sink: Sink | None = None, keep: bool = True, window: int = 1_000) -> None:
        self.cause = 0
        self.count = 0
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self._sink = sink
        self._counting = False
        self._limit = 0 if keep else 2 * window
        self._rows: list[Row] = []
        self._fresh: list[dict[str, Any]] = []  # recorded, and not made a Row yet
        self._pending: list[bytes] = []  # encoded, and not handed on yet
        self._digest = hashlib.sha256()
        self._listeners: list[Callable[[Row], None]] = []

    def record(
        self, t: int, kind: str, subject: str, *, cause: int | None = None, **data: Any
    ) -> int:
        """Adds a row and gives its number back. Raises ValueError for what JSON cannot say.

        Without `cause` the row follows from the current one and becomes it; with one it hangs off
        that row and the current cause stays (siblings of a loop).
        """
        self.count = n = self.count + 1
        if cause is None:
            cause, self.cause = self.cause, n
        if self._counting:
            self.counts[kind] += 1
            if kind == "event":
                self.reasons[data["reason"]] += 1
            return n
        data["n"] = n
        data["t"] = t
        data["cause"] = cause
        data["kind"] = kind
        data["subject"] = subject
        pending = self._pending
        pending.append(encode(data))
        if len(pending) >= _CHUNK:
            self.flush()
        fresh = self._fresh
        fresh.append(data)
        if self._listeners:
            row = self.rows[-1]
            for listener in self._listeners:
                listener(row)
        elif len(fresh) > self._limit > 0:
            self._trim()
        return n

    def count_only(self) -> None:
        """From now on no row is made: rows are counted by kind, events by reason as well.

        To be said of a new journal: its header is counted and let go. Listeners hear nothing, `rows`
        is empty, and there is no digest.
        """
        self.counts.update(row.kind for row in self.rows)
        self.reasons.update(row.data["reason"] for row in self.rows if row.kind == "event")
        self._rows.clear()
        self._pending.clear()
        self._counting = True

    @property
    def rows(self) -> list[Row]:
        """The rows that are kept, the oldest first."""
        fresh, rows = self._fresh, self._rows
        if fresh:
            rows.extend(map(_row, fresh))
            fresh.clear()
            if len(rows) > self._limit > 0:
                self._trim()
        return rows

    def _trim(self) -> None:
        """Lets go of the oldest rows, so that the window remains."""
        excess = len(self._rows) + len(self._fresh) - self._limit // 2
        from_rows = min(excess, len(self._rows))
        del self._rows[:from_rows]
        del self._fresh[: excess - from_rows]

    def listen(self, listener: Callable[[Row], None]) -> None:
        """Calls `listener` with every row from now on."""
        self._listeners.append(listener)

    def flush(self) -> None:
        """Hands every line so far to the digest and the sink."""
        if not self._pending:
            return
        chunk = b"".join(self._pending)
        self._pending.clear()
        self._digest.update(chunk)
        if self._sink is not None:
            self._sink.write(chunk.decode("ascii"))

    @property
    def sha256(self) -> str:
        """The digest of every line so far, in hex; empty for a journal that only counts."""
        if self._counting:
            return ""
        self.flush()
        return self._digest.hexdigest()


def _row(data: dict[str, Any]) -> Row:
    """The row of a recorded object, which becomes its data."""
    pop = data.pop
    return Row(pop("n"), pop("t"), pop("cause"), pop("kind"), pop("subject"), data)


def read_line(line: str | bytes) -> Row:
    """The row of one line. Raises ValueError where it is none."""
    try:
        return _row(decode(line))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"not a row of a journal: {line[:80]!r}") from error


def read(lines: Iterable[str | bytes]) -> Iterator[Row]:
    """The rows of a journal, its header first. Raises ValueError: no journal, or another schema's."""
    for number, line in enumerate(lines):
        row = read_line(line)
        if number == 0:
            _check_header(row)
        yield row


def _check_header(row: Row) -> None:
    if row.kind != "world" or "schema" not in row.data:
        raise ValueError(f"a journal begins with its header, not with a row of kind {row.kind!r}")
    if (schema := row.data["schema"]) != SCHEMA:
        version = row.data.get("version", "unknown")
        raise ValueError(
            f"the journal has schema {schema}, this version reads {SCHEMA}: read it with the version "
            f"that wrote it ({version}), or make it anew from its scenario and seed"
        )
