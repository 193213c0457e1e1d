"""`put`, `forget`, `flush`, `close`: what is committed, when, and in how many transactions."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from emulator.store import Document, Store, StoreError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A store, open, that waits for other programs no longer than a hundredth of a second."""
    store = Store(f"sqlite:///{path}?timeout=0.01")
    store.open()
    yield store
    store.close()


@pytest.fixture
def commits() -> Iterator[list[Connection]]:
    """Every transaction that is committed."""
    seen: list[Connection] = []

    def note(connection: Connection) -> None:
        seen.append(connection)

    event.listen(Engine, "commit", note)
    yield seen
    event.remove(Engine, "commit", note)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the database: no write succeeds."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def run(name: str, **body: Any) -> Document:
    return Document("run", name, "p", body)


def committed(path: Path) -> list[str]:
    """What another reader of the file sees: ids in order."""
    with closing(sqlite3.connect(path)) as connection:
        return [each for (each,) in connection.execute("SELECT id FROM documents ORDER BY seq")]


async def put_and_flush(store: Store, document: Document) -> None:
    store.put(document)
    await store.flush()


def test_settings_of_the_file(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert dict(connection.execute("SELECT key, value FROM meta")) == {
            "product": "digitalhub-emulator",
            "schema_version": "1",
            "boot": "0",
        }


def test_flush_commits_and_nothing_before_it_does(store: Store, path: Path) -> None:
    store.put(run("a"))
    assert committed(path) == []
    asyncio.run(store.flush())
    assert committed(path) == ["a"]
    store.forget("run", "a")
    store.forget("run", "never there")
    asyncio.run(store.flush())
    assert committed(path) == []


def test_flush_of_nothing_costs_no_transaction(store: Store, commits: list[Connection]) -> None:
    asyncio.run(store.flush())
    assert commits == []


def test_documents_come_back_in_order_of_first_write(store: Store) -> None:
    documents = [Document(kind, name, "p", {"n": 1}) for kind in ("task", "run") for name in "cab"]
    for document in documents:
        store.put(document)
    asyncio.run(store.flush())
    newer = Document("task", "a", "q", {"n": 2, "nested": {"è": [None, True, 1.5, "\0\ud800"]}})
    store.put(newer)
    store.close()
    documents[1] = newer
    assert store.open() == tuple(documents)


@pytest.mark.parametrize("flush_between", [True, False])
def test_forgotten_and_put_again_is_new(store: Store, flush_between: bool) -> None:
    for name in "ab":
        store.put(run(name))
    asyncio.run(store.flush())
    store.forget("run", "a")
    if flush_between:
        asyncio.run(store.flush())
    store.put(run("a"))
    store.close()
    assert [each.id for each in store.open()] == ["b", "a"]


def test_the_body_is_stored_as_it_was_put(store: Store) -> None:
    body: dict[str, Any] = {"state": "RUNNING"}
    store.put(Document("run", "a", "p", body))
    body["state"] = "ERROR"
    store.close()
    assert store.open()[0].body == {"state": "RUNNING"}


def test_boot_counts_the_openings(store: Store) -> None:
    boots = [store.boot]
    for _ in range(2):
        store.close()
        store.open()
        boots.append(store.boot)
    assert boots == [0, 1, 2]


def test_many_waiters_share_a_transaction(
    store: Store, path: Path, commits: list[Connection]
) -> None:
    async def many() -> None:
        await asyncio.gather(*(put_and_flush(store, run(f"{n}")) for n in range(500)))
        assert len(commits) == 1
        await asyncio.gather(*(several(n) for n in range(50)))

    async def several(writer: int) -> None:
        for n in range(10):
            await put_and_flush(store, run(f"{writer}-{n}"))

    asyncio.run(many())
    assert len(committed(path)) == 1000
    assert len(commits) <= 1 + 2 * 10


def test_who_comes_while_a_batch_is_written_shares_the_next(
    path: Path, commits: list[Connection]
) -> None:
    store = Store(f"sqlite:///{path}")
    store.open()
    commits.clear()

    async def scene() -> None:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def began(connection: Connection) -> None:
            loop.call_soon_threadsafe(begun.set)

        event.listen(Engine, "begin", began)
        try:
            with locked(path):
                first = asyncio.create_task(put_and_flush(store, run("first")))
                await begun.wait()
                same = asyncio.create_task(store.flush())  # nothing new: waits for the first batch
                await asyncio.wait([same], timeout=0)
                later = [asyncio.create_task(put_and_flush(store, run(f"{n}"))) for n in range(50)]
                await asyncio.wait(later, timeout=0)
                assert not any(task.done() for task in (first, same, *later))
            await first
            assert same.done()
            await asyncio.gather(*later)
            assert len(commits) == 2
        finally:
            event.remove(Engine, "begin", began)

    asyncio.run(scene())
    store.close()
    assert len(committed(path)) == 51


def test_a_failed_write_tells_all_who_wait_and_is_kept(store: Store, path: Path) -> None:
    async def fail() -> list[BaseException | None]:
        store.put(run("a"))
        store.put(run("b"))
        store.put(run("gone"))
        return await asyncio.gather(*(store.flush() for _ in range(3)), return_exceptions=True)

    with locked(path):
        errors = asyncio.run(fail())
        assert len({id(error) for error in errors}) == 3
        for error in errors:
            assert isinstance(error, StoreError)
            assert str(error).startswith(f"{path} cannot be used (database is locked): another")
        store.put(run("a", n=2))
        store.forget("run", "gone")
        with pytest.raises(StoreError, match="locked"):
            asyncio.run(store.flush())
    store.put(run("c"))
    asyncio.run(store.flush())
    store.close()
    assert store.open() == (run("a", n=2), run("b"), run("c"))


def test_close_that_cannot_write_says_so_and_lets_go(store: Store, path: Path) -> None:
    store.put(run("a"))
    with locked(path), pytest.raises(StoreError, match=r"locked.*closed with unsaved changes$"):
        store.close()
    store.close()
    assert store.open() == ()


def test_close_answers_who_still_waits(store: Store, path: Path) -> None:
    async def scene() -> None:
        waiting = [asyncio.create_task(put_and_flush(store, run(f"{n}"))) for n in range(3)]
        await asyncio.wait(waiting, timeout=0)
        store.put(run("last"))
        store.close()
        await asyncio.gather(*waiting)

    asyncio.run(scene())
    assert committed(path) == ["0", "1", "2", "last"]


def test_a_waiter_that_is_cancelled_takes_nothing_with_it(store: Store, path: Path) -> None:
    async def scene() -> None:
        patient = asyncio.create_task(put_and_flush(store, run("patient")))
        hasty = asyncio.create_task(put_and_flush(store, run("hasty")))
        await asyncio.wait([patient, hasty], timeout=0)
        hasty.cancel()
        await patient

    asyncio.run(scene())
    assert committed(path) == ["patient", "hasty"]


def test_what_one_event_loop_left_in_flight_the_next_finds_done(store: Store, path: Path) -> None:
    async def leave() -> None:
        task = asyncio.create_task(put_and_flush(store, run("left")))
        await asyncio.wait([task], timeout=0)

    for _ in range(20):
        asyncio.run(leave())
        asyncio.run(store.flush())
        assert committed(path) == ["left"]
        store.forget("run", "left")
        asyncio.run(store.flush())
        assert committed(path) == []


@pytest.mark.parametrize("body", [{"x": float("nan")}, {"x": {1, 2}}, {"x": b"y"}])
def test_a_body_that_is_not_json_is_refused_at_once(
    store: Store, path: Path, body: dict[str, Any]
) -> None:
    with pytest.raises(StoreError, match=r"^run 'a': its body is not JSON \(.*\): use null"):
        store.put(Document("run", "a", "p", body))
    asyncio.run(put_and_flush(store, run("b")))
    assert committed(path) == ["b"]


@pytest.mark.parametrize("field", ["type", "id", "project"])
@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_text_that_a_database_cannot_hold_is_refused_at_once(
    store: Store, field: str, value: str
) -> None:
    fields = {"type": "run", "id": "a", "project": "p", field: value}
    with pytest.raises(StoreError, match=rf"its {field} '.*' cannot be stored: leave out"):
        store.put(Document(body={}, **fields))


def test_a_store_that_is_not_open(path: Path) -> None:
    store = Store(f"sqlite:///{path}")
    with pytest.raises(StoreError, match="not open"):
        store.put(run("a"))
    with pytest.raises(StoreError, match="not open"):
        store.forget("run", "a")
    with pytest.raises(StoreError, match="not open"):
        asyncio.run(store.flush())
    store.close()
    store.open()
    with pytest.raises(StoreError, match="open already"):
        store.open()
    store.close()
    store.close()
