"""Time as the wire writes it.

Inside, time is integer nanoseconds since the world began. A world has an *epoch*: the Unix time, in
nanoseconds, at which it began. Only this module turns the two into text or seconds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

#: The epoch of an offline world: a fixed instant, so that a journal does not depend on the day.
OFFLINE_EPOCH = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * SECOND

_UNITS = {"ns": 1, "us": MICROSECOND, "ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")


def iso(unix_ns: int) -> str:
    """ISO-8601 UTC with milliseconds, as entity metadata carries it: `2026-01-01T00:00:03.200Z`."""
    seconds, rest = divmod(unix_ns, SECOND)
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // MILLISECOND:03d}Z"


def iso_seconds(unix_ns: int) -> str:
    """RFC 3339 with whole seconds, as Kubernetes writes times."""
    return f"{datetime.fromtimestamp(unix_ns // SECOND, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_iso(text: str) -> int:
    """Unix nanoseconds of an ISO-8601 text. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * SECOND + moment.microsecond * MICROSECOND


def parse_duration(text: str) -> int:
    """Nanoseconds of `1.5s`, `200ms`, `1m30s`, `0s`. Raises ValueError, saying what it takes."""
    total, end = 0, 0
    for match in _PART.finditer(text):
        if match.start() != end:
            break
        whole, _, fraction = match[1].partition(".")
        unit = _UNITS[match[2]]
        total += int(whole) * unit
        if fraction:
            total += int(fraction) * unit // 10 ** len(fraction)
        end = match.end()
    if not text or end != len(text):
        raise ValueError(f"{text!r} is not a duration: write a number with a unit, like 1.5s or 2m")
    return total


def format_duration(ns: int) -> str:
    """A duration for people: `0.200s`, `12.500s`, `3m04.000s`, `2h00m30s`."""
    if ns < MINUTE:
        return f"{ns // SECOND}.{ns % SECOND // MILLISECOND:03d}s"
    minutes, rest = divmod(ns, MINUTE)
    if minutes < 60:
        return f"{minutes}m{rest // SECOND:02d}.{rest % SECOND // MILLISECOND:03d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m{rest // SECOND:02d}s"
