"""What keeps a server from starting: one sentence that names the setting and the mend."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from emulator.domain.quirks import DOCUMENTED
from emulator.server import CannotStart, ServerSettings, listen, running


def _refusal(**settings: str) -> str:
    """Why a server with these settings does not start."""

    async def start() -> None:
        with listen("127.0.0.1", 0) as sock:
            async with running(ServerSettings(DOCUMENTED, **settings), sock):  # type: ignore[arg-type]  # texts all
                pytest.fail("it has started")

    with pytest.raises(CannotStart) as refused:
        asyncio.run(start())
    text = str(refused.value)
    assert "\n" not in text
    return text


def _start_once(database: Path) -> None:
    async def start() -> None:
        with listen("127.0.0.1", 0) as sock:
            async with running(ServerSettings(DOCUMENTED, database=str(database)), sock):
                pass

    asyncio.run(start())


def test_a_port_that_is_in_use() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"--port {port}: .* choose another --port"):
            listen("127.0.0.1", port)


def test_a_host_that_is_not_ours() -> None:
    with pytest.raises(CannotStart, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 0)


def test_a_database_in_use(tmp_path: Path) -> None:
    database = tmp_path / "emulator.db"

    async def both() -> None:
        settings = ServerSettings(DOCUMENTED, database=str(database))
        with listen("127.0.0.1", 0) as one, listen("127.0.0.1", 0) as two:
            async with running(settings, one):
                with pytest.raises(CannotStart, match=r"in use .* another --database"):
                    async with running(settings, two):
                        pytest.fail("it has started")

    asyncio.run(both())


def test_a_database_of_another_version(tmp_path: Path) -> None:
    database = tmp_path / "emulator.db"
    _start_once(database)
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    text = _refusal(database=str(database))
    assert str(database) in text
    assert "99" in text


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    database = tmp_path / "notes.txt"
    database.write_text("this is no database at all\n" * 100)
    assert str(database) in _refusal(database=str(database))
    assert database.read_text().startswith("this is no database")


def test_a_place_that_is_none(tmp_path: Path) -> None:
    database = tmp_path / "missing" / "deeper" / "emulator.db"
    (tmp_path / "missing").write_text("a file")
    assert "emulator.db" in _refusal(database=str(database))


@pytest.mark.parametrize("text", ["172.16.0.0/99", "nonsense", "172.16.0.0/31", "fd00::/64", ""])
def test_a_service_range_that_is_none(text: str) -> None:
    assert _refusal(database="memory", service_range=text).startswith(f"--service-range {text}: ")


def test_nothing_is_held_after_a_refusal(tmp_path: Path) -> None:
    database = tmp_path / "emulator.db"
    _refusal(database=str(database), service_range="nonsense")
    assert not Path(f"{database}.lock").exists()
    _start_once(database)
