"""Cells of tables: ages, selectors, and what stands for nothing.

Rules: an age is the time from a stamp to the world's present, in one or two units. Source:
apimachinery `util/duration.HumanDuration`; apimachinery `labels.Selector.String`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from emulator.domain.timefmt import SECOND, parse_iso

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"
_SHOWN = 3
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
#: Up to which age, in which two units an age is shown; 0 leaves the second one out.
_STEPS = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def human(seconds: int) -> str:
    """A time span as kubectl shows it: `45s`, `3m20s`, `47h`, `5d3h`."""
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    for limit, size, unit, small, small_unit in _STEPS:
        if seconds < limit:
            rest = seconds % size // small if small else 0
            return (
                f"{seconds // size}{unit}{rest}{small_unit}" if rest else f"{seconds // size}{unit}"
            )
    return f"{seconds // _YEAR}y"


class Ages:
    """Tells how long ago something was; `now` is the world's present as Unix nanoseconds."""

    def __init__(self, now: int) -> None:
        self._now = now

    def since(self, stamp: str | None) -> str:
        """The age of an RFC 3339 stamp; `<unknown>` without one."""
        if not stamp:
            return UNKNOWN
        return human((self._now - parse_iso(stamp)) // SECOND)

    def of(self, obj: Mapping[str, Any]) -> str:
        """The age of an object."""
        return self.since(obj["metadata"].get("creationTimestamp"))


def labels(given: Mapping[str, str]) -> str:
    """Labels, or a selector by labels, in the order of their keys."""
    return ",".join(f"{key}={given[key]}" for key in sorted(given)) or NONE


_OPERATORS = {"Exists": "{key}", "DoesNotExist": "!{key}"}


def selector(given: Mapping[str, Any]) -> str:
    """A workload's selector."""
    terms = [(key, f"{key}={value}") for key, value in given.get("matchLabels", {}).items()]
    for each in given.get("matchExpressions", ()):
        key, operator = each["key"], each["operator"]
        values = ",".join(sorted(each.get("values", ())))
        shape = _OPERATORS.get(operator, f"{{key}} {operator.lower()} ({values})")
        terms.append((key, shape.format(key=key)))
    return ",".join(text for _, text in sorted(terms))


def some(texts: Iterable[str]) -> str:
    """The first three, and how many more there are."""
    listed = list(texts)
    shown = ",".join(listed[:_SHOWN])
    more = len(listed) - _SHOWN
    return f"{shown} + {more} more..." if more > 0 else shown or UNSET
