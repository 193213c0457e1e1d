"""Bounds: what a scenario asks of a number, like `">= 99%"` or `"< 200ms"`.

Rules: a bound is a comparison (`<`, `<=`, `>`, `>=`, `==`; none means `==`) and a value: a count, a
share of a whole with `%`, or a duration. It is exact: shares are fractions, durations nanoseconds.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

from emulator.domain.timefmt import parse_duration
from emulator.scenario.rules import short

_COMPARE: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_BOUND = re.compile(r"(<=|>=|==|<|>)?\s*(\S.*)")
_COUNT = re.compile(r"[0-9]{1,18}")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,15})?)\s*%")


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison with `limit`: a count or nanoseconds, or of a whole where `share` is set."""

    text: str
    compare: str
    limit: Fraction
    share: bool = False

    def holds(self, value: int, whole: int = 1) -> bool:
        """Whether the value keeps it; nothing is a share of a whole of nothing."""
        if not self.share:
            return _COMPARE[self.compare](Fraction(value), self.limit)
        return whole > 0 and _COMPARE[self.compare](Fraction(value, whole), self.limit)


def _count(value: object) -> Bound:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Bound(str(value), "==", Fraction(value))
    compare, rest = _parts(value)
    if _COUNT.fullmatch(rest):
        return Bound(str(value), compare, Fraction(rest))
    share = _SHARE.fullmatch(rest)
    if share and Fraction(share[1]) <= 100:
        return Bound(str(value), compare, Fraction(share[1]) / 100, share=True)
    raise _wrong(value, "a count or a share", 'write 0, "< 5" or ">= 99%"')


def _duration(value: object) -> Bound:
    compare, rest = _parts(value)
    try:
        return Bound(str(value), compare, Fraction(parse_duration(rest)))
    except ValueError:
        raise _wrong(value, "a duration with a comparison", 'write "< 200ms"') from None


def _parts(value: object) -> tuple[str, str]:
    found = _BOUND.fullmatch(value.strip()) if isinstance(value, str) else None
    return (found[1] or "==", found[2]) if found else ("", "")


def _wrong(value: object, wanted: str, mend: str) -> PydanticCustomError:
    return PydanticCustomError(
        "bound", "{shown} is not {wanted}", {"shown": short(value), "wanted": wanted, "mend": mend}
    )


#: A count, or a share of what there is.
CountBound = Annotated[Bound, PlainValidator(_count)]
#: A duration.
DurationBound = Annotated[Bound, PlainValidator(_duration)]
