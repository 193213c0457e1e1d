"""What the control plane asks of the world: platform commands, as values.

Rules: an effect is done by the driver, in order, and its outcome comes back to the plane through the
method named here. `cause` is the journal's row that led to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from emulator.platform import Workload


@dataclass(frozen=True, slots=True)
class Apply:
    """Make the objects; answered to `Runs.applied`."""

    run: str
    workload: Workload
    cause: int


@dataclass(frozen=True, slots=True)
class Observe:
    """Look at the objects; answered to `Runs.observed`."""

    run: str
    cause: int


@dataclass(frozen=True, slots=True)
class Teardown:
    """Keep the logs, then remove the objects; answered to `Runs.torn_down`."""

    run: str
    cause: int


Effect: TypeAlias = Apply | Observe | Teardown
