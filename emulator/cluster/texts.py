"""Durations as Kubernetes' own texts print them."""

from __future__ import annotations

from emulator.domain.timefmt import MILLISECOND, SECOND


def go_duration(ns: int) -> str:
    """A duration as Go prints it, cut to the millisecond: `250ms`, `1.2s`, `1m20s`, `1h0m0.5s`."""
    if ns < SECOND:
        return f"{ns // MILLISECOND}ms" if ns >= MILLISECOND else "0s"
    minutes, rest = divmod(ns, 60 * SECOND)
    text = f"{rest // SECOND}"
    if rest % SECOND >= MILLISECOND:
        text = f"{text}.{rest % SECOND // MILLISECOND:03d}".rstrip("0")
    if not minutes:
        return f"{text}s"
    return f"{minutes}m{text}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60}m{text}s"
