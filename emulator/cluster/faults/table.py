"""The table of the kinds of faults, and how one is made of what people write.

Rules: a kind is one class and one row here; its name, attributes and line of help are the class's own.
The order is the one in which they are listed.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.cluster.faults.base import Fault, attributes_of
from emulator.cluster.faults.kinds_calls import (
    Hang,
    NetworkDelay,
    NetworkLoss,
    NetworkPartition,
    SlowBody,
    Upstream5xx,
)
from emulator.cluster.faults.kinds_containers import OOM, CrashLoop, ExitCode, FailingProbe
from emulator.cluster.faults.kinds_control import ApiLatency, FullRange, Quota
from emulator.cluster.faults.kinds_nodes import Drain, NodeDown, NodeNotReady, ZoneLoss
from emulator.cluster.faults.kinds_registry import (
    PullError,
    SlowRegistry,
    SlowStart,
    ThrottledRegistry,
)
from emulator.cluster.faults.target import EVERY, read_target
from emulator.cluster.faults.values import FaultError, near

_ROWS: tuple[type[Fault], ...] = (
    PullError,
    SlowRegistry,
    ThrottledRegistry,
    SlowStart,
    CrashLoop,
    ExitCode,
    OOM,
    FailingProbe,
    NodeDown,
    NodeNotReady,
    Drain,
    ZoneLoss,
    Quota,
    FullRange,
    ApiLatency,
    NetworkDelay,
    NetworkLoss,
    NetworkPartition,
    Upstream5xx,
    Hang,
    SlowBody,
)

#: Every kind of faults, by name.
KINDS: dict[str, type[Fault]] = {row.kind: row for row in _ROWS}


def find_kind(name: object, field: str = "fault") -> type[Fault]:
    """The kind of that name. Raises FaultError."""
    found = KINDS.get(name) if isinstance(name, str) else None
    if found is None:
        mend = f"{near(name, KINDS)}choose one of {', '.join(KINDS)}"
        raise FaultError(field, name, "is not a kind of faults", mend)
    return found


def make(
    kind: str,
    *,
    target: object = EVERY,
    start: int | None = None,
    duration: int | None = None,
    attributes: Mapping[str, object] | None = None,
) -> Fault:
    """A fault from what people write: texts and numbers in `attributes`. Raises FaultError."""
    found = find_kind(kind)
    known = attributes_of(found)
    given = {}
    for name, raw in (attributes or {}).items():
        if name not in known:
            mend = f"{near(name, known)}{kind} has {', '.join(known)}"
            raise FaultError(str(name), raw, "is for an attribute that is not known", mend)
        given[name] = known[name].read(name, raw)
    return found(target=read_target(target), start=start, duration=duration, **given)
