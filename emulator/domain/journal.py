"""The journal: the ordered record of everything that happened in a world.

Rules: a row has a number `n`, a time `t` (integer nanoseconds since the world began), a `cause` (the
number of the row that led to it, 0 for none), a `kind`, a `subject` and data. Rows are canonical JSON
lines (sorted keys, no blanks, ASCII), so that the same world is the same bytes; `sha256` is over
those bytes, header included. What user code answers, and wall time, stay out of it.

Whoever runs a callback sets `cause` to what it was when the callback was scheduled (the kernel does);
`record` takes it from there and becomes the cause of what follows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

SCHEMA = 1

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


class Sink(Protocol):
    """Where the journal's lines go."""

    def write(self, line: str) -> object:
        """Takes one line, its newline included."""


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
        return (
            _encode(
                {
                    **self.data,
                    "cause": self.cause,
                    "kind": self.kind,
                    "n": self.n,
                    "subject": self.subject,
                    "t": self.t,
                }
            )
            + "\n"
        )

    def __repr__(self) -> str:
        return f"Row({self.line().rstrip()})"


class Journal:
    """Collects rows, hashes them, and hands them to a sink and to listeners.

    With `keep` the rows stay readable in `rows`; without, only the last `window` of them do.
    """

    def __init__(
        self, *, sink: Sink | None = None, keep: bool = True, window: int = 10_000
    ) -> None:
        self.rows: list[Row] = []
        self.cause = 0
        self.count = 0
        self._sink = sink
        self._keep = keep
        self._window = window
        self._digest = hashlib.sha256()
        self._listeners: list[Callable[[Row], None]] = []

    def record(
        self, t: int, kind: str, subject: str, *, cause: int | None = None, **data: Any
    ) -> int:
        """Adds a row and gives its number back.

        Without `cause` the row follows from the current one and becomes it; with one it hangs off
        that row and the current cause stays (siblings of a loop).
        """
        self.count += 1
        row = Row(self.count, t, self.cause if cause is None else cause, kind, subject, data)
        if cause is None:
            self.cause = row.n
        line = row.line()
        self._digest.update(line.encode())
        if self._sink is not None:
            self._sink.write(line)
        self.rows.append(row)
        if not self._keep and len(self.rows) > 2 * self._window:
            del self.rows[: -self._window]
        for listener in self._listeners:
            listener(row)
        return row.n

    def listen(self, listener: Callable[[Row], None]) -> None:
        """Calls `listener` with every row from now on."""
        self._listeners.append(listener)

    @property
    def sha256(self) -> str:
        """The digest of every line so far, in hex."""
        return self._digest.hexdigest()


def read_line(line: str) -> Row:
    """The row of one line. Raises ValueError where it is none."""
    try:
        data = json.loads(line)
        head = [data.pop(key) for key in ("n", "t", "cause", "kind", "subject")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a row of a journal: {line[:80]!r}") from error
    return Row(head[0], head[1], head[2], head[3], head[4], data)
