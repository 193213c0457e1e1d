"""One emulator per database file: a lock beside it.

Rules: the lock is flock(2) on `<file>.lock`, so it ends with its process however that ends; the pid
in the file is for the message only. The file is removed on release; whoever has locked a file that
was removed meanwhile tries again with the new one. Where there is no flock (Windows) there is no
lock.
"""

from __future__ import annotations

import os
import sys

from emulator.store.document import StoreError

if sys.platform != "win32":
    import fcntl


class FileLock:
    """The right to use the database file `database`, from `acquire` to `release`."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._path = database + ".lock"
        self._fd: int | None = None

    def acquire(self) -> None:
        """Takes the lock without waiting. Raises StoreError when another holds it, OSError."""
        if sys.platform == "win32":
            return
        while self._fd is None:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                self._lock(fd)
                if self._is_at_path(fd):
                    os.ftruncate(fd, 0)
                    os.write(fd, b"%d\n" % os.getpid())
                    self._fd, fd = fd, -1
            finally:
                if fd >= 0:
                    os.close(fd)

    def release(self) -> None:
        """Gives the lock back; without one, nothing."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            if self._is_at_path(fd):
                os.unlink(self._path)
            os.close(fd)

    def _lock(self, fd: int) -> None:
        if sys.platform == "win32":
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(fd, 32, 0).strip().decode("ascii", "replace")
            holder = f" (pid {pid})" if pid else ""
            raise StoreError(
                f"{self._database} is in use by another emulator{holder}: "
                "stop it, or give another --database"
            ) from None

    def _is_at_path(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), os.stat(self._path))
        except FileNotFoundError:
            return False
