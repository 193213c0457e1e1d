"""What differs between SQLite and PostgreSQL: URL, lock, settings, upsert, words.

Rules: a backend holds no connection; it is handed one. `label` names the database in messages,
without a password. The mends of known failures are one table per backend.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Insert, Table, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError

from emulator.store.document import StoreError
from emulator.store.filelock import FileLock

#: How long a write waits for another program that holds the SQLite file, in seconds.
BUSY_TIMEOUT = 5.0
#: How long the PostgreSQL server may take to accept a connection, in seconds.
CONNECT_TIMEOUT = 10
#: The advisory lock of an emulator: the bytes "dhemu-db".
ADVISORY_LOCK = int.from_bytes(b"dhemu-db", "big")

_FORMS = "give a file, memory, sqlite:///FILE or postgresql://USER@HOST/NAME"


class Backend(Protocol):
    """One database system."""

    url: URL
    label: str
    connect_args: dict[str, Any]
    shared: bool  # whether tables of other products may live in the same database
    elsewhere: str  # the mend for a database that is not ours

    def upsert(self, table: Table, keys: Sequence[str], kept: Sequence[str]) -> Insert:
        """An insert that updates a row that is there, but neither its keys nor what it keeps."""

    def lock(self) -> None:
        """Before the first connection. Raises StoreError when another emulator has it, OSError."""

    def connected(self, connection: Connection) -> None:
        """With every new connection, before anything else."""

    def prepare(self, connection: Connection) -> None:
        """Once the database is known to be ours."""

    def begin(self, connection: Connection) -> None:
        """At the start of a transaction that changes the schema."""

    def unlock(self) -> None:
        """After the last connection; idempotent."""

    def explain(self, reason: str) -> str:
        """The message for a failure of the driver."""

    def missing_driver(self, error: ImportError) -> str:
        """The message for a driver that cannot be imported."""


def backend(url: str) -> Backend:
    """The backend of a SQLAlchemy URL. Raises StoreError."""
    shown = re.sub(r"//.*@", "//***@", url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f'--database "{shown}" is not a URL ({reason}): {_FORMS}') from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return SQLite(parsed, shown)
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return PostgreSQL(parsed)
    raise StoreError(
        f'--database "{shown}": the database "{parsed.drivername}" is not supported: {_FORMS}'
    )


class SQLite:
    """A file."""

    shared = False
    elsewhere = "move the file away or give another --database"

    def __init__(self, url: URL, shown: str) -> None:
        path = url.database or ""
        if url.host or url.username or url.password or url.port:
            raise StoreError(f'--database "{shown}": a file has no host: write sqlite:///FILE')
        if path in ("", ":memory:"):
            raise StoreError(f'--database "{shown}" has no file: give "memory" or sqlite:///FILE')
        if path.startswith("file:") or "uri" in url.query:
            raise StoreError(f'--database "{shown}": a "file:" name is not supported: {_FORMS}')
        for name in url.query:
            if name != "timeout":
                raise StoreError(
                    f'--database "{shown}": the parameter "{name}" is not known: leave it out '
                    '(known is "timeout", in seconds)'
                )
        self.label = os.path.realpath(path)
        self.url = url.set(drivername="sqlite+pysqlite", database=self.label)
        self.connect_args = {} if "timeout" in url.query else {"timeout": BUSY_TIMEOUT}
        self._lock = FileLock(self.label)

    def upsert(self, table: Table, keys: Sequence[str], kept: Sequence[str]) -> Insert:
        statement = sqlite.insert(table)
        changed = {c.name: c for c in statement.excluded if c.name not in {*keys, *kept}}
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)

    def lock(self) -> None:
        os.makedirs(os.path.dirname(self.label), mode=0o700, exist_ok=True)
        if os.path.isdir(self.label):
            raise IsADirectoryError(0, "is a directory")
        self._lock.acquire()
        # Secrets live in it, so it is its owner's alone. Closing a descriptor of a SQLite file
        # drops the locks that this process has on it: only the holder of our lock may do this.
        os.close(os.open(self.label, os.O_RDWR | os.O_CREAT, 0o600))

    def connected(self, connection: Connection) -> None:
        return

    def prepare(self, connection: Connection) -> None:
        # Not through the connection's transactions: inside one these have no effect.
        cursor = connection.connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=OFF"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin(self, connection: Connection) -> None:
        # The driver begins a transaction by itself only before it writes rows.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def unlock(self) -> None:
        self._lock.release()

    def explain(self, reason: str) -> str:
        for known, mend in (
            ("not a database", "it is not a SQLite database: move it away or give another one"),
            ("locked", "another program holds it: end that program's transaction"),
            ("full", "make room on its disk"),
            ("malformed", "it is damaged: put a copy in its place, or give another --database"),
            ("", "check its path, its permissions and its disk, or give another --database"),
        ):
            if known in reason:
                return f"{self.label} cannot be used ({reason}): {mend}"
        raise AssertionError("the last rule always speaks")

    def missing_driver(self, error: ImportError) -> str:
        return f"this Python has no sqlite3 ({error}): use one that has it, or --database memory"


class PostgreSQL:
    """A server, through psycopg."""

    shared = True
    elsewhere = "give another --database"

    def __init__(self, url: URL) -> None:
        self.url = url.set(drivername="postgresql+psycopg")
        public = url.difference_update_query(("password", "sslpassword"))
        self.label = public.render_as_string(hide_password=True)
        self.connect_args = {
            name: value
            for name, value in (
                ("connect_timeout", CONNECT_TIMEOUT),
                ("application_name", f"dhemu pid {os.getpid()} on {socket.gethostname()}"[:63]),
            )
            if name not in url.query
        }

    def upsert(self, table: Table, keys: Sequence[str], kept: Sequence[str]) -> Insert:
        statement = postgresql.insert(table)
        changed = {c.name: c for c in statement.excluded if c.name not in {*keys, *kept}}
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)

    def lock(self) -> None:
        return

    def connected(self, connection: Connection) -> None:
        with connection.begin():
            taken = text("SELECT pg_try_advisory_lock(:key)")
            if connection.execute(taken, {"key": ADVISORY_LOCK}).scalar_one():
                return
            holder = connection.execute(
                text(
                    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
                    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
                    "AND (l.classid::bigint << 32) + l.objid::bigint = :key "
                    "AND a.datname = current_database()"
                ),
                {"key": ADVISORY_LOCK},
            ).scalar()
        named = f" ({holder})" if holder else ""
        raise StoreError(
            f"{self.label} is in use by another emulator{named}: "
            "stop it, or give another --database"
        )

    def prepare(self, connection: Connection) -> None:
        return

    def begin(self, connection: Connection) -> None:
        return

    def unlock(self) -> None:
        return

    def explain(self, reason: str) -> str:
        return (
            f"{self.label} cannot be used ({reason}): check that the server runs, has this "
            "database and lets this user in"
        )

    def missing_driver(self, error: ImportError) -> str:
        return (
            f"{self.label} needs the driver psycopg ({error}): "
            'install "digitalhub-emulator[postgresql]"'
        )
