"""The canonical form of a line: one text for a row, however it comes about."""

from __future__ import annotations

import json
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.domain.journal_lines import _spell, decode, encode

texts = st.text(max_size=12) | st.text(st.characters(), max_size=6)  # lone surrogates as well
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_the_fast_way_and_the_slow_way_say_the_same(row: dict[str, Any]) -> None:
    line = encode(row)
    assert line == f"{_spell(row)}\n".encode()
    assert line.isascii()


plain = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    max_size=5,
)


@given(plain)
def test_without_floats_it_is_what_the_standard_library_writes_but_for_del(
    row: dict[str, Any],
) -> None:
    text = json.dumps(row, sort_keys=True, separators=(",", ":"))
    assert json.loads(encode(row)) == row
    if "\x7f" not in "".join(map(str, [*row, *row.values()])):
        assert encode(row).decode() == f"{text}\n"


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        ("\ud800", r'"\ud800"'),
        ("\U0001f600", r'"\ud83d\ude00"'),
        ("\x7f\x1f\n", '"\x7f\\u001f\\n"'),
        (0.00001, "0.00001"),
        (1e16, "1e+16"),
        ((1, [2.5]), "[1,[2.5]]"),
        (Colour.RED, '"red"'),
        (Level.LOW, "1"),
        ({"b": 1, "a": None}, '{"a":null,"b":1}'),
    ],
)
def test_values(value: object, text: str) -> None:
    assert encode({"v": value}) == f'{{"v":{text}}}\n'.encode()
    assert encode({"v": value, "w": "\u00fc"}) == f'{{"v":{text},"w":"\\u00fc"}}\n'.encode()


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("-inf"),
        [float("inf")],
        {"deep": ({"er": float("nan")},)},
        object(),
        Path("x"),
        {1: 2},
        {1: 2, "a": 3},
        b"bytes",
    ],
)
def test_what_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({"v": value})


@pytest.mark.parametrize("line", ["[]", "1", "", "{"])
def test_only_objects_are_lines(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(line)
