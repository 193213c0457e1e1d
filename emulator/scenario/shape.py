"""What pydantic finds wrong with a document, as problems of a scenario file.

Rules: each error of a ValidationError becomes one problem with its rule's number, the place of the
value (of the key, where the key is what is wrong) and a message that shows the value. An error type
that the table does not hold is E116 with pydantic's own sentence, so nothing goes unsaid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from emulator.scenario.fields import split_mend
from emulator.scenario.positions import Node
from emulator.scenario.rules import Problem, nearest, problem, short
from emulator.scenario.schema import ACTIONS, Scenario, action_of

Loc = tuple[int | str, ...]

_TYPES = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "mapping": "a mapping",
    "model": "a mapping",
}

_RULES = {
    "missing": "E101",
    "extra_forbidden": "E102",
    "nothing": "E103",
    "literal_error": "E104",
    "enum": "E104",
    "greater_than_equal": "E105",
    "less_than_equal": "E105",
    "empty": "E105",
    "string_too_short": "E105",
    "form": "E106",
    "duration": "E107",
    "quantity": "E108",
    "distribution": "E109",
    "network": "E110",
    "action": "E111",
    "timing": "E112",
    "condition": "E113",
    "version": "E114",
    "pattern": "E115",
    "arrivals": "E117",
    "bound": "E118",
}


def path_text(loc: Iterable[int | str]) -> str:
    """`steps[2].deploy` of ("steps", 2, "deploy")."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part if part.isprintable() and len(part) <= 60 else short(part)}"
    return text.removeprefix(".")


def problems(
    error: ValidationError,
    root: Node,
    model: type[BaseModel] = Scenario,
    prefix: Loc = (),
    rule: str = "",
) -> Iterator[Problem]:
    """Each violation; `prefix` leads to what was validated, `rule` replaces the numbers."""
    for found in error.errors(include_url=False):
        loc = prefix + (_without_tag(found["loc"]) if model is Scenario else found["loc"])
        one = _problem(found, loc, root, model, prefix)
        if rule:
            one = Problem(one.line, one.column, rule, one.path, one.message, one.mend)
        yield one


def _without_tag(loc: Loc) -> Loc:
    """pydantic puts the chosen action into the path of a step's errors."""
    return loc[:2] + loc[3:] if loc[:1] == ("steps",) and len(loc) > 2 else loc


def _problem(
    found: Mapping[str, Any], loc: Loc, root: Node, model: type[BaseModel], prefix: Loc
) -> Problem:
    kind, context = found["type"], found.get("ctx", {})
    at_key = kind == "extra_forbidden" or loc[-1:] == ("[key]",)
    loc = tuple(part for part in loc if part != "[key]")
    mark = root.locate_key(loc) if at_key else root.locate(loc)
    rule, message, mend = _RULES.get(kind, "E116"), "", str(context.get("mend", ""))
    if kind == "missing":
        message = "a required key is missing"
    elif kind == "nothing":
        message, mend = "nothing is given", "give a value, or remove the key"
    elif kind == "extra_forbidden":
        names = allowed(model, loc[len(prefix) : -1], root, prefix)
        message = f"the key {short(loc[-1])} is not known"
        mend = f"{nearest(loc[-1], names)}the keys here are {', '.join(names)}"
    elif kind == "action":
        return _action(found["input"], loc, root)
    elif kind == "timing":
        mark = root.locate_key((*loc, context["key"]))
        message = str(found["msg"])
    elif (wanted := _wanted_type(kind)) is not None:
        rule, message = "E103", f"{short(found['input'])} is not {wanted}"
        quoted = wanted == "a text" and isinstance(found["input"], int | float)
        mend = "put it in quotes" if quoted else f"give {wanted}"
    elif kind in ("enum", "literal_error"):
        expected = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        message = f"{short(found['input'])} is none of {expected}"
        mend = nearest(found["input"], expected.split(", ")) + "choose one of those"
    elif kind in _OWN:
        message = str(found["msg"])
    else:
        message, mend = _said(found, loc)
    return problem(rule, mark, path_text(loc), message, mend)


#: Errors of our own, whose sentence shows the value.
_OWN = frozenset(
    {
        "form",
        "duration",
        "quantity",
        "distribution",
        "network",
        "condition",
        "version",
        "pattern",
        "empty",
        "arrivals",
        "bound",
    }
)


def _wanted_type(kind: str) -> str | None:
    stem, _, ending = kind.partition("_")
    if ending in ("type", "parsing", "from_float", "attributes_type", "parsing_size"):
        return _TYPES.get(stem)
    return None


def _said(found: Mapping[str, Any], loc: Loc) -> tuple[str, str]:
    """The sentence of pydantic, or of a validator of another's model, with the value shown."""
    sentence = str(found["msg"])
    if found["type"] == "value_error":
        sentence = sentence.removeprefix("Value error, ")
        if loc:
            sentence = sentence.removeprefix(f"{loc[-1]}: ")
        return split_mend(sentence)
    return f"{sentence[:1].lower()}{sentence[1:]}, got {short(found['input'])}", ""


def _action(raw: object, loc: Loc, root: Node) -> Problem:
    """A step without exactly one action: what it has instead."""
    known = ", ".join(ACTIONS)
    if not isinstance(raw, dict):
        message = f"{short(raw)} is not a mapping"
        return problem("E103", root.locate(loc), path_text(loc), message, "give a mapping")
    given = [key for key in raw if key in ACTIONS]
    if given:
        mark = root.locate_key((*loc, given[1]))
        return problem(
            "E111", mark, path_text(loc), f"the step has {' and '.join(given)}, not one action"
        )
    near = next((hint for key in raw if (hint := nearest(key, ACTIONS))), "")
    message = "the step has no action"
    return problem("E111", root.locate(loc), path_text(loc), message, f"{near}add one of {known}")


def allowed(
    model: type[BaseModel], loc: Sequence[int | str], root: Node, prefix: Loc = ()
) -> list[str]:
    """The keys that the model at `loc` takes, as a file writes them."""
    models = [model]
    for depth, part in enumerate(loc):
        if isinstance(part, int):
            step = _node(root, (*prefix, *loc[: depth + 1]))
            action = action_of(step.entries) if step and loc[0] == "steps" else None
            models = [ACTIONS[action]] if action else models
            continue
        inner = [
            nested
            for one in models
            for name, field in one.model_fields.items()
            if (field.alias or name) == part
            for nested in models_in(field.annotation)
        ]
        models = inner or models
    return [field.alias or name for one in models for name, field in one.model_fields.items()]


def _node(root: Node, path: Loc) -> Node | None:
    node: Node | None = root
    for part in path:
        node = node.child(part) if node else None
    return node


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation speaks of, at whatever depth of lists and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]
