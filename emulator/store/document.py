"""The store's words: a document, the interface of every store, and its error.

Rules: a document is a value; its body is read when it is put, so that what the caller changes
afterwards is not stored. An error is one line: what is wrong, with what value, and the mend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class StoreError(Exception):
    """The store cannot do what was asked; the text is one line and names the mend."""


@dataclass(frozen=True, slots=True)
class Document:
    """One row: `type` and `id` are its key, `body` is everything else as JSON values."""

    type: str
    id: str
    project: str
    body: dict[str, Any]


class StoreLike(Protocol):
    """What every store does. `put`, `forget` and `flush` belong to the event loop's thread."""

    @property
    def boot(self) -> int:
        """How many times the database had been opened before this opening; 0 for the first."""

    def open(self) -> tuple[Document, ...]:
        """All documents in order of first write. Raises StoreError."""

    def put(self, document: Document) -> None:
        """Queues a document; it replaces the one with its key, and keeps that one's place."""

    def forget(self, type: str, id: str) -> None:
        """Queues the removal of a document; absent is well."""

    async def flush(self) -> None:
        """Returns when everything queued before the call is committed. Raises StoreError."""

    def close(self) -> None:
        """Commits what is queued and lets go of the database; idempotent. Raises StoreError."""
