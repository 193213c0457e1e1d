"""What one transaction changes.

Rules: per key the last change counts. A transaction first removes `forgotten`, then writes `rows`,
so a document that was forgotten and put again is a new one, with a new place in the order. `seq` is
the place: a row that is already there keeps its own.
"""

from __future__ import annotations

from typing import TypedDict

Key = tuple[str, str]


class Row(TypedDict):
    """A row of the table `documents`; `body` is JSON text."""

    type: str
    id: str
    project: str
    seq: int
    body: str


class Batch:
    """Changes, coalesced."""

    __slots__ = ("forgotten", "rows")

    def __init__(self) -> None:
        self.forgotten: dict[Key, None] = {}
        self.rows: dict[Key, Row] = {}

    def __bool__(self) -> bool:
        return bool(self.rows or self.forgotten)

    def put(self, row: Row) -> None:
        """Writes a row; of the same key's earlier one it keeps the place."""
        key = (row["type"], row["id"])
        earlier = self.rows.get(key)
        if earlier is not None:
            row["seq"] = earlier["seq"]
        self.rows[key] = row

    def forget(self, key: Key) -> None:
        """Removes a row."""
        self.rows.pop(key, None)
        self.forgotten[key] = None

    def followed_by(self, later: Batch) -> Batch:
        """This batch and then the later one, as one; neither is changed."""
        whole = Batch()
        whole.forgotten = {**self.forgotten, **later.forgotten}
        whole.rows = {key: row for key, row in self.rows.items() if key not in later.forgotten}
        for row in later.rows.values():
            whole.put(row.copy())
        return whole
