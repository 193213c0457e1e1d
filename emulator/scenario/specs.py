"""The specs of functions and runs inside a scenario, checked against their kind.

Rules: a spec is what the kind's own model says; beyond that a scenario is stricter than the wire, which
drops what it does not know: an unknown key, a port that cannot be, a resource that is no quantity and an
unknown resource profile are errors. What `deploy` fills in by itself cannot be given.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from emulator.domain.kinds import ServeKind
from emulator.scenario import shape
from emulator.scenario.fields import amount
from emulator.scenario.positions import Node
from emulator.scenario.rules import Problem, nearest, problem, short

#: Keys of a run's spec that the emulator fills in.
FILLED = ("task", "function", "workflow", "local_execution")
_PORT = re.compile(r"\s*[-+]?\d{1,20}\s*")
_DUMMY = {"task": "task://project/id", "function": "function://project/name"}

Loc = tuple[int | str, ...]


class Specs:
    """The checks of one document's specs; `profiles` are the resource profiles that it declares."""

    def __init__(self, root: Node, profiles: Collection[str]) -> None:
        self._root = root
        self._profiles = profiles

    def function(self, kind: ServeKind, spec: dict[str, Any], loc: Loc) -> Iterator[Problem]:
        """What is wrong with a function's spec at `loc`."""
        yield from self._model(kind.function_spec, spec, {}, loc)
        yield from self._unknown(kind.function_spec, spec, loc, ())

    def run(self, kind: ServeKind, spec: dict[str, Any], loc: Loc) -> Iterator[Problem]:
        """What is wrong with a run's spec at `loc`."""
        filled = [key for key in FILLED if key in spec]
        for key in filled:
            mark = self._root.locate_key((*loc, key))
            message = f"the key {short(key)} is filled in by the emulator"
            yield problem("E213", mark, shape.path_text((*loc, key)), message)
        yield from self._model(kind.run_spec, spec, _DUMMY, loc)
        yield from self._unknown(kind.run_spec, spec, loc, FILLED)
        yield from self._ports(spec, loc)
        yield from self._resources(spec, loc)

    def _model(
        self, model: type[BaseModel], spec: dict[str, Any], dummy: dict[str, str], loc: Loc
    ) -> Iterator[Problem]:
        given = {key: value for key, value in spec.items() if key not in dummy}
        try:
            model.model_validate(given | dummy)
        except ValidationError as error:
            yield from shape.problems(error, self._root, model, loc, "E212")

    def _unknown(
        self, model: type[BaseModel], raw: object, loc: Loc, hidden: Collection[str]
    ) -> Iterator[Problem]:
        """Unknown keys of `raw` and of the models inside it."""
        if isinstance(raw, list):
            for index, item in enumerate(raw):
                yield from self._unknown(model, item, (*loc, index), hidden)
        if not isinstance(raw, dict):
            return
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        for key, value in raw.items():
            if key in fields:
                for nested in shape.models_in(fields[key].annotation):
                    yield from self._unknown(nested, value, (*loc, key), ())
                continue
            names = [name for name in fields if name not in hidden]
            message = f"the key {short(key)} is not known, and the platform would drop it"
            mend = f"{nearest(key, names)}the keys here are {', '.join(names)}"
            mark = self._root.locate_key((*loc, key))
            yield problem("E213", mark, shape.path_text((*loc, key)), message, mend)

    def _ports(self, spec: dict[str, Any], loc: Loc) -> Iterator[Problem]:
        ports = spec.get("service_ports")
        for index, entry in enumerate(ports if isinstance(ports, list) else ()):
            if not isinstance(entry, dict):
                continue
            for key in ("port", "target_port"):
                at: Loc = (*loc, "service_ports", index, key)
                value = _integer(entry.get(key))
                if entry.get(key) is None:
                    message = f"{key} is missing, and the platform would drop the entry"
                elif value is not None and not 1 <= value <= 65535:
                    message = f"{value} is no port"
                else:
                    continue
                yield problem("E214", self._root.locate(at), shape.path_text(at), message)

    def _resources(self, spec: dict[str, Any], loc: Loc) -> Iterator[Problem]:
        profile = spec.get("profile")
        if isinstance(profile, str) and profile not in self._profiles:
            at: Loc = (*loc, "profile")
            message = f"the resource profile {short(profile)} is not declared"
            mend = nearest(profile, self._profiles) + "declare it under profiles"
            yield problem("E215", self._root.locate(at), shape.path_text(at), message, mend)
        resources = spec.get("resources")
        for key, value in resources.items() if isinstance(resources, dict) else ():
            if key not in ("cpu", "mem", "gpu", "disk") or not isinstance(value, str | int | float):
                continue
            try:
                amount(value)
            except PydanticCustomError as error:
                at = (*loc, "resources", key)
                message, mend = error.message(), str((error.context or {}).get("mend", ""))
                mark = self._root.locate(at)
                yield problem("E216", mark, shape.path_text(at), message, mend)


def _integer(value: object) -> int | None:
    """The number that the kind's model makes of a port, if it makes one."""
    if isinstance(value, str):
        return int(value) if _PORT.fullmatch(value) else None
    return int(value) if isinstance(value, int | float) else None
