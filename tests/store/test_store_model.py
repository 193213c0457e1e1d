"""The store against a dict: whatever is done to both, a reopened store holds the same."""

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulator.store import Document, Store, StoreError
from emulator.store.batch import Batch, Row

KEYS = st.tuples(st.sampled_from(["run", "task"]), st.sampled_from(["a", "B", "è\n'%s"]))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)
BODIES = st.dictionaries(st.text(max_size=5), JSON, max_size=3)


class StoreAgainstDict(RuleBasedStateMachine):
    """A dict keeps the order of first write, as the store does."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = f"{self.directory.name}/x.db"
        self.store = Store(f"sqlite:///{self.path}?timeout=0.001")
        assert self.store.open() == ()
        self.model: dict[tuple[str, str], Document] = {}
        self.boots = 0
        self.clean = True

    @rule(key=KEYS, project=st.sampled_from(["p", "q"]), body=BODIES)
    def put(self, key: tuple[str, str], project: str, body: dict[str, Any]) -> None:
        document = Document(*key, project, body)
        self.store.put(document)
        self.model[key] = document
        self.clean = False

    @rule(key=KEYS)
    def forget(self, key: tuple[str, str]) -> None:
        self.store.forget(*key)
        self.model.pop(key, None)
        self.clean = False

    @rule(callers=st.integers(1, 3))
    def flush(self, callers: int) -> None:
        async def together() -> None:
            await asyncio.gather(*(self.store.flush() for _ in range(callers)))

        asyncio.run(together())
        self.clean = True

    @precondition(lambda self: not self.clean)
    @rule()
    def flush_in_vain(self) -> None:
        with closing(sqlite3.connect(self.path)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError):
                asyncio.run(self.store.flush())

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.boots += 1
        assert self.store.open() == tuple(self.model.values())
        assert self.store.boot == self.boots
        self.clean = True

    @invariant()
    def what_was_flushed_is_in_the_file(self) -> None:
        if self.clean:
            with closing(sqlite3.connect(self.path)) as other:
                rows = other.execute("SELECT type, id FROM documents ORDER BY seq").fetchall()
            assert rows == list(self.model)

    def teardown(self) -> None:
        self.reopen()
        self.store.close()
        self.directory.cleanup()


TestStoreAgainstDict = StoreAgainstDict.TestCase
TestStoreAgainstDict.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)

CHANGES = st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), max_size=6)


@given(CHANGES, CHANGES)
def test_two_batches_as_one_are_the_changes_in_their_order(
    earlier: list[tuple[bool, str]], later: list[tuple[bool, str]]
) -> None:
    def change(batch: Batch, start: int, changes: list[tuple[bool, str]]) -> Batch:
        for seq, (is_put, name) in enumerate(changes, start):
            if is_put:
                batch.put(Row(type="run", id=name, project="p", seq=seq, body=f"{seq}"))
            else:
                batch.forget(("run", name))
        return batch

    at_once = change(change(Batch(), 0, earlier), 10, later)
    first, second = change(Batch(), 0, earlier), change(Batch(), 10, later)
    merged = first.followed_by(second)
    assert (merged.rows, merged.forgotten) == (at_once.rows, at_once.forgotten)
    untouched = change(Batch(), 10, later)
    assert second.rows == untouched.rows
