"""The types of a scenario's values: a text as people write it becomes what the emulator counts with.

Rules: a value is parsed once, here, and a model holds the parsed one: durations are nanoseconds, cpu is
millicores, memory and sizes are bytes, and a distribution is a sampler. What a text cannot be is told
with the kind of value as the error's type (`duration`, `quantity`, ...), which `shape` gives its number.
A key that is written without a value is an error, not a default.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from emulator.cluster.distributions import Distribution, parse_distribution
from emulator.domain import names, quantity
from emulator.domain.timefmt import parse_duration
from emulator.scenario.rules import short

#: The largest number that a value may come to; nanoseconds reach 292 years with it.
LARGEST = 2**63 - 1

#: The prefixes that Kubernetes takes for an IPv4 service range: at most 20 bits, at least 8 addresses.
WIDEST, NARROWEST = 12, 29


class Model(BaseModel):
    """Base of every part of a scenario: nothing unknown, nothing converted, nothing changed later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


T = TypeVar("T")


def _given(value: object) -> object:
    if value is None:
        raise PydanticCustomError("nothing", "nothing is given")
    return value


#: A key that may be left out, but not left empty.
Maybe = Annotated[T | None, BeforeValidator(_given)]

#: A list, kept as a tuple.
Items = Annotated[tuple[T, ...], Field(strict=False)]


def _wrong(kind: str, value: object, wanted: str) -> PydanticCustomError:
    return PydanticCustomError(
        kind,
        "{shown} is not {wanted}",
        {"shown": short(value), "wanted": wanted},
    )


def _told(kind: str, error: Exception) -> PydanticCustomError:
    message, mend = split_mend(str(error))
    return PydanticCustomError(kind, "{said}", {"said": message, "mend": mend})


_MEND = re.compile(r": (?=(?:write|give|choose|use|add|remove|keep|leave|quote) )")


def split_mend(sentence: str) -> tuple[str, str]:
    """A parser's sentence as what is wrong and what follows it, from `: write` or the like on."""
    ends = list(_MEND.finditer(sentence))
    return (sentence[: ends[-1].start()], sentence[ends[-1].end() :]) if ends else (sentence, "")


def duration(value: object) -> int:
    """Nanoseconds of `1.5s`. Raises PydanticCustomError (`duration`)."""
    if not isinstance(value, str):
        raise _wrong("duration", value, "a duration")
    try:
        found = parse_duration(value)
    except ValueError as error:
        raise _told("duration", error) from None
    if found > LARGEST:
        raise _wrong("duration", value, "a duration below 292 years")
    return found


def _positive_duration(value: object) -> int:
    found = duration(value)
    if found == 0:
        raise _wrong("duration", value, "a duration longer than nothing")
    return found


def amount(value: object, resource: str = "") -> int:
    """A quantity as the scheduler counts it. Raises PydanticCustomError (`quantity`)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong("quantity", value, "a quantity")
    try:
        parsed = quantity.parse(str(value))
    except ValueError as error:
        raise _told("quantity", error) from None
    except ArithmeticError:
        raise _wrong("quantity", value, "a quantity below 2^63") from None
    if parsed * 1000 > LARGEST:
        raise _wrong("quantity", value, "a quantity below 2^63")
    return quantity.read(resource, str(value))


def _quantity(resource: str, least: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        found = amount(value, resource)
        if found < least:
            raise _wrong("quantity", value, "a quantity above zero")
        return found

    return read


def _quantity_text(value: object) -> str:
    amount(value)
    return str(value)


def _distribution(value: object) -> object:
    try:
        return parse_distribution(value, "value")
    except ValueError as error:
        text = str(error).removeprefix("value: ").removeprefix("value.")
        raise _told("distribution", ValueError(text)) from None


def _network(value: object) -> IPv4Network:
    wanted = f"an IPv4 network from /{WIDEST} to /{NARROWEST}"
    if not isinstance(value, str) or "/" not in value:
        raise _wrong("network", value, wanted)
    try:
        found = IPv4Network(value, strict=False)
    except ValueError:
        raise _wrong("network", value, wanted) from None
    if not WIDEST <= found.prefixlen <= NARROWEST:
        raise _wrong("network", value, wanted)
    if value != str(found):
        message = ValueError(f"{value!r} has bits set behind its mask: write {found}")
        raise _told("network", message)
    return found


def _pattern(value: str) -> str:
    """Refuses a `[` that no `]` closes: fnmatch would take it for itself."""
    at = value.find("[")
    while at >= 0:
        end = value.find("]", at + 2)
        if end < 0:
            raise PydanticCustomError("pattern", "the bracket at {at} stays open", {"at": at + 1})
        at = value.find("[", end)
    return value


def form(holds: Callable[[str], object], wanted: str) -> AfterValidator:
    """A validator of texts: an error of type `form` says what is `wanted` unless the text `holds`."""

    def check(value: str) -> str:
        if not holds(value):
            raise _wrong("form", value, wanted)
        return value

    return AfterValidator(check)


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _TOKEN.fullmatch(name):
            raise _wrong("form", name, "a header's name: letters, digits and -")
        if _CONTROL.search(text):
            raise _wrong("form", text, f"one line of text, as the header {name} needs")
    return value


_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


#: Nanoseconds.
Duration = Annotated[int, BeforeValidator(duration)]
#: Nanoseconds, at least one.
Span = Annotated[int, BeforeValidator(_positive_duration)]
#: A sampler of nanoseconds.
Delay = Annotated[Distribution, PlainValidator(_distribution)]
#: Millicores, at least one.
Cpu = Annotated[int, BeforeValidator(_quantity("cpu", 1))]
#: Bytes, at least one.
Bytes = Annotated[int, BeforeValidator(_quantity("", 1))]
#: Bytes, or none.
Size = Annotated[int, BeforeValidator(_quantity("", 0))]
#: A quantity that stays a text, as a run's spec has it.
QuantityText = Annotated[str, BeforeValidator(_quantity_text)]
#: An IPv4 network from /12 to /29.
Network = Annotated[IPv4Network, BeforeValidator(_network)]
#: Pattern of `fnmatch`.
Pattern = Annotated[str, StringConstraints(min_length=1), AfterValidator(_pattern)]
#: Lower-case letters, digits and dashes.
Label = Annotated[
    str,
    form(_LABEL.fullmatch, "a label: 1 to 63 of a-z, 0-9 and -, with no - at either end"),
]
#: What the platform takes for an id or a name.
Identifier = Annotated[
    str, form(names.valid_id, "a name: 1 to 255 letters, digits, dots, _, + and -")
]
Project = Annotated[str, form(names.valid_project, "2 to 38 characters of a-z, 0-9 and -")]
#: HTTP header names and values.
Headers = Annotated[dict[str, str], AfterValidator(_headers)]
Text = Annotated[str, StringConstraints(min_length=1)]
Spec = dict[str, Any]
