"""What `open` refuses: each with one line that says what, which value, and the mend."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from emulator.store import Store, StoreError, database_url


def refusal(text: str) -> str:
    """The message of the refused opening."""
    with pytest.raises(StoreError) as refused:
        Store(database_url(text)).open()
    message = str(refused.value)
    assert "\n" not in message
    return message


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """A database of ours, closed."""
    path = tmp_path / "ours.db"
    store = Store(database_url(str(path)))
    store.open()
    store.close()
    return path


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Buy milk. " * 1000)
    message = refusal(str(path))
    assert message.startswith(f"{path} cannot be used (file is not a database)")
    assert "move it away" in message
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_another_product(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    execute(path, "CREATE TABLE orders (id)", "CREATE TABLE articles (id)")
    before = path.read_bytes()
    assert refusal(str(path)) == (
        f"{path} is the database of another product (tables: articles, orders): "
        "move the file away or give another --database"
    )
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["shop.db"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE meta SET value = 'something-else' WHERE key = 'product'",
        "DELETE FROM meta",
        "DROP TABLE meta",
        "ALTER TABLE meta RENAME COLUMN value TO worth",
    ],
)
def test_not_our_meta(ours: Path, statement: str) -> None:
    execute(ours, statement)
    assert f"{ours} is the database of another product" in refusal(str(ours))


@pytest.mark.parametrize("version", ["2", "0", ""])
def test_another_schema_version(ours: Path, version: str) -> None:
    execute(ours, f"UPDATE meta SET value = '{version}' WHERE key = 'schema_version'")
    assert refusal(str(ours)) == (
        f"{ours} has schema version {version}, and this emulator reads and writes 1: "
        "move the file away or give another --database"
    )


@pytest.mark.parametrize(
    "statement", ["DROP TABLE documents", "UPDATE meta SET value = 'x' WHERE key = 'boot'"]
)
def test_damaged(ours: Path, statement: str) -> None:
    execute(ours, statement)
    assert "is damaged" in refusal(str(ours))


def test_a_refused_opening_counts_no_boot_and_holds_nothing(ours: Path) -> None:
    execute(ours, "UPDATE meta SET value = '2' WHERE key = 'schema_version'")
    refusal(str(ours))
    execute(ours, "UPDATE meta SET value = '1' WHERE key = 'schema_version'")
    store = Store(database_url(str(ours)))
    store.open()
    assert store.boot == 1
    store.close()


def test_in_use(ours: Path, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(ours)
    store = Store(database_url(str(ours)))
    store.open()
    for name in ("ours.db", "link.db"):
        assert refusal(str(tmp_path / name)) == (
            f"{ours} is in use by another emulator (pid {os.getpid()}): "
            "stop it, or give another --database"
        )
    store.close()
    store.open()
    store.close()


def test_a_lock_file_without_a_lock_is_no_hindrance(ours: Path) -> None:
    lock = Path(f"{ours}.lock")
    lock.write_text("999999999 left by one that was killed\n")
    store = Store(database_url(str(ours)))
    store.open()
    assert lock.read_text() == f"{os.getpid()}\n"
    store.close()
    assert not lock.exists()


def test_missing_directories_are_created(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.db"
    store = Store(database_url(str(path)))
    store.open()
    store.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_directory_in_its_place(tmp_path: Path) -> None:
    assert f"{tmp_path} cannot be used (is a directory)" in refusal(str(tmp_path))


def test_a_file_in_its_directory_s_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "x.db"
    message = refusal(str(path))
    assert message.startswith(f"{path} cannot be used (")
    assert "check its path, its permissions" in message


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="every path is writable for root"
)
@pytest.mark.parametrize("what", ["file", "directory"])
def test_not_writable(ours: Path, what: str) -> None:
    target, mode = (ours, 0o400) if what == "file" else (ours.parent, 0o500)
    before = target.stat().st_mode
    target.chmod(mode)
    try:
        message = refusal(str(ours))
    finally:
        target.chmod(before)
    assert message.startswith(f"{ours} cannot be used (permission denied)")


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("://", "is not a URL (Could not parse SQLAlchemy URL from given URL string)"),
        ("postgresql://ada@host:port/x", "is not a URL (invalid literal"),
        ("postgres://host/x", 'the database "postgres" is not supported'),
        ("mysql://host/x", 'the database "mysql" is not supported'),
        ("postgresql+asyncpg://host/x", '"postgresql+asyncpg" is not supported'),
        ("sqlite://x.db", "a file has no host: write sqlite:///FILE"),
        ("sqlite://", 'has no file: give "memory"'),
        ("sqlite:///:memory:", 'has no file: give "memory"'),
        ("sqlite:///file:x.db?uri=true", 'a "file:" name is not supported'),
    ],
)
def test_urls(url: str, part: str) -> None:
    with pytest.raises(StoreError, match=r"^[^\n]*$") as refused:
        Store(url).open()
    assert part in str(refused.value)
    assert url.rpartition("@")[2] in str(refused.value)


def test_parameters_of_a_url(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"{tmp_path}/x\.db cannot be used .*soon"):
        Store(f"sqlite:///{tmp_path}/x.db?timeout=soon").open()
    with pytest.raises(StoreError, match=r'the parameter "colour" is not known: leave it out'):
        Store(f"sqlite:///{tmp_path}/x.db?colour=red").open()


@pytest.mark.parametrize("url", ["mysql://ada:hush@h/x", "postgresql://ada:hu/sh@h:port/x"])
def test_no_message_shows_a_password(url: str) -> None:
    with pytest.raises(StoreError) as refused:
        Store(url).open()
    assert "sh@" not in str(refused.value)
    assert "***@" in str(refused.value)


def test_a_missing_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"^[^\n]*$") as refused:
        Store("postgresql://ada:hush@host/x?password=hush").open()
    message = str(refused.value)
    assert 'install "digitalhub-emulator[postgresql]"' in message
    assert "ada" in message
    assert "hush" not in message
