"""The database of a store, synchronous: schema, lock, loading, writing.

Rules: only `Store.open` imports this. All of it runs in one thread, on one connection that is held
for good. A database that is not ours is refused before anything in it changes. Whoever writes holds
the lock: of SQLite a file beside it, of PostgreSQL an advisory lock of the session, taken anew with
every new connection, where `boot` tells whether another emulator was there meanwhile. A batch may
be written twice; the result is the same. Every failure leaves as a StoreError.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    delete,
    exc,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.pool import NullPool

from emulator.store import backends
from emulator.store.batch import Batch, Row
from emulator.store.document import StoreError

SCHEMA_VERSION = 1
PRODUCT = "digitalhub-emulator"

SCHEMA = MetaData()
META = Table("meta", SCHEMA, Column("key", Text, primary_key=True), Column("value", Text))
DOCUMENTS = Table(
    "documents",
    SCHEMA,
    Column("type", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("project", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

_FORGET = delete(DOCUMENTS).where(
    DOCUMENTS.c.type == bindparam("of_type"), DOCUMENTS.c.id == bindparam("of_id")
)


class Database:
    """One database; `boot` is known once it is open."""

    def __init__(self, url: str) -> None:
        """Raises StoreError for a URL that cannot be used."""
        self.boot = 0
        self._backend = backends.backend(url)
        self._upsert = self._backend.upsert(DOCUMENTS, keys=("type", "id"), kept=("seq",))
        self._connection: Connection | None = None
        with self._said():
            self._engine = create_engine(
                self._backend.url, poolclass=NullPool, connect_args=self._backend.connect_args
            )

    def open(self) -> list[Row]:
        """Takes the database; its rows in order of `seq`. On an error nothing is held."""
        try:
            with self._said():
                self._backend.lock()
                connection = self._connect()
                with connection.begin():
                    self._check(connection)
                self._backend.prepare(connection)
                with connection.begin():
                    self._backend.begin(connection)
                    self.boot = self._count_boot(connection)
                    return self._load(connection)
        except BaseException:
            self.close()
            raise

    def write(self, batch: Batch) -> None:
        """Commits a batch in one transaction. Raises StoreError."""
        with self._said():
            connection = self._connection or self._reconnect()
            with connection.begin():
                if batch.forgotten:
                    keys = [{"of_type": each[0], "of_id": each[1]} for each in batch.forgotten]
                    connection.execute(_FORGET, keys)
                if batch.rows:
                    connection.execute(self._upsert, list(batch.rows.values()))

    def close(self) -> None:
        """Lets go of connection and lock; idempotent."""
        with self._said():
            try:
                self._disconnect()
                self._engine.dispose()
            finally:
                self._backend.unlock()

    def _connect(self) -> Connection:
        connection = self._connection = self._engine.connect()
        try:
            self._backend.connected(connection)
        except BaseException:
            self._disconnect()
            raise
        return connection

    def _reconnect(self) -> Connection:
        """A new connection after a lost one, if no other emulator was here in between."""
        connection = self._connect()
        self._backend.prepare(connection)
        with connection.begin():
            boot = self._meta(connection).get("boot")
        if boot != str(self.boot):
            self._disconnect()
            raise StoreError(
                f"{self._backend.label} was taken over by another emulator while the connection "
                "was lost: restart this one"
            )
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _check(self, connection: Connection) -> None:
        """Refuses a database that is not ours, or of another version; an empty one is well."""
        label, elsewhere = self._backend.label, self._backend.elsewhere
        inspector = inspect(connection)
        tables = set(inspector.get_table_names())
        if self._backend.shared:
            tables &= SCHEMA.tables.keys()
        if not tables:
            return
        columns = inspector.get_columns("meta") if "meta" in tables else []
        named = {"key", "value"} <= {column["name"] for column in columns}
        meta = self._meta(connection) if named else {}
        if meta.get("product") != PRODUCT:
            found = ", ".join(sorted(tables)[:5])
            raise StoreError(
                f"{label} is the database of another product (tables: {found}): {elsewhere}"
            )
        if meta.get("schema_version") != str(SCHEMA_VERSION):
            raise StoreError(
                f"{label} has schema version {meta.get('schema_version')}, and this emulator reads "
                f"and writes {SCHEMA_VERSION}: {elsewhere}"
            )
        if not meta.get("boot", "").isdecimal() or "documents" not in tables:
            raise StoreError(f"{label} is damaged (no boot count or no documents): {elsewhere}")

    def _count_boot(self, connection: Connection) -> int:
        SCHEMA.create_all(connection)
        before = self._meta(connection)
        if not before:
            first = {"product": PRODUCT, "schema_version": str(SCHEMA_VERSION), "boot": "0"}
            rows = [{"key": key, "value": value} for key, value in first.items()]
            connection.execute(insert(META), rows)
            return 0
        boot = int(before["boot"]) + 1
        connection.execute(update(META).where(META.c.key == "boot").values(value=str(boot)))
        return boot

    def _meta(self, connection: Connection) -> dict[str, str]:
        return {key: value or "" for key, value in connection.execute(select(META))}

    def _load(self, connection: Connection) -> list[Row]:
        rows = connection.execute(select(DOCUMENTS).order_by(DOCUMENTS.c.seq))
        return [Row(type=t, id=i, project=p, seq=s, body=b) for t, i, p, s, b in rows]

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Turns what libraries and the system raise into our error."""
        try:
            yield
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                self._disconnect()
            raise StoreError(self._backend.explain(_first_line(error.orig))) from error
        except ImportError as error:
            raise StoreError(self._backend.missing_driver(error)) from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(self._backend.explain(reason.lower())) from error
        except (exc.SQLAlchemyError, TypeError, ValueError) as error:
            raise StoreError(self._backend.explain(_first_line(error))) from error


def _first_line(error: Any) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
