"""A load's result for people and for programs.

Rules: text carries milliseconds, JSON seconds, and both say so. Failed requests come by reason, the
most frequent first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.domain.timefmt import MILLISECOND, SECOND

if TYPE_CHECKING:
    from emulator.cluster.traffic import Durations, Result


def milliseconds(ns: int) -> str:
    """`21.340 ms`, cut to microseconds."""
    return f"{ns // MILLISECOND}.{ns % MILLISECOND // 1000:03d} ms"


#: What failed has no latency: the line says whose it is.
_LABELS = {"latency": "latency (of the answered)"}


def text(result: Result) -> list[str]:
    """The load as lines."""
    ended = result.answered + result.failed
    share = f" ({100 * result.answered / ended:.2f} % of the ended)" if ended else ""
    lines = [
        f"# load {result.name} on {result.service}",
        f"sent      {result.sent}, {result.attempts} attempts, {result.in_flight} in flight",
        f"answered  {result.answered}{share}",
        f"failed    {result.failed}{reasons(result.outcomes)}",
    ]
    for name in ("latency", "waiting", "service_time"):
        durations: Durations = getattr(result, name)
        if durations.count:
            label = _LABELS.get(name, name.replace("_", " "))
            lines.append(f"{label:<13} {_spread(durations.summary())}")
    return lines


def reasons(outcomes: dict[str, int]) -> str:
    """`: timeout 7, reset 2` of the outcomes that are failures; empty without any."""
    failed = [(-count, outcome) for outcome, count in outcomes.items() if outcome >= "5"]
    shown = ", ".join(f"{outcome} {-count}" for count, outcome in sorted(failed))
    return f": {shown}" if shown else ""


def _spread(summary: dict[str, int]) -> str:
    return ", ".join(
        f"{name} {milliseconds(ns)}" for name, ns in summary.items() if name not in _PLAIN
    )


#: What text leaves out of a summary.
_PLAIN = frozenset({"count", "p99.9"})


def data(result: Result) -> dict[str, Any]:
    """The load as JSON has it; durations are seconds."""
    return {
        "service": result.service,
        "sent": result.sent,
        "attempts": result.attempts,
        "answered": result.answered,
        "failed": result.failed,
        "in_flight": result.in_flight,
        "outcomes": result.outcomes,
        "unit": "s",
        **{
            name: _seconds(getattr(result, name).summary())
            for name in ("latency", "waiting", "service_time")
        },
    }


def _seconds(summary: dict[str, int]) -> dict[str, float]:
    return {name: ns if name == "count" else ns / SECOND for name, ns in summary.items()}
