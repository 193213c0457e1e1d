"""A request's body as plain data: what JSON can say, whether it came as JSON or as YAML.

Rules: texts are Unicode, numbers finite, keys of maps texts, and nothing is nested deeper than `DEPTH`,
so that whatever is taken can be stored and answered; a YAML time is the text that was written; YAML
aliases may not make a small body a large one, and YAML, which is slow to read, has a limit of its own.
Anything else is refused and says why.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from typing import Any, NoReturn

from emulator.domain.errors import Refused, bad_request

#: Levels of lists and objects in one another.
DEPTH = 100

#: Bytes of a YAML body: half a second of reading for each 40 kB.
YAML_LIMIT = 256 * 1024

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_BRACKET = re.compile(rb"[\[\]{}]")
_SPREAD = 4


def parse(raw: bytes, content_type: str) -> object:
    """The value of a body; None where there is none. Raises Refused: 400, or 413 too much YAML."""
    if not raw.strip():
        return None
    return _yaml(raw) if "yaml" in content_type.lower() else _json(raw)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def _json(raw: bytes) -> object:
    try:
        text = raw.decode(json.detect_encoding(raw)).strip()
        value: object = _DECODER.decode(text)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not JSON: {error}") from None
    if text.count("[") + text.count("{") > DEPTH and _too_deep(value):
        raise _nested()
    return value


def _too_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEPTH + 1):
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
        if not below:
            return False
        level = below
    return True


def _nested() -> Refused:
    return bad_request(f"the body nests more than {DEPTH} levels: make it flatter")


# -- YAML -----------------------------------------------------------------------------------------


@cache
def _constructor() -> Any:
    from ruamel.yaml.constructor import SafeConstructor

    class Texts(SafeConstructor):
        """Reads times as the texts that they were written as, as JSON would carry them."""

    Texts.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)
    return Texts


def _unclosed(raw: bytes) -> int:
    """The most brackets that are open at once, those in texts among them."""
    now = most = 0
    for bracket in _BRACKET.findall(raw):
        now += 1 if bracket in b"[{" else -1
        most = max(most, now)
    return most


def _yaml(raw: bytes) -> object:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if len(raw) > YAML_LIMIT:
        raise Refused(413, f"the body has more than {YAML_LIMIT} bytes of YAML: send it as JSON")
    if _unclosed(raw) > 3 * DEPTH:  # the parser would take seconds to find out
        raise _nested()
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _constructor()
    try:
        value = yaml.load(raw.decode())
    except (YAMLError, ValueError, RecursionError) as error:
        text = " ".join(str(error).split())
        raise bad_request(f"the body is not YAML: {text}") from None
    return _Plain(max(len(raw) * _SPREAD, 1000)).of(value, 0)


class _Plain:
    """Makes JSON values of YAML's; `budget` is how many it makes at most."""

    def __init__(self, budget: int) -> None:
        self._budget = budget

    def of(self, value: object, depth: int) -> object:
        """The value without aliases. Raises Refused (400)."""
        self._budget -= 1
        if self._budget < 0:
            raise bad_request("the body has too many YAML aliases: write them out")
        if depth > DEPTH:
            raise _nested()
        if isinstance(value, dict):
            return {_key(key): self.of(each, depth + 1) for key, each in value.items()}
        if isinstance(value, list):
            return [self.of(each, depth + 1) for each in value]
        return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise bad_request(f"the body holds {value!a}, which is no Unicode text") from None
    elif isinstance(value, float) and not math.isfinite(value):
        raise bad_request(f"the body holds {value}, which JSON cannot say: give a finite number")
    elif value is not None and not isinstance(value, bool | int | float):
        kind = type(value).__name__
        raise bad_request(f"the body holds a {kind}, which JSON cannot say: write a text or a list")
    return value


def _key(key: object) -> str:
    """A key as JSON writes it: `1`, `true`, `null`."""
    if isinstance(key, str):
        return str(_scalar(key))
    if key is None or isinstance(key, bool | int | float):
        return json.dumps(_scalar(key))
    raise bad_request(f"the body has the key {key!r}: keys are texts")
