"""The causes of a refused object, in the words of Kubernetes' field errors.

Rules: a cause is the dict of a Status' `details.causes`; its message is the body that the Status'
own message repeats after the field. Values are shown as compact JSON. Source: Kubernetes facts
section 2.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

Cause = dict[str, str]


def show(value: object) -> str:
    """A value as the texts print it: compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _cause(reason: str, field: str, message: str) -> Cause:
    return {"reason": reason, "message": message, "field": field}


def _with(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text


def invalid(field: str, value: object, detail: str) -> Cause:
    """The value is not allowed, and `detail` says why."""
    return _cause("FieldValueInvalid", field, f"Invalid value: {show(value)}: {detail}")


def required(field: str, detail: str = "") -> Cause:
    """There must be a value."""
    return _cause("FieldValueRequired", field, _with("Required value", detail))


def duplicate(field: str, value: object) -> Cause:
    """The value is there already."""
    return _cause("FieldValueDuplicate", field, f"Duplicate value: {show(value)}")


def unsupported(field: str, value: object, supported: Iterable[str]) -> Cause:
    """The value is none of the supported ones, which are named in the order given."""
    known = ", ".join(show(each) for each in supported)
    text = f"Unsupported value: {show(value)}: supported values: {known}"
    return _cause("FieldValueNotSupported", field, text)


def forbidden(field: str, detail: str) -> Cause:
    """The field may not be set, or not be changed."""
    return _cause("FieldValueForbidden", field, f"Forbidden: {detail}")


def too_long(field: str, limit: int) -> Cause:
    """The value has more than `limit` bytes."""
    return _cause("FieldValueTooLong", field, f"Too long: may not be more than {limit} bytes")


def not_found(field: str, value: object) -> Cause:
    """The value names something that is not there."""
    return _cause("FieldValueNotFound", field, f"Not found: {show(value)}")


def all_invalid(field: str, value: object, details: Iterable[str]) -> list[Cause]:
    """One `invalid` for each detail."""
    return [invalid(field, value, detail) for detail in details]


def summary(causes: Iterable[dict[str, Any]]) -> str:
    """The causes as the message of a Status lists them: each text once."""
    texts = list(dict.fromkeys(f"{each['field']}: {each['message']}" for each in causes))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
