"""Answers of the API: JSON with the headers of every answer, and refusals as a Status.

Rules: a refusal of the cluster is written as it is; what only a wire can get wrong (a media type, a
size) is refused here, in the words of the real server. Source: apiserver's
`endpoints/handlers/negotiation/errors.go` and `handlers/rest.go`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from emulator.cluster.apiserver import causes, status
from emulator.cluster.apiserver.status import Rejected

Json = dict[str, Any]

JSON = "application/json"
#: Bytes of a body: the real server's limit of a resource.
BODY_LIMIT = 3 * 2**20
_ACCEPTED = (JSON, "application/yaml")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    content_type: str = JSON


def json_answer(content: Json, code: int = 200) -> Answer:
    """An object as JSON."""
    return Answer(code, orjson.dumps(content))


def failure(refused: Rejected) -> Answer:
    """A refusal as its Status."""
    return json_answer(refused.status(), refused.code)


def success(code: int = 200) -> Answer:
    """A Status that says Success."""
    shown = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return json_answer({**shown, "code": code} if code != 200 else shown, code)


def not_acceptable() -> Rejected:
    """406: the client takes none of the forms that there are."""
    message = f"only the following media types are accepted: {JSON}"
    return Rejected(406, "NotAcceptable", message)


def unknown_body() -> Rejected:
    """415 of a body that is neither JSON nor YAML."""
    return status.unsupported_media_type(_ACCEPTED)


def too_large() -> Rejected:
    """413: the body is over the limit."""
    message = f"Request entity too large: limit is {BODY_LIMIT}"
    return Rejected(413, "RequestEntityTooLarge", message, (), {})


def bad_option(kind: str, field: str, value: str, supported: tuple[str, ...]) -> Rejected:
    """422 of a query's option that has another value than the supported ones."""
    cause = causes.unsupported(field, value, supported)
    return status.invalid("meta.k8s.io", kind, "", [cause])
