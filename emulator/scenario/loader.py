"""Scenario files: found by path or by name, read, checked.

Rules: what comes out has passed every rule, or a ScenarioError says all that is wrong: problems of the
shape first, and those of the meaning once the shape is right. A name that is no file is looked for on
the shelf: the files that the package ships (`NN-name.yaml`), known as `name` or `NN-name`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from emulator.scenario import checks, positions, shape
from emulator.scenario.rules import MAX_PROBLEMS, START, ScenarioError, ScenarioNotFound, problem
from emulator.scenario.schema import Scenario

_NUMBERED = re.compile(r"\d+-(?P<name>[a-z0-9-]+)\.yaml")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checked scenario, the text that it was read from, and the path of its file."""

    scenario: Scenario
    source: str
    path: str


def digest(source: str) -> str:
    """SHA-256 of a scenario's text, 64 hex digits: what a journal's header names it by."""
    return hashlib.sha256(source.encode()).hexdigest()


def shelf() -> dict[str, Path]:
    """The scenarios that the package ships, by name without number, in the order of the numbers."""
    found: dict[str, Path] = {}
    folder = _shelf_folder()
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if match := _NUMBERED.fullmatch(file.name):
            found[match["name"]] = file
    return found


def _shelf_folder() -> Path:
    """Inside the package where it is installed; beside the package in a checkout."""
    package = Path(str(resources.files("emulator.scenario")))
    inside = package / "shelf"
    return inside if inside.is_dir() else package.parents[1] / "scenarios"


def load(path_or_name: str) -> Loaded:
    """The scenario in a file, or on the shelf under this name.

    Raises ScenarioNotFound, or ScenarioError with every broken rule.
    """
    file = find(path_or_name)
    try:
        with file.open("rb") as stream:
            raw = stream.read(positions.MAX_BYTES + 1)
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        raise ScenarioError([problem("E001", START, "", message)], str(file)) from None
    source = positions.decode(raw, str(file))
    return Loaded(parse(source, str(file)), source, str(file))


def find(path_or_name: str) -> Path:
    """The file that is meant. Raises ScenarioNotFound."""
    path = Path(path_or_name)
    try:
        if path.is_file() or (path.exists() and _is_path(path_or_name)):
            return path
    except (OSError, ValueError):  # a name that no file can have
        pass
    known = shelf()
    for name, file in known.items():
        if path_or_name in (name, file.stem):
            return file
    raise ScenarioNotFound(path_or_name, known)


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.endswith((".yaml", ".yml"))


def parse(source: str, file: str = "<scenario>") -> Scenario:
    """A checked scenario from its text. Raises ScenarioError; `file` is the name that it shows."""
    root = positions.read(source, file)
    try:
        scenario = Scenario.model_validate(root.value())
    except ValidationError as error:
        raise ScenarioError(shape.problems(error, root), file) from None
    if found := list(islice(checks.check(scenario, root), MAX_PROBLEMS)):
        raise ScenarioError(found, file)
    return scenario
