"""What the control plane asks of the world: platform commands, as values.

Rules: an effect is done by the driver, in order, and its outcome comes back to the plane through the
method named here. `cause` is the journal's row that led to it.
"""

from __future__ import annotations

from typing import TypeAlias

from emulator.domain.kube import value
from emulator.platform import Workload


@value
class Apply:
    """Make the objects; answered to `Runs.applied`."""

    run: str
    workload: Workload
    cause: int


@value
class Observe:
    """Look at the objects; answered to `Runs.observed`."""

    run: str
    cause: int


@value
class Teardown:
    """Keep the logs, then remove the objects; answered to `Runs.torn_down`."""

    run: str
    cause: int


Effect: TypeAlias = Apply | Observe | Teardown
