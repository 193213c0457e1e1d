"""The generated pages: the files say what the tables say, row by row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emulator.domain import docs
from emulator.domain.lifecycle import TRANSITIONS
from emulator.domain.quirk_table import TABLE
from emulator.domain.quirks import Quirk

FOLDER = Path(docs.__file__).parent


@pytest.mark.parametrize(
    ("name", "text"),
    [("LIFECYCLE.md", docs.lifecycle_markdown()), ("QUIRKS.md", docs.quirks_markdown())],
)
def test_the_file_is_what_the_table_says(name: str, text: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == text, "run python -m emulator.domain.docs"


def test_main_writes_both_files(tmp_path: Path) -> None:
    docs.main(tmp_path)
    assert {each.name: each.read_text(encoding="utf-8") for each in tmp_path.iterdir()} == {
        "LIFECYCLE.md": docs.lifecycle_markdown(),
        "QUIRKS.md": docs.quirks_markdown(),
    }


def test_the_diagram_and_the_table_have_every_transition_once() -> None:
    text = docs.lifecycle_markdown()
    arrows = re.findall(r"^    ([A-Z]+) --> ([A-Z]+): ([A-Z]+)(?: \(mends (\S+)\))?$", text, re.M)
    rows = re.findall(r"^\| ([A-Z]+) \| ([A-Z]+) \| ([A-Z]+) \|.*\| (.*) \|$", text, re.M)
    known = [
        (row.source.value, row.target.value, row.event.value, row.quirk.value if row.quirk else "")
        for row in TRANSITIONS
    ]
    assert arrows == known
    where = {"": "everywhere"} | {quirk.value: f"where `{quirk}` is off" for quirk in Quirk}
    assert rows == [(source, event, target, where[mends]) for source, target, event, mends in known]


def test_quirks_in_force_stand_apart_from_the_others() -> None:
    before, after = docs.quirks_markdown().split("belong to parts not built yet")
    for row in TABLE:
        here, there = (before, after) if row.in_force else (after, before)
        line = f"| `{row.quirk}` | {row.cause} | {row.core} | {row.documented} |"
        assert line in here
        assert f"`{row.quirk}` |" not in there


def test_every_quirk_has_exactly_one_row() -> None:
    assert sorted(row.quirk for row in TABLE) == sorted(Quirk)
