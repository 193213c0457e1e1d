"""What the scheduler says of a pod that fits nowhere.

Rules: each reason with the number of nodes that gave it, sorted as texts are, and a final dot; then
what the plugins said that looked for another way. Source: Kubernetes facts section 5 (1.36).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

NO_NODES = "no nodes available to schedule pods"
_NO_CLAIMS = "no new claims to deallocate"
#: An event's note is cut to this many characters.
LONGEST_NOTE = 1024


def unavailable(total: int, reasons: Iterable[str]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 ...`; a reason occurs once a node."""
    counts = Counter(reasons)
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
    return f"0/{total} nodes are available: {listed}."


def failed(filtered: str, preemption: str) -> str:
    """The whole text; `preemption` is empty where pods have been evicted for this one."""
    if not preemption:
        return filtered
    return f"{filtered} {_NO_CLAIMS}, preemption: {preemption}"


def note(text: str) -> str:
    """A text as an event carries it."""
    return text if len(text) <= LONGEST_NOTE else f"{text[: LONGEST_NOTE - 4]} ..."
