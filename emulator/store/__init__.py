"""What must survive a restart: documents, by type and id.

Rules: the store holds state, never calls. Nothing is written before `flush` or `close`; what
`flush` acknowledged survives a kill of the process (not a power cut: SQLite runs with
synchronous=NORMAL). SQL runs in one worker thread, everything else in the event loop's. SQLAlchemy
is imported when a store is opened, not before, so that importing this package is cheap.
"""

from emulator.store.document import Document, StoreError, StoreLike
from emulator.store.memory import MemoryStore
from emulator.store.store import Store
from emulator.store.urls import database_url, open_store

__all__ = [
    "Document",
    "MemoryStore",
    "Store",
    "StoreError",
    "StoreLike",
    "database_url",
    "open_store",
]
