"""The store on PostgreSQL, each test in a database of its own."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from postgresql_server import empty_database, need_driver, served
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from emulator.store import Document, Store, StoreError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def driver() -> None:
    need_driver()


@pytest.fixture(scope="session")
def postgresql(driver: None) -> Iterator[URL]:
    with served() as url:
        yield url


@pytest.fixture
def database(postgresql: URL) -> Iterator[str]:
    with empty_database(postgresql) as url:
        yield url


@pytest.fixture
def server(database: str) -> Iterator[Engine]:
    """What other programs do to the database."""
    engine = create_engine(database, poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = Store(database)
    assert store.open() == ()
    yield store
    store.close()


def run(name: str, n: int = 0) -> Document:
    return Document("run", name, "p", {"n": n, "text": "è\0\ud800"})


async def put_and_flush(store: Store, document: Document) -> None:
    store.put(document)
    await store.flush()


def end_connections(server: Engine) -> None:
    with server.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_documents_order_and_boot(store: Store) -> None:
    for name in "cab":
        store.put(run(name))
    asyncio.run(store.flush())
    store.put(run("a", 1))
    store.forget("run", "c")
    asyncio.run(store.flush())
    store.put(run("c", 2))
    store.close()
    assert store.open() == (run("a", 1), run("b"), run("c", 2))
    assert store.boot == 1


def test_in_use(store: Store, database: str) -> None:
    with pytest.raises(StoreError, match=rf"in use by another emulator \(dhemu pid {os.getpid()} "):
        Store(database).open()
    store.close()
    store.open()


def test_tables_of_others_stay_and_ours_are_told_apart(server: Engine, database: str) -> None:
    with server.begin() as connection:
        connection.execute(text("CREATE TABLE meta (id integer)"))
    with pytest.raises(StoreError, match=r"another product \(tables: meta\): give another"):
        Store(database).open()
    with server.begin() as connection:
        connection.execute(text("DROP TABLE meta"))
        connection.execute(text("CREATE TABLE orders (id integer)"))
    store = Store(database)
    assert store.open() == ()
    store.close()


def test_a_lost_connection_is_made_anew_and_nothing_is_lost(
    store: Store, server: Engine, database: str
) -> None:
    asyncio.run(put_and_flush(store, run("a")))
    end_connections(server)
    with pytest.raises(StoreError, match="cannot be used"):
        asyncio.run(put_and_flush(store, run("b")))
    asyncio.run(store.flush())
    with pytest.raises(StoreError, match="in use"):
        Store(database).open()
    store.close()
    assert store.open() == (run("a"), run("b"))


def test_who_was_displaced_while_cut_off_writes_no_more(
    store: Store, server: Engine, database: str
) -> None:
    end_connections(server)
    other = Store(database)
    other.open()
    with pytest.raises(StoreError, match="cannot be used"):
        asyncio.run(put_and_flush(store, run("a")))
    with pytest.raises(StoreError, match="in use"):
        asyncio.run(store.flush())
    other.close()
    with pytest.raises(StoreError, match="taken over by another emulator"):
        asyncio.run(store.flush())
    with pytest.raises(StoreError, match="closed with unsaved changes"):
        store.close()
    assert other.open() == ()
    other.close()


@pytest.mark.usefixtures("driver")
def test_no_server() -> None:
    with pytest.raises(StoreError, match=r"^[^\n]*check that the server runs[^\n]*$"):
        Store("postgresql://127.0.0.1:1/x?connect_timeout=1").open()
