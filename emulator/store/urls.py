"""From the text of `--database` to a database's URL and to a store.

Rules: nothing is opened or created here. A text with a scheme is a URL and is passed on as it is;
any other text but `memory` is the path of a SQLite file. No message shows a password.
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote

from emulator.places import state_directory
from emulator.store.document import StoreError, StoreLike
from emulator.store.memory import MemoryStore
from emulator.store.store import Store

MEMORY = "memory"

_URL = re.compile(r"[A-Za-z0-9+_.-]+://")
_BROKEN_URL = re.compile(r"(sqlite|postgres|postgresql|mysql|mariadb|oracle|mssql)(\+\w+)?:")


def database_url(text: str | None) -> str:
    """The URL of a database, or `memory`.

    None is the default file, `$XDG_STATE_HOME/dhemu/emulator.db`; a path (also with `~`) becomes
    the SQLite URL of its absolute form. Raises StoreError for a text that is neither.
    """
    if text is None:
        return _sqlite(str(state_directory() / "emulator.db"))
    if text == MEMORY or _URL.match(text):
        return text
    if not text.strip() or "\0" in text:
        raise StoreError(f'--database "{text!a:.40}" is no name: give a file, "memory" or a URL')
    if _BROKEN_URL.match(text):
        scheme = text.partition(":")[0]
        raise StoreError(
            f'--database: a URL of "{scheme}" needs "//" after its colon: write '
            "sqlite:///FILE or postgresql://USER@HOST/NAME"
        )
    return _sqlite(os.path.abspath(os.path.expanduser(text)))


def open_store(text: str | None) -> StoreLike:
    """The store that the text names, to be opened by its `open`. Raises StoreError."""
    url = database_url(text)
    return MemoryStore() if url == MEMORY else Store(url)


def _sqlite(path: str) -> str:
    return "sqlite:///" + quote(path, safe="/\\: ")
