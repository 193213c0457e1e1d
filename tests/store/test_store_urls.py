"""`--database`: what its text means, and which texts are refused."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.store import Document, MemoryStore, Store, StoreError, database_url, open_store


def test_default_is_a_file_in_the_state_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert database_url(None) == f"sqlite:///{tmp_path}/dhemu/emulator.db"


@pytest.mark.parametrize("ignored", ["", "relative/state"])
def test_default_without_a_usable_state_directory(
    monkeypatch: pytest.MonkeyPatch, ignored: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", ignored)
    monkeypatch.setenv("HOME", "/home/ada")
    assert database_url(None) == "sqlite:////home/ada/.local/state/dhemu/emulator.db"


def test_texts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    assert database_url("memory") == "memory"
    assert database_url("x.db") == f"sqlite:///{tmp_path}/x.db"
    assert database_url("/var/x.db") == "sqlite:////var/x.db"
    assert database_url("~/x.db") == "sqlite:////home/ada/x.db"
    for url in ("sqlite:///x.db", "postgresql://ada@host/name", "postgresql+psycopg://host/name"):
        assert database_url(url) == url


@pytest.mark.parametrize("text", ["", "  ", "a\0b", "postgresql:/host/name", "sqlite:x.db"])
def test_refused_texts(text: str) -> None:
    with pytest.raises(StoreError, match=r"^--database.*(give|write) [^\n]*$"):
        database_url(text)


@pytest.mark.parametrize("name", ["a b.db", "100%25.db", "what?.db", "a#b@c+d.db", "è.db"])
def test_any_path_is_the_file_that_is_used(tmp_path: Path, name: str) -> None:
    store = open_store(str(tmp_path / name))
    store.open()
    store.close()
    assert os.listdir(tmp_path) == [name]


def test_open_store_chooses_the_kind(tmp_path: Path) -> None:
    assert isinstance(open_store("memory"), MemoryStore)
    assert isinstance(open_store(str(tmp_path / "x.db")), Store)
    assert os.listdir(tmp_path) == []


def test_memory() -> None:
    store = MemoryStore()
    assert (store.open(), store.boot) == ((), 0)
    store.put(Document("run", "r", "p", {}))
    store.forget("run", "r")
    asyncio.run(store.flush())
    with pytest.raises(StoreError, match="open already"):
        store.open()
    store.close()
    store.close()
    with pytest.raises(StoreError, match="not open"):
        store.put(Document("run", "r", "p", {}))
    assert (store.open(), store.boot) == ((), 0)


def test_importing_the_package_is_cheap() -> None:
    code = "import emulator.store, sys; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
