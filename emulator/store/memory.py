"""The store of a world that shall not survive: `--database memory`.

Rules: what is put can be read by nobody after the process, so nothing is kept and nothing costs
anything: `open` answers no documents and boot 0, always.
"""

from __future__ import annotations

from emulator.store.document import Document, StoreError


class MemoryStore:
    """The interface of `Store`, keeping nothing."""

    def __init__(self) -> None:
        self.boot = 0
        self._open = False

    def open(self) -> tuple[Document, ...]:
        if self._open:
            raise StoreError("the store is open already: close it before opening it again")
        self._open = True
        return ()

    def put(self, document: Document) -> None:
        self._check()

    def forget(self, type: str, id: str) -> None:
        self._check()

    async def flush(self) -> None:
        self._check()

    def close(self) -> None:
        self._open = False

    def _check(self) -> None:
        if not self._open:
            raise StoreError("the store is not open: open it first")
