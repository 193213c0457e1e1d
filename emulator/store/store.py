"""The store on a database: a queue in the event loop, group commit in one worker thread.

Rules: the queue belongs to the event loop's thread, the database to the worker's. One batch is in
flight at a time; who flushes meanwhile waits for the next one, and all who wait for a batch share
its transaction. A batch that failed goes back to the head of the queue. A bad document is refused
by `put`, so that no batch fails for its content. No event loop is kept: what one left behind in
flight is settled by the next `flush` or by `close`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.store.batch import Batch, Row
from emulator.store.document import Document, StoreError

if TYPE_CHECKING:
    from emulator.store.database import Database

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(slots=True, eq=False)
class _Flight:
    """A batch that the worker writes, and who waits for it."""

    batch: Batch
    waiters: list[asyncio.Future[None]]
    outcome: Future[None]


class Store:
    """Documents in a database (SQLite or PostgreSQL), by SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        """`url` is a SQLAlchemy URL; it is read by `open`."""
        self.boot = 0
        self._url = url
        self._database: Database | None = None
        self._worker: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seq = 0
        self._queued = Batch()
        self._waiters: list[asyncio.Future[None]] = []
        self._flight: _Flight | None = None

    def open(self) -> tuple[Document, ...]:
        """Takes the database for this process; all documents in order of first write.

        Creates what is missing (directory, file, tables), counts the opening in `boot`, and blocks
        until that is done. Raises StoreError when the database is not ours, is in use by another
        emulator, or cannot be reached.
        """
        if self._worker is not None:
            raise StoreError("the store is open already: close it before opening it again")
        worker = ThreadPoolExecutor(1, thread_name_prefix="store")
        try:
            self._database, rows = worker.submit(_open, self._url).result()
        except BaseException:
            worker.shutdown()
            raise
        self._worker = worker
        self.boot = self._database.boot
        self._seq = rows[-1]["seq"] if rows else 0
        return tuple(_document(row) for row in rows)

    def put(self, document: Document) -> None:
        """Queues a document as it is now.

        Raises StoreError for one that the database could not hold: a body with a value that JSON
        does not have, a NUL character or half a surrogate pair in its other fields.
        """
        self._seq += 1
        self._queue().put(
            Row(
                type=_text(document, "type", document.type),
                id=_text(document, "id", document.id),
                project=_text(document, "project", document.project),
                seq=self._seq,
                body=_body(document),
            )
        )

    def forget(self, type: str, id: str) -> None:
        """Queues the removal of a document; absent is well."""
        self._queue().forget((type, id))

    async def flush(self) -> None:
        """Returns when everything queued before the call is committed.

        Raises StoreError when the write failed; what was queued is kept and tried again with the
        next flush.
        """
        queued = self._queue()
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._settle()
            self._loop = loop
            self._waiters = []
            queued = self._queued
        if queued:
            waiters = self._waiters
            if not waiters and self._flight is None:
                # At the end of the tick, so that all who flush in it share one transaction.
                loop.call_soon(self._start)
        elif self._flight is not None:
            waiters = self._flight.waiters
        else:
            return
        waiter = loop.create_future()
        waiters.append(waiter)
        await waiter

    def close(self) -> None:
        """Commits what is queued and releases the database; idempotent.

        Raises StoreError when the last write failed: the database is released all the same, and
        what was queued is lost.
        """
        if self._worker is None or self._database is None:
            return
        self._settle()
        error: BaseException | None = None
        try:
            if self._queued:
                last = self._worker.submit(self._database.write, self._queued)
                error = last.exception()
            self._worker.submit(self._database.close).result()
        finally:
            self._worker.shutdown()
            self._worker = self._database = self._loop = None
            _answer(self._waiters, error)
            self._queued, self._waiters, self._flight = Batch(), [], None
        if error is not None:
            raise StoreError(f"{error}; closed with unsaved changes") from error

    def _queue(self) -> Batch:
        if self._worker is None:
            raise StoreError("the store is not open: open it first")
        return self._queued

    def _start(self) -> None:
        """Hands the queue to the worker, unless it is busy or there is nothing to do."""
        if self._worker is None or self._database is None or self._loop is None:
            return
        if self._flight is not None or not self._queued:
            return
        batch, waiters, loop = self._queued, self._waiters, self._loop
        self._queued, self._waiters = Batch(), []
        outcome = self._worker.submit(self._database.write, batch)
        flight = self._flight = _Flight(batch, waiters, outcome)

        def report(_: Future[None]) -> None:
            try:
                loop.call_soon_threadsafe(self._landed, flight)
            except RuntimeError:  # the loop is closed: the next flush, or close, settles it
                return

        outcome.add_done_callback(report)

    def _landed(self, flight: _Flight) -> None:
        if flight is not self._flight:
            return
        self._flight = None
        error = flight.outcome.exception()
        if error is not None:
            self._queued = flight.batch.followed_by(self._queued)
        _answer(flight.waiters, error)
        if self._waiters:
            self._start()

    def _settle(self) -> None:
        """Waits, blocking, until nothing is in flight."""
        while self._flight is not None:
            wait([self._flight.outcome])
            self._landed(self._flight)


def _open(url: str) -> tuple[Database, list[Row]]:
    from emulator.store.database import Database

    database = Database(url)
    return database, database.open()


def _answer(waiters: Iterable[asyncio.Future[None]], error: BaseException | None) -> None:
    for waiter in waiters:
        if waiter.done() or waiter.get_loop().is_closed():
            continue
        if error is None:
            waiter.set_result(None)
        elif isinstance(error, StoreError):
            # One exception each: a raised one carries its raiser's traceback.
            waiter.set_exception(StoreError(*error.args))
        else:
            waiter.set_exception(error)


def _document(row: Row) -> Document:
    return Document(row["type"], row["id"], row["project"], json.loads(row["body"]))


def _body(document: Document) -> str:
    try:
        return _encode(document.body)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            f"{document.type} {document.id!a}: its body is not JSON ({error}): "
            "use null, booleans, finite numbers, strings, lists and objects"
        ) from error


def _text(document: Document, field: str, value: str) -> str:
    try:
        if "\0" not in value and (value.isascii() or value.encode()):
            return value
    except UnicodeEncodeError:
        pass
    raise StoreError(
        f"{document.type!a} {document.id!a}: its {field} {value!a} cannot be stored: "
        "leave out NUL characters and unpaired surrogates"
    )
