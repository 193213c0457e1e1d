"""What a wrong rule is told.

Rules: a message names the field, the value and the mend; what the models check themselves already says
so, pydantic's own errors are put into words here.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from pydantic_core import ErrorDetails

_EXAMPLES = {
    "image": "ghcr.io/acme/*",
    "exit.after": "5s",
    "memory.amount": "600Mi",
    "probes.probe": "readiness",
}
_WANTED = {
    "string_type": "a text (quote it)",
    "int_type": "a whole number, without quotes",
    "dict_type": "a map",
    "model_type": "a map",
    "tuple_type": "a list",
    "literal_error": "true, or leave it out",
}


class RuleError(ValueError):
    """A rule that cannot be. `path` leads to the field, from the list down; `message` says it all."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        self.path = path
        self.message = message
        place = f"rule {path[0] + 1}: " if path and isinstance(path[0], int) else ""
        super().__init__(place + message)


def explain(error: ErrorDetails, fields: Mapping[str, tuple[str, ...]]) -> str:
    """A sentence with field, value and mend. `fields` has the known ones by the path of their map."""
    kind, value, path = error["type"], error["input"], [str(part) for part in error["loc"]]
    where = ".".join(path)
    field = ".".join([part for part in path if not part.isdigit()])
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "missing":
        return f"{where}: is missing: write it, like {path[-1]}: {_EXAMPLES.get(field, '...')}"
    if kind == "extra_forbidden":
        known = fields.get(field.rpartition(".")[0], ())
        near = get_close_matches(path[-1], known, 1)
        guess = f"did you mean {near[0]}?" if near else "leave it out;"
        listed = ", ".join(known)
        return f"{where}: {value!r} is given to no such field: {guess} known are {listed}"
    return f"{where}: {value!r} is of the wrong type: write {_WANTED.get(kind, error['msg'])}"
