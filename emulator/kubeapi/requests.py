"""A request as it came: path, query, headers, body.

Rules: a body is read to its end before anything is answered and is no larger than the limit; YAML is
read where the real server reads it. A query's option that cannot be read is refused, as there.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.types import Receive, Scope

from emulator.api.bodies import parse
from emulator.cluster.apiserver.status import bad_request
from emulator.domain.errors import Refused
from emulator.kubeapi.answers import BODY_LIMIT, JSON, bad_option, too_large, unknown_body

_TRUE = ("1", "t", "T", "true", "True", "TRUE")
_VALIDATION = ("Ignore", "Strict", "Warn")


class Request:
    """One request; `body` is empty until `read`."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.receive = receive
        self.body = b""
        raw: str = scope.get("query_string", b"").decode("latin-1")
        self._query = parse_qs(raw, keep_blank_values=True)
        self._headers: dict[str, str] = {
            name.decode(): value.decode("latin-1") for name, value in scope["headers"]
        }

    async def read(self) -> None:
        """Reads the body. Raises Rejected (413)."""
        parts, size = [], 0
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                return
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > BODY_LIMIT:
                raise too_large()
            if not message.get("more_body"):
                self.body = b"".join(parts)
                return

    def header(self, name: str) -> str:
        """A header, by its name in lower case; empty where there is none."""
        return self._headers.get(name, "")

    def option(self, name: str) -> str:
        """The first value of that name in the query; empty where there is none."""
        return self._query.get(name, [""])[0]

    def flag(self, name: str) -> bool:
        """A boolean of the query."""
        return self.option(name) in _TRUE

    def number(self, name: str) -> int | None:
        """A number of the query that is not negative, or None. Raises Rejected (400)."""
        text = self.option(name)
        if not text:
            return None
        if not text.isdecimal():
            raise bad_request(f'{name}: strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)

    def dry_run(self, kind: str) -> bool:
        """Whether nothing shall be stored; `kind` is that of the options. Raises Rejected (422)."""
        text = self.option("dryRun")
        if text not in ("", "All"):
            raise bad_option(kind, "dryRun", text, ("All",))
        return text == "All"

    def strict(self, kind: str) -> bool:
        """Whether unknown fields are refused. Raises Rejected (422)."""
        text = self.option("fieldValidation")
        if text not in ("", *_VALIDATION):
            raise bad_option(kind, "fieldValidation", text, _VALIDATION)
        return text == "Strict"

    @property
    def content_type(self) -> str:
        """The body's type without its parameters; JSON where none is said."""
        return self.header("content-type").partition(";")[0].strip().lower() or JSON

    def content(self) -> bytes | Any:
        """The body of an object: JSON as it came, YAML as its value. Raises Rejected (400, 415)."""
        if self.content_type == JSON:
            return self.body
        if self.content_type == "application/yaml":
            return plain(self.body)
        raise unknown_body()

    def value(self) -> Any:
        """The body's value. Raises Rejected (400, 415)."""
        content = self.content()
        return plain(content) if isinstance(content, bytes) else content


def plain(body: bytes) -> Any:
    """The value of JSON, or else of YAML; None of nothing. Raises Rejected (400, 413)."""
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:
        return parse(body, "yaml")
    except Refused as refused:
        if refused.status == 413:
            raise too_large() from None
        raise bad_request(str(refused)) from None
