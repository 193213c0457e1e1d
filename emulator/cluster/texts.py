"""Durations as Kubernetes' own texts print them."""

from __future__ import annotations

from emulator.domain.timefmt import SECOND


def go_seconds(ns: int) -> str:
    """A duration as Go prints it, to the millisecond: `1.2s`, `250ms`."""
    milliseconds = ns // 1_000_000
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    text = f"{milliseconds // 1000}.{milliseconds % 1000:03d}".rstrip("0").rstrip(".")
    return f"{text}s"


def go_duration(ns: int) -> str:
    """A back-off as Go prints it: `10s`, `1m20s`, `5m0s`."""
    seconds = ns // SECOND
    return f"{seconds}s" if seconds < 60 else f"{seconds // 60}m{seconds % 60}s"
