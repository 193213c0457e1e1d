"""What was acknowledged survives a kill (invariant 11), and the killed one's lock does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from emulator.store import Document, Store, StoreError

WRITER = """
import asyncio, sys
from emulator.store import Document, Store

async def write(store, writer):
    for n in range(1_000_000):
        store.put(Document("run", f"{writer}-{n}", "p", {"n": n, "pad": "x" * 500}))
        store.put(Document("run", f"{writer}-last", "p", {"n": n}))
        if n:
            store.forget("run", f"{writer}-{n - 1}")
        await store.flush()
        print(writer, n, flush=True)

async def main():
    store = Store(sys.argv[1])
    store.open()
    await asyncio.gather(*(write(store, writer) for writer in range(4)))

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 1000])
def test_nothing_acknowledged_is_missing_after_a_kill(tmp_path: Path, lines: int) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    command = [sys.executable, "-c", WRITER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        try:
            with pytest.raises(
                StoreError, match=rf"in use by another emulator \(pid {child.pid}\)"
            ):
                Store(url).open()
        finally:
            child.kill()
        said += child.stdout.readlines()
    acknowledged: dict[str, int] = {}
    for line in said:
        if line.endswith("\n"):  # the last one may be torn
            writer, count = line.split()
            acknowledged[writer] = int(count)
    assert acknowledged

    store = Store(url)
    found = {document.id: document for document in store.open()}
    assert store.boot == 1
    store.close()
    for writer, n in acknowledged.items():
        last = found[f"{writer}-last"].body["n"]
        # The one after the last acknowledged may have been committed too.
        assert last in (n, n + 1)
        kept = found[f"{writer}-{last}"]
        assert kept == Document("run", f"{writer}-{last}", "p", {"n": last, "pad": "x" * 500})
        assert f"{writer}-{last - 1}" not in found
