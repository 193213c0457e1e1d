"""Manifests at rest: the JSON text instead of the dicts, read again when somebody looks.

Rules: what is packed is never changed; every look makes new dicts, which are the looker's. A text that
JSON cannot carry as it is (lone surrogates, integers beyond 64 bits) stays as the dicts it came in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import orjson


class _Loaded(Mapping[str, Any]):
    """A mapping that is made anew at every look."""

    __slots__ = ()

    @abstractmethod
    def load(self) -> Mapping[str, Any]:
        """The mapping."""

    def __getitem__(self, key: str) -> Any:
        return self.load()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.load())

    def __len__(self) -> int:
        return len(self.load())


class Packed(_Loaded):
    """A mapping of JSON values, kept as text."""

    __slots__ = ("_kept",)

    def __init__(self, content: Mapping[str, Any]) -> None:
        try:
            # the copy is as long as the text; what the encoder gives keeps its whole buffer
            self._kept: bytes | Mapping[str, Any] = bytes(memoryview(orjson.dumps(content)))
        except TypeError:
            self._kept = content

    def load(self) -> Mapping[str, Any]:
        """The mapping."""
        kept = self._kept
        if not isinstance(kept, bytes):
            return kept
        found: dict[str, Any] = orjson.loads(kept)
        return found


class Part(_Loaded):
    """A mapping inside another one, found again at every look."""

    __slots__ = ("_path", "_whole")

    def __init__(self, whole: Mapping[str, Any], *path: str) -> None:
        self._whole = whole
        self._path = path

    def load(self) -> Mapping[str, Any]:
        """The mapping."""
        found: Any = self._whole
        for key in self._path:
            found = found[key]
        assert isinstance(found, Mapping)
        return found
