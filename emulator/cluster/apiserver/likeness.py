"""Manifests that differ in one name only are read, defaulted and validated once.

Rules: what one workload's manifest became serves for another one's whose text is the same but for the
workload's name, of the same length and made of letters and digits alone: every rule that looks at such
a name looks at its length and its characters. A reading that adds or drops an occurrence of the name
(a default that happens to contain it) is not kept. Nothing is shared between the objects that come out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from emulator.cluster.apiserver.resources import Object, Resource

_PLAIN = re.compile(r"[a-z0-9]{6,45}")
_MARK = b"\0"  # no JSON text holds one
_MOST = 512


class Likenesses:
    """What manifests became, by their likeness."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int, bytes], bytes] = {}

    def read(self, row: Resource, manifest: Mapping[str, Any], namespace: str, name: str) -> Object:
        """The manifest of the workload `name`, read and (but for a Service) validated.

        Raises Rejected.
        """
        if not _PLAIN.fullmatch(name):
            return _read(row, manifest, namespace)
        try:
            text = orjson.dumps(manifest)
        except TypeError:
            return _read(row, manifest, namespace)
        token = name.encode()
        key = (row.plural, namespace, len(name), text.replace(token, _MARK))
        known = self._known.get(key)
        if known is not None:
            found: Object = orjson.loads(known.replace(_MARK, token))
            return found
        obj = _read(row, manifest, namespace)
        made = orjson.dumps(obj)
        if made.count(token) == text.count(token):
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = made.replace(token, _MARK)
        return obj


def _read(row: Resource, manifest: Mapping[str, Any], namespace: str) -> Object:
    obj = row.read(manifest, namespace)
    if row.kind != "Service":  # that is validated when it has its address
        row.validate(obj)
    return obj
