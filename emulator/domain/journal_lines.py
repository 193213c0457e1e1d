"""The canonical form of a journal's line: JSON that is the same bytes for the same row, everywhere.

Rules, and the only place that holds them: one object a line, its keys sorted by code point, no blanks,
ASCII (every other character as `\\uXXXX`, in surrogate pairs beyond U+FFFF; a lone surrogate as
itself), `"`, `\\` and the control characters below U+0020 escaped in their shortest form, integers in
full, floats in the shortest digits that read back as the same number, as orjson prints them. What JSON
cannot say (NaN, infinities, keys that are no text, other types) is refused.

orjson writes what it can. What it writes otherwise, or not at all, takes `_spell`, which says the same
slowly: characters beyond ASCII, integers beyond 64 bits, lone surrogates.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import Enum
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Any

import orjson

_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_APPEND_NEWLINE
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)
_dumps = orjson.dumps

#: Types of values that may be, or hold, a float: orjson writes `null` for one that is not finite.
_SUSPECT = frozenset({float, dict, list, tuple})


def encode(row: dict[str, Any]) -> bytes:
    """The line of a row, its newline included. Raises ValueError for what JSON cannot say."""
    if not _SUSPECT.isdisjoint(map(type, row.values())):
        _check_numbers(row.values())
    try:
        line = _dumps(row, None, _OPTIONS)
    except TypeError:
        return _spelled(row)
    return line if line.isascii() else _spelled(row)


def decode(line: str | bytes) -> dict[str, Any]:
    """The object of a line. Raises ValueError where it is none."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _spelled(row: dict[str, Any]) -> bytes:
    return f"{_spell(row)}\n".encode("ascii")


def _check_numbers(values: Iterable[object]) -> None:
    """Raises ValueError where a float among the values, or inside them, is not finite."""
    for value in values:
        kind = type(value)
        if kind is float:
            if not isfinite(value):  # type: ignore[arg-type]  # it is a float
                raise ValueError(f"{value} is no number of JSON: a row cannot hold it")
        elif kind is dict:
            _check_numbers(value.values())  # type: ignore[attr-defined]  # it is a dict
        elif kind is list or kind is tuple:
            _check_numbers(value)  # type: ignore[arg-type]  # it is a list


def _spell(value: object) -> str:
    """A value in the canonical form. Raises ValueError."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _spell_text(value)
    if isinstance(value, Enum):
        return _spell(value.value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        number = float(value)
        _check_numbers((number,))
        return orjson.dumps(number).decode()
    if isinstance(value, Mapping):
        pairs = (f"{_spell_text(key)}:{_spell(value[key])}" for key in sorted(map(_key, value)))
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_spell, value))}]"
    raise ValueError(f"{type(value).__name__} is no type of JSON: a row cannot hold it")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError(f"{key!r} is no text: the keys of JSON are")
    return key


def _spell_text(text: str) -> str:
    # The standard library escapes DEL, which orjson leaves as it is.
    parts = (encode_basestring_ascii(part)[1:-1] for part in text.split("\x7f"))
    return '"' + "\x7f".join(parts) + '"'
