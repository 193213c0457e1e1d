"""Kubernetes quantities as integers.

cpu is in millicores, memory and storage in bytes, everything else in units.
Source: kubernetes.io, "Quantity"; the suffixes of `resource.Quantity`.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?")
#: What is larger is capped, as Kubernetes does.
LARGEST = Decimal(2**63 - 1)
_SCALE = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


def parse(text: str) -> Decimal:
    """The value of a quantity. Raises ValueError, saying what a quantity is."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity: write a number and a unit, like 500m or 2Gi")
    number, suffix = match[1], match[2] or ""
    try:
        scale = _SCALE[suffix] if suffix in _SCALE else Decimal(10) ** int(suffix[1:])
        return min(Decimal(number) * scale, LARGEST)
    except ArithmeticError:
        return LARGEST


def milli(text: str) -> int:
    """Thousandths, rounded up: `500m` is 500. Raises ValueError."""
    return int((parse(text) * 1000).to_integral_value(ROUND_CEILING))


def whole(text: str) -> int:
    """Units, rounded up: `1Ki` is 1024. Raises ValueError."""
    return int(parse(text).to_integral_value(ROUND_CEILING))


def read(resource: str, text: str) -> int:
    """The integer that the scheduler counts: millicores for cpu, units for the rest."""
    return milli(text) if resource == "cpu" else whole(text)
