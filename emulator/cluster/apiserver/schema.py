"""A small declarative schema of Kubernetes types, and typed reading of JSON by it.

Rules: a type reads a JSON value as Go's decoder does, and refuses it in Go's words. Unknown fields and
nulls are dropped; so are zero values of fields that Go would leave out when it writes the object
(`omitempty`), unless the field is a pointer. What is read is a fresh copy. `merge` and `keys` of a list
say how patches treat it: the merge key of a strategic merge patch, and the keys of an element in
server-side apply; without them the list is one atomic value. Source: Kubernetes facts section 2.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any

from emulator.cluster.apiserver.quantities import QuantityError, canonical

#: What stands for a value that is left out.
DROP: Any = object()


class Unreadable(Exception):
    """A JSON value of the wrong type; the text is completed on the way out of nested fields."""

    def __init__(self, got: str, wanted: str) -> None:
        super().__init__()
        self.got = got
        self.wanted = wanted
        self.owner = ""
        self.path: list[str] = []

    def __str__(self) -> str:
        if not self.owner:
            return f"json: cannot unmarshal {self.got} into Go value of type {self.wanted}"
        path = ".".join(reversed(self.path))
        where = f"Go struct field {self.owner}.{path}"
        return f"json: cannot unmarshal {self.got} into {where} of type {self.wanted}"


class Foreign(Exception):
    """A value that a type of its own refuses (a quantity, a number or text): no field is named."""


def json_kind(value: object) -> str:
    """What Go calls the JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number"
    return "object" if isinstance(value, dict) else "array"


class Type(ABC):
    """A type of the schema. `go` is its name in Go's messages."""

    __slots__ = ("go",)

    def __init__(self, go: str) -> None:
        self.go = go

    @abstractmethod
    def read(self, value: Any) -> Any:
        """The value, checked and copied, or DROP. Raises Unreadable, Foreign."""


class Opaque(Type):
    """Whatever the simulation does not look into: kept as it is."""

    __slots__ = ()

    def read(self, value: Any) -> Any:
        """A deep copy."""
        return copy.deepcopy(value)


class String(Type):
    """A string; `pointer` keeps an empty one."""

    __slots__ = ("_pointer",)

    def __init__(self, go: str = "string", *, pointer: bool = False) -> None:
        super().__init__(go)
        self._pointer = pointer

    def read(self, value: Any) -> Any:
        """The string, or DROP for an empty one."""
        if type(value) is not str:
            raise Unreadable(json_kind(value), self.go)
        return value if value or self._pointer else DROP


class Integer(Type):
    """An int32 or int64; `pointer` keeps a zero."""

    __slots__ = ("_limit", "_pointer")

    def __init__(self, bits: int = 32, *, pointer: bool = False) -> None:
        super().__init__(f"int{bits}")
        self._limit: int = 2 ** (bits - 1)
        self._pointer = pointer

    def read(self, value: Any) -> Any:
        """The number, or DROP for a zero."""
        if type(value) is not int:
            kind = json_kind(value)
            raise Unreadable(f"number {value}" if kind == "number" else kind, self.go)
        if not -self._limit <= value < self._limit:
            raise Unreadable(f"number {value}", self.go)
        return value if value or self._pointer else DROP


class Boolean(Type):
    """A bool; `pointer` keeps a False."""

    __slots__ = ("_pointer",)

    def __init__(self, *, pointer: bool = False) -> None:
        super().__init__("bool")
        self._pointer = pointer

    def read(self, value: Any) -> Any:
        """The bool, or DROP for a False."""
        if type(value) is not bool:
            raise Unreadable(json_kind(value), self.go)
        return value if value or self._pointer else DROP


class Quantity(Type):
    """A quantity: a string or a number, read into its canonical text."""

    __slots__ = ()

    def read(self, value: Any) -> Any:
        """The canonical text."""
        text = value if type(value) is str else str(value)
        try:
            return canonical(text.strip())
        except QuantityError as error:
            raise Foreign(str(error)) from None


class IntOrString(Type):
    """A number or a text, as a port or a percentage is given."""

    __slots__ = ()

    def read(self, value: Any) -> Any:
        """The string or the int32."""
        if type(value) is str:
            return value
        try:
            return _POINTER_INT.read(value)
        except Unreadable as error:
            raise Foreign(str(error)) from None


_POINTER_INT = Integer(pointer=True)


class Map(Type):
    """A map of strings to values of one type; an atomic one is replaced as a whole by an apply."""

    __slots__ = ("atomic", "value")

    def __init__(self, value: Type, *, atomic: bool = False, go: str = "") -> None:
        super().__init__(go or f"map[string]{value.go}")
        self.value = value
        self.atomic = atomic

    def read(self, value: Any) -> Any:
        """The map, or DROP for an empty one."""
        if type(value) is not dict:
            raise Unreadable(json_kind(value), self.go)
        if not value:
            return DROP
        read = self.value.read
        out = {}
        for key, item in value.items():
            found = "" if item is None else read(item)
            out[key] = "" if found is DROP else found
        return out


class List(Type):
    """A list of one type."""

    __slots__ = ("item", "keys", "merge")

    def __init__(self, item: Type, merge: str = "", keys: tuple[str, ...] = ()) -> None:
        super().__init__(f"[]{item.go}")
        self.item = item
        self.merge = merge
        self.keys = keys or ((merge,) if merge else ())

    def read(self, value: Any) -> Any:
        """The list, or DROP for an empty one."""
        if type(value) is not list:
            raise Unreadable(json_kind(value), self.go)
        if not value:
            return DROP
        read, out = self.item.read, []
        for item in value:
            found = {} if item is None else read(item)
            out.append("" if found is DROP else found)
        return out


class Struct(Type):
    """A struct: its fields by their JSON names.

    An atomic one is replaced as a whole by an apply; an open one keeps fields that it does not name.
    """

    __slots__ = ("atomic", "fields", "name", "open")

    def __init__(
        self, name: str, fields: dict[str, Type], *, atomic: bool = False, opened: bool = False
    ) -> None:
        super().__init__(f"v1.{name}")
        self.name = name
        self.fields = fields
        self.atomic = atomic
        self.open = opened

    def read(self, value: Any) -> Any:
        """The struct with its known fields."""
        if type(value) is not dict:
            raise Unreadable(json_kind(value), self.go)
        fields, out = self.fields, {}
        for key, item in value.items():
            child = fields.get(key)
            if item is None or child is None:
                if self.open and item is not None:
                    out[key] = copy.deepcopy(item)
                continue
            try:
                found = child.read(item)
            except Unreadable as error:
                error.path.append(key)
                error.owner = error.owner or self.name
                raise
            if found is not DROP:
                out[key] = found
        return out


def unknown_fields(kind: Type, value: Any, path: str = "") -> list[str]:
    """The paths of the fields that the type does not have, in the order of the document."""
    found: list[str] = []
    if isinstance(kind, Struct) and isinstance(value, dict):
        for key, item in value.items():
            at = f"{path}.{key}" if path else key
            child = kind.fields.get(key)
            if child is not None:
                found += unknown_fields(child, item, at)
            elif not kind.open:
                found.append(at)
    elif isinstance(kind, List) and isinstance(value, list):
        for index, item in enumerate(value):
            found += unknown_fields(kind.item, item, f"{path}[{index}]")
    elif isinstance(kind, Map) and isinstance(value, dict):
        for key, item in value.items():
            found += unknown_fields(kind.value, item, f"{path}.{key}")
    return found
