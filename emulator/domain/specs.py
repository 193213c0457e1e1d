"""Specs as the platform reads them: typed, unknown properties dropped, nulls left out.

Rules (contract section 2.1): a spec is parsed to its kind's model and written back without nulls;
empty collections are kept; a violation is a 400 that names the field, the value and the mend.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulator.domain.errors import bad_request


class Spec(BaseModel):
    """Base of every spec model."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, frozen=True)


class NameValue(Spec):
    """One environment variable."""

    name: str
    value: str | None = None


class Volume(Spec):
    """One volume of a task."""

    volume_type: str
    mount_path: str
    name: str
    spec: dict[str, Any] | None = None


class Resources(Spec):
    """What a run asks of a node: Kubernetes quantities as text."""

    cpu: str | None = None
    mem: str | None = None
    gpu: str | None = None
    disk: str | None = None


class Source(Spec):
    """Where a function's code is."""

    source: str | None = None
    handler: str | None = None
    code: str | None = None
    base64: str | None = None
    lang: str | None = None
    init_function: str | None = None


class TaskFields(Spec):
    """The fields of every task that runs on Kubernetes (contract section 2.3)."""

    volumes: list[Volume] | None = None
    envs: list[NameValue] | None = None
    resources: Resources | None = None
    secrets: list[str] | None = None
    profile: str | None = None


class TaskSpec(TaskFields):
    """A task: its function, and defaults for its runs."""

    function: str


class RunSpec(TaskFields):
    """A run: its task, its function, and whether the client executes it itself."""

    task: str
    function: str | None = None
    workflow: str | None = None
    local_execution: bool = False


class ProjectSpec(Spec):
    """What of a project's spec is stored."""

    source: str | None = None
    config: dict[str, Any] = Field(default_factory=dict)


_MENDS = {
    "missing": "add it",
    "int_parsing": "give a whole number",
    "int_type": "give a whole number",
    "int_from_float": "give a whole number",
    "string_type": "give a text",
    "bool_parsing": "give true or false",
    "bool_type": "give true or false",
    "list_type": "give a list",
    "dict_type": "give an object",
    "model_type": "give an object",
    "model_attributes_type": "give an object",
    "enum": "choose one of those",
    "literal_error": "choose one of those",
}


def explain(error: ValidationError, root: str = "spec") -> str:
    """The first violation as one sentence: the field's path, what is wrong, the value, the mend."""
    first = error.errors(include_url=False)[0]
    path = root
    for part in first["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    shown = "" if first["type"] == "missing" else f", got {_short(first['input'])}"
    mend = _MENDS.get(first["type"])
    return f"{path}: {first['msg']}{shown}" + (f" ({mend})" if mend else "")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_spec(model: type[Spec], raw: object, root: str = "spec") -> dict[str, Any]:
    """`raw` as `model` stores it. Raises Refused (400) naming the field."""
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise bad_request(f"{root}: must be an object, got {_short(raw)}")
    try:
        spec = model.model_validate(raw)
    except ValidationError as error:
        raise bad_request(explain(error, root)) from None
    return spec.model_dump(exclude_none=True, mode="json")
