"""Lists as the platform answers them: filters, order, pages.

Rules (contract sections 1.2, 1.5, 1.7): `page` counts from 0, `size` is 25 where none is given and at
most 1000 in an unfiltered list, `sort` is `field,ASC|DESC` and repeats; an unknown field is 400. Names
and kinds are equal, `q` is contained, functions are equal when they carry an id and contained when not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from emulator.control.entities import Entity, Run, Type
from emulator.domain.errors import bad_request
from emulator.domain.names import parse_function_ref
from emulator.domain.timefmt import parse_iso

Params = Mapping[str, Sequence[str]]

DEFAULT_SIZE = 25
MAX_SIZE = 1000

_SORTS: dict[str, Callable[[Entity], Any]] = {
    "created": lambda each: each.created,
    "updated": lambda each: each.updated,
    "id": lambda each: each.id,
    "name": lambda each: each.name,
    "kind": lambda each: each.kind,
    "project": lambda each: each.project,
    "user": lambda each: each.user,
    "state": lambda each: state_of(each),
}

_PAGING = frozenset({"page", "size", "sort"})


def state_of(entity: Entity) -> str:
    """The state as filters see it."""
    return entity.state.value if isinstance(entity, Run) else str(entity.status.get("state", ""))


def _first(params: Params, name: str) -> str:
    values = params.get(name)
    return values[0] if values else ""


def _int(params: Params, name: str, default: int) -> int:
    text = _first(params, name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise bad_request(f"{name}: {text!r} is not a whole number") from None


def _kind(text: str) -> str:
    # dhcli sends `kind=container+serve` unescaped, which reaches us with a blank.
    return text.replace(" ", "+")


def _function_matches(value: str, entity: Entity) -> bool:
    held = str(entity.spec.get("function", ""))
    wanted = parse_function_ref(value)
    return held == value if wanted is not None and wanted.id else value in held


def _q_matches(value: str, entity: Entity) -> bool:
    fields = (
        entity.id,
        entity.name,
        entity.spec.get("function", ""),
        entity.spec.get("workflow", ""),
    )
    return any(value in str(field) for field in fields)


def _name_matches(value: str, entity: Entity) -> bool:
    return value in entity.name if entity.type is Type.PROJECT else value == entity.name


def _labels(entity: Entity) -> list[str]:
    labels = entity.metadata.get("labels") or []
    return [str(each) for each in labels] if isinstance(labels, list) else []


_FILTERS: dict[str, Callable[[str, Entity], bool]] = {
    "q": _q_matches,
    "id": lambda value, each: each.id in value.split(","),
    "name": _name_matches,
    "kind": lambda value, each: each.kind == _kind(value),
    "project": lambda value, each: each.project == value,
    "user": lambda value, each: each.user == value,
    "state": lambda value, each: state_of(each) == value,
    "labels": lambda value, each: all(part in _labels(each) for part in value.split(",")),
    "task": lambda value, each: each.spec.get("task") == _kind(value),
    "function": _function_matches,
    "workflow": lambda value, each: value in str(each.spec.get("workflow", "")),
}


def _time_filter(name: str, text: str, epoch: int) -> Callable[[Entity], bool]:
    """`from,to` in ISO-8601, either end open."""
    low, _, high = text.partition(",")
    try:
        begin = parse_iso(low) if low else None
        end = parse_iso(high) if high else None
    except ValueError:
        raise bad_request(
            f"{name}: {text!r} is not a range of times: write FROM,TO in ISO-8601"
        ) from None

    def matches(entity: Entity) -> bool:
        value = epoch + (entity.created if name == "created" else entity.updated)
        return (begin is None or value >= begin) and (end is None or value <= end)

    return matches


def select(entities: Iterable[Entity], params: Params, epoch: int) -> list[Entity]:
    """The entities that pass every filter of the query. A filter without a value filters nothing."""
    found = list(entities)
    for name in params:
        value = _first(params, name)
        if not value:
            continue
        if name in ("created", "updated"):
            in_range = _time_filter(name, value, epoch)
            found = [each for each in found if in_range(each)]
        elif test := _FILTERS.get(name):
            found = [each for each in found if test(value, each)]
        elif name == "action" and not _first(params, "task"):
            found = [each for each in found if value in str(each.spec.get("task", ""))]
    return found


def _order(found: list[Entity], sorts: Sequence[str]) -> None:
    for sort in reversed(sorts):
        field, _, direction = sort.partition(",")
        key = _SORTS.get(field.removeprefix("metadata."))
        if key is None:
            raise bad_request(
                f"sort: no property {field!r}: the properties are {', '.join(sorted(_SORTS))}"
            )
        found.sort(key=key, reverse=direction.upper() == "DESC")


def page(
    entities: Iterable[Entity], params: Params, epoch: int, *, default_sort: str = "created,DESC"
) -> dict[str, Any]:
    """The page that a query asks for, in the shape of a Spring Data page. Raises Refused (400)."""
    number = max(_int(params, "page", 0), 0)
    size = _int(params, "size", DEFAULT_SIZE)
    if size < 1:
        raise bad_request(f"size: {size} is not at least 1")
    if size > MAX_SIZE and not set(params) - _PAGING:
        raise bad_request("max page size exceeded")
    found = select(entities, params, epoch)
    found.reverse()  # equal keys: the newest first
    _order(found, [sort for sort in params.get("sort", ()) if sort] or [default_sort])
    shown = found[number * size : (number + 1) * size]
    return make_page([each.wire(epoch) for each in shown], len(found), number, size)


def make_page(content: list[dict[str, Any]], total: int, number: int, size: int) -> dict[str, Any]:
    """A Spring Data page around its content."""
    pages = -(-total // size)
    sort = {"sorted": True, "unsorted": False, "empty": False}
    return {
        "content": content,
        "pageable": {
            "pageNumber": number,
            "pageSize": size,
            "sort": sort,
            "offset": number * size,
            "paged": True,
            "unpaged": False,
        },
        "last": number >= pages - 1,
        "totalElements": total,
        "totalPages": pages,
        "size": size,
        "number": number,
        "sort": sort,
        "numberOfElements": len(content),
        "first": number == 0,
        "empty": not content,
    }
