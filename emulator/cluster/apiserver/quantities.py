"""Kubernetes quantities as the API server reads and rewrites them.

Rules: exact decimals. What is read is written in canonical form: no fraction, the largest suffix
that loses nothing (`1000m` becomes `1`, `0.5` becomes `500m`, `1024Mi` becomes `1Gi`). A negative
quantity can be read; validation refuses it. Source: Kubernetes facts section 2; apimachinery's
`resource.Quantity`.
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal
from functools import lru_cache

_SHAPE = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*)([-+]?\d*)")
_FORMAT = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
_SUFFIX = "unable to parse quantity's suffix"
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL_NAMES = {power: name for name, power in _DECIMAL.items()}
_BINARY_NAMES = {power: name for name, power in _BINARY.items()}
#: What is larger is capped, as Kubernetes does.
_LARGEST = Decimal(2**63 - 1)
_SMALLEST = Decimal("1e-9")


class QuantityError(ValueError):
    """The text is no quantity; the message is Kubernetes'."""


@lru_cache(maxsize=4096)
def parse(text: str) -> tuple[Decimal, str]:
    """The value, and how it was written: `decimal`, `binary` or `exponent`. Raises QuantityError."""
    match = _SHAPE.fullmatch(text)
    if match is None or not text:
        raise QuantityError(_FORMAT)
    sign, whole, fraction, letters, digits = match.groups("")
    suffix = letters + digits
    number = Decimal(f"{sign}{whole or '0'}.{fraction or '0'}")
    if suffix in _DECIMAL:
        value, style = number.scaleb(_DECIMAL[suffix]), "decimal"
    elif suffix in _BINARY:
        value, style = number * 1024 ** _BINARY[suffix], "binary"
    elif letters in ("e", "E") and digits.lstrip("+-"):
        value, style = number.scaleb(max(-99, min(99, int(digits)))), "exponent"
    else:
        raise QuantityError(_SUFFIX)
    value = max(-_LARGEST, min(_LARGEST, value))
    if value and value != (rounded := value.quantize(_SMALLEST, rounding=ROUND_UP)):
        value = rounded
    return value, style


def value(text: str) -> Decimal:
    """The value alone. Raises QuantityError."""
    return parse(text)[0]


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The same quantity as the API server writes it. Raises QuantityError."""
    amount, style = parse(text)
    if style == "binary" and abs(amount) >= 1024:
        return _binary(amount)
    return _decimal(amount, exponent=style == "exponent")


def _binary(amount: Decimal) -> str:
    number = int(amount.to_integral_value(ROUND_UP))
    power = 0
    while power < 6 and number % 1024 == 0:
        number //= 1024
        power += 1
    return f"{number}{_BINARY_NAMES.get(power, '')}"


def _decimal(amount: Decimal, *, exponent: bool) -> str:
    if not amount:
        return "0"
    power = -9
    number = int(amount.scaleb(9))
    while power < 18 and number % 1000 == 0:
        number //= 1000
        power += 3
    if exponent:
        return f"{number}e{power}" if power else str(number)
    return f"{number}{_DECIMAL_NAMES[power]}"
