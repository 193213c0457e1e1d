"""A PostgreSQL server for tests, and empty databases on it.

Rules: the server is the one that DHEMU_TEST_POSTGRESQL names (its user may create databases), else a
temporary cluster of the PostgreSQL on PATH, or of the newest one installed, which ends with the block
that uses it. It listens on a socket in a directory that only its owner may enter, and nowhere else:
it takes no port, and trusts who reaches it.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from envs import need
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.pool import NullPool

if sys.platform != "win32":
    import pwd

GIVEN = "DHEMU_TEST_POSTGRESQL"

_INSTALLED = Path("/usr/lib/postgresql")  # where Debian keeps what it does not put on PATH
_PROGRAMS = ("initdb", "pg_ctl")
_SECONDS = 60  # until a server that does not start or end is a failure


def need_driver() -> None:
    """See `need`. The driver may be installed and yet lack its library: only its import tells."""
    try:
        importlib.import_module("psycopg")
    except ImportError as error:
        need(False, f"the driver psycopg ({error})")


@contextmanager
def served() -> Iterator[URL]:
    """A server: the URL of a database on it, from which others are created; see `need`."""
    if given := os.environ.get(GIVEN):
        yield make_url(given).set(drivername="postgresql+psycopg")
        return
    programs = _programs()
    need(programs, f"PostgreSQL: initdb and pg_ctl are neither on PATH nor in {_INSTALLED}")
    assert programs is not None
    with _cluster(programs) as url:
        yield url


@contextmanager
def empty_database(server: URL) -> Iterator[str]:
    """The URL of a new database, which is dropped at the end, also while it is in use."""
    name = f"dhemu_test_{uuid4().hex}"
    _execute(server, f"CREATE DATABASE {name}")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(server: URL, statement: str) -> None:
    """Outside of a transaction, where databases are created and dropped."""
    engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _programs() -> Path | None:
    """The directory of the server's programs: on PATH, else the highest version installed."""
    installed = [each for each in _INSTALLED.glob("*/bin") if each.parent.name.isdigit()]
    installed.sort(key=lambda each: int(each.parent.name), reverse=True)
    on_path = [Path(each) for each in os.get_exec_path() if os.path.isabs(each)]
    for place in (*on_path, *installed):
        if all(shutil.which(name, path=str(place)) for name in _PROGRAMS):
            return place
    return None


@contextmanager
def _cluster(programs: Path) -> Iterator[URL]:
    """A server that runs within the block. Raises RuntimeError with what it said."""
    # Not pytest's own temporary directory: that is closed to another user, and too long for a socket.
    home = Path(tempfile.mkdtemp(prefix="dhemu-pg-"))
    data, log = home / "data", home / "log"
    control = [str(programs / "pg_ctl"), f"--pgdata={data}", "--wait", f"--timeout={_SECONDS}"]
    settings = f"-c listen_addresses='' -c unix_socket_directories='{home}' -c port=5432"
    quick = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    owner = _owner()
    try:
        if owner is not None:
            shutil.chown(home, owner)
        make = [str(programs / "initdb"), f"--pgdata={data}", "--username=dhemu", "--auth=trust"]
        _call([*make, "--encoding=UTF8", "--locale=C", "--no-sync"], home, owner)
        try:
            start = [*control, f"--log={log}", f"--options={settings} {quick}", "start"]
            _call(start, home, owner, log)
            query = {"host": str(home), "port": "5432"}
            yield URL.create("postgresql+psycopg", "dhemu", database="postgres", query=query)
        finally:
            if (data / "postmaster.pid").exists():
                _call([*control, "--mode=immediate", "stop"], home, owner, log)
    finally:
        shutil.rmtree(home)


def _owner() -> str | None:
    """The user for a server, which refuses to run as root; None is who we are."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    return "postgres" if "postgres" in (each.pw_name for each in pwd.getpwall()) else "nobody"


def _call(command: list[str], cwd: Path, user: str | None, log: Path | None = None) -> None:
    """Runs a program of PostgreSQL as the user. Raises RuntimeError with its words and the log."""
    around = {name: value for name, value in os.environ.items() if name[:2] not in ("PG", "LC")}
    ended = subprocess.run(
        command,
        cwd=cwd,
        env={**around, "LC_ALL": "C"},
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
        capture_output=True,
        text=True,
        timeout=2 * _SECONDS,
    )
    if ended.returncode:
        said = ended.stdout + ended.stderr
        if log is not None and log.exists():
            said += log.read_text()
        raise RuntimeError(f"{' '.join(command)} ended with {ended.returncode}:\n{said}")
