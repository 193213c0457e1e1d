"""From the body of a request to an object of the kind: what cannot be read is a 400, in Go's words.

Rules: a missing apiVersion or kind is the resource's own. Unknown fields are dropped, or refused when
the caller asks for strict reading. Source: Kubernetes facts section 2; apiserver's
`endpoints/handlers`.
"""

from __future__ import annotations

import json
from typing import Any

from emulator.cluster.apiserver.causes import show
from emulator.cluster.apiserver.schema import Foreign, Struct, Unreadable, json_kind, unknown_fields
from emulator.cluster.apiserver.status import Rejected, bad_request

_SCHEME = 'in scheme "pkg/api/legacyscheme/scheme.go:30"'
_TYPE_META = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)
#: Versions that once had the kind: still known to a real server's scheme.
_FORMER = {
    "Deployment": ("apps/v1beta1", "apps/v1beta2", "extensions/v1beta1"),
    "ReplicaSet": ("apps/v1beta2", "extensions/v1beta1"),
    "EndpointSlice": ("discovery.k8s.io/v1beta1",),
    "PriorityClass": ("scheduling.k8s.io/v1beta1", "scheduling.k8s.io/v1alpha1"),
    "Lease": ("coordination.k8s.io/v1beta1",),
    "Event": ("v1", "events.k8s.io/v1", "events.k8s.io/v1beta1"),
}


def parse(body: bytes, kind: str) -> Any:
    """The JSON value of a body meant as `kind`. Raises Rejected (400)."""
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except json.JSONDecodeError as error:
        reason = f"couldn't get version/kind; json parse error: {_go_syntax(error)}"
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): {reason} "
            f"({_summary(body)})"
        ) from None


def _summary(body: bytes, length: int = 30) -> str:
    if not body:
        return "<empty>"
    text = (
        body[:length].decode("utf-8", "replace") if body.startswith(b"{") else body[:length].hex()
    )
    return f"{text} ..." if len(body) > length else text


def _go_syntax(error: json.JSONDecodeError) -> str:
    """The same syntax error as Go's decoder tells it."""
    if error.msg.startswith("Unterminated") or error.pos >= len(error.doc.rstrip()):
        return "unexpected end of JSON input"
    where = {
        "Expecting property name": "looking for beginning of object key string",
        "Illegal trailing comma": "looking for beginning of object key string",
        "Expecting ':' delimiter": "after object key",
        "Extra data": "after top-level value",
        "Expecting ',' delimiter": _after(error.doc[: error.pos]),
    }
    text = next(
        (text for start, text in where.items() if error.msg.startswith(start)),
        "looking for beginning of value",
    )
    return f"invalid character '{error.doc[error.pos]}' {text}"


def _after(read: str) -> str:
    depth, inside, position = [], False, 0
    while position < len(read):
        each = read[position]
        if inside:
            position += each == "\\"
            inside = each != '"'
        elif each == '"':
            inside = True
        elif each in "[{":
            depth.append(each)
        elif each in "]}" and depth:
            depth.pop()
        position += 1
    return "after array element" if depth[-1:] == ["["] else "after object key:value pair"


def decode(
    body: Any, api_version: str, kind: str, schema: Struct, *, strict: bool = False
) -> dict[str, Any]:
    """The body as an object of `kind`, apiVersion and kind filled in. Raises Rejected (400)."""
    if not isinstance(body, dict):
        problem = f"json: cannot unmarshal {json_kind(body)} into Go value of type {_TYPE_META}"
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): couldn't get "
            f"version/kind; json parse error: {problem} ({_summary(show(body).encode())})"
        )
    given_version, given_kind = body.get("apiVersion") or api_version, body.get("kind") or kind
    if given_kind != kind or given_version != api_version:
        _check_type(given_version, given_kind, api_version, kind)
    try:
        read: dict[str, Any] = schema.read(body)
    except (Unreadable, Foreign) as error:
        raise _unreadable(api_version, kind, str(error)) from None
    if strict and (unknown := unknown_fields(schema, body)):
        listed = ", ".join(f'unknown field "{each}"' for each in unknown)
        raise _unreadable(api_version, kind, f"strict decoding error: {listed}")
    return {"kind": kind, "apiVersion": api_version, **_without_type(read)}


def _without_type(read: dict[str, Any]) -> dict[str, Any]:
    read.pop("kind", None)
    read.pop("apiVersion", None)
    read.setdefault("metadata", {})
    return read


def _unreadable(api_version: str, kind: str, problem: str, wanted: str = "") -> Rejected:
    version = api_version.rpartition("/")[2]
    return bad_request(
        f'{kind} in version "{version}" cannot be handled as a {wanted or kind}: {problem}'
    )


def _check_type(given_version: str, given_kind: str, api_version: str, kind: str) -> None:
    if given_kind == kind and given_version in _FORMER.get(kind, ()):
        raise bad_request(
            f"the API version in the data ({given_version}) does not match the expected API version "
            f"({api_version})"
        )
    if given_kind != kind and given_version == api_version and given_kind[:1].isupper():
        group = api_version.rpartition("/")[0].partition(".")[0] or "core"
        version = api_version.rpartition("/")[2]
        problem = f"converting ({version}.{given_kind}) to ({group}.{kind}): unknown conversion"
        raise _unreadable(given_version, given_kind, problem, kind)
    problem = f'no kind "{given_kind}" is registered for version "{given_version}" {_SCHEME}'
    raise _unreadable(given_version, given_kind, problem, kind)


def check_namespace(obj: dict[str, Any], namespace: str) -> None:
    """Fills in the namespace of the request. Raises Rejected (400) where the object has another."""
    meta = obj["metadata"]
    if namespace and meta.setdefault("namespace", namespace) != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def check_name(obj: dict[str, Any], name: str) -> None:
    """Fills in the name of the path. Raises Rejected (400) where the object has another."""
    given = obj["metadata"].setdefault("name", name)
    if given != name:
        raise bad_request(
            f"the name of the object ({given}) does not match the name on the URL ({name})"
        )
