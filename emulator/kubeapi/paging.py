"""Lists in pieces: `limit` and `continue`.

Rules: the pieces of a list are one list, as it was when the first piece was asked for; the rest of the
latest lists is kept, `KEPT` of them. A token whose list is gone is a 410 with another token, that goes
on from the same place in the present list. Source: Kubernetes' API concepts, "Retrieving large results
sets in chunks"; apiserver `storage/continue.go`.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import orjson

from emulator.cluster.apiserver.status import Rejected, bad_request

Json = dict[str, Any]

#: Lists of which a part has not been asked for yet.
KEPT = 16
_FORM = "meta.k8s.io/v1"
_PRESENT = -1
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the first "
    "chunk was returned and now may show up in the list."
)


class Expired(Rejected):
    """410: the rest of this list is not kept any more; `token` goes on in the present one."""

    def __init__(self, token: str) -> None:
        super().__init__(410, "Expired", _TOO_OLD)
        self._token = token

    def status(self) -> Json:
        """The Status, with the token in its metadata."""
        return {**super().status(), "metadata": {"continue": self._token}}


class Pages:
    """The lists of one server of which the rest may be asked for."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Json] = OrderedDict()

    def page(
        self, query: Hashable, fresh: Callable[[], Json], limit: int, token: str, *, counted: bool
    ) -> Json:
        """A piece of the list that `query` names and `fresh` makes; `limit` 0 is all that is left.

        `counted` says whether the number of the remaining objects is told. Raises Rejected.
        """
        start, version = "", _PRESENT
        if token:
            version, start = _read(token)
        whole = fresh() if version == _PRESENT else self._kept.get((query, version))
        if whole is None:
            raise Expired(_token(_PRESENT, start))
        version = int(whole["metadata"]["resourceVersion"])
        left = [each for each in whole["items"] if _key(each) > start] if start else whole["items"]
        meta = dict(whole["metadata"])
        if not limit or len(left) <= limit:
            return {**whole, "metadata": meta, "items": left}
        shown = left[:limit]
        meta["continue"] = _token(version, _key(shown[-1]))
        if counted:
            meta["remainingItemCount"] = len(left) - limit
        self._keep((query, version), whole)
        return {**whole, "metadata": meta, "items": shown}

    def _keep(self, key: Hashable, whole: Json) -> None:
        self._kept[key] = whole
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)


def _key(obj: Json) -> str:
    """Where an object stands in a list, which is sorted by namespace and then by name."""
    meta = obj["metadata"]
    return f"{meta.get('namespace', '')}\0{meta['name']}"


def _token(version: int, start: str) -> str:
    raw = orjson.dumps({"v": _FORM, "rv": version, "start": start})
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read(token: str) -> tuple[int, str]:
    try:
        padded = token + "=" * (-len(token) % 4)
        read = orjson.loads(base64.urlsafe_b64decode(padded))
        version, start = read["rv"], read["start"]
        if read["v"] == _FORM and isinstance(version, int) and isinstance(start, str):
            return version, start
    except (binascii.Error, ValueError, KeyError, TypeError):
        pass
    raise bad_request("continue key is not valid")
