"""Faults: what can break in a simulated cluster, and how it heals.

Rules: a kind of faults is one class in a `kinds_` module and one row of `table`; `Faults` starts, ends
and knows the faults of one cluster, and what they change is computed from those that are active.
"""

from __future__ import annotations

from emulator.cluster.faults.base import Fault, attributes_of, describe
from emulator.cluster.faults.engine import Faults
from emulator.cluster.faults.table import KINDS, find_kind, make
from emulator.cluster.faults.target import Names, Target, read_target
from emulator.cluster.faults.values import FaultError

__all__ = [
    "KINDS",
    "Fault",
    "FaultError",
    "Faults",
    "Names",
    "Target",
    "attributes_of",
    "describe",
    "find_kind",
    "make",
    "read_target",
]
