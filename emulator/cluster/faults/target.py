"""Targets: whom a fault strikes.

Rules: a target is written `cluster` (everything), or as parts `WHAT/NAME` with blanks between them, all
of which must hold: `run/web`, `function/hello`, `image/acme/*`, `label/app=web`, `node/node-1`,
`zone/a`. A run is named by its id, its name or its service's name; an image by a pattern of `fnmatch`.
Whether a pod is meant is asked of the pod itself, whenever it comes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from emulator.cluster.faults.values import FaultError, near
from emulator.cluster.objects import Node, Pod

EVERYTHING = "cluster"
PARTS = ("run", "function", "image", "label", "node", "zone")
_FORM = "write cluster, or one or more of " + ", ".join(f"{part}/..." for part in PARTS)


class Names(NamedTuple):
    """What a workload is called: by its run's names, and by its function's name."""

    runs: tuple[str, ...]
    function: str = ""


#: Tells how a workload is called.
NamesOf = Callable[[str], Names]


def plain_names(workload: str) -> Names:
    """The names of a workload that is known by its own name only."""
    return Names((workload,))


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Everything that fits each part that is given; an empty one is not. `label` is `key=value`."""

    run: str = ""
    function: str = ""
    image: str = ""
    label: str = ""
    node: str = ""
    zone: str = ""

    def __post_init__(self) -> None:
        if self.label and not self.label.partition("=")[0]:
            raise FaultError("target", self.label, "is not a label", "write label/key=value")

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that are given."""
        return tuple(part for part in PARTS if getattr(self, part))

    @property
    def text(self) -> str:
        """The target as it is written."""
        return " ".join(f"{part}/{getattr(self, part)}" for part in self.parts) or EVERYTHING

    def has_pod(self, pod: Pod, names_of: NamesOf) -> bool:
        """Whether a pod is meant."""
        if self.image and not fnmatchcase(pod.template.image, self.image):
            return False
        if self.label:
            key, _, value = self.label.partition("=")
            if pod.labels.get(key) != value:
                return False
        if (self.node or self.zone) and (pod.node is None or not self.has_node(pod.node)):
            return False
        if not (self.run or self.function):
            return True
        if pod.group is None:
            return False
        names = names_of(pod.group.name)
        return (not self.run or self.run in names.runs) and self.function in ("", names.function)

    def has_node(self, node: Node) -> bool:
        """Whether a node is meant, as far as the target speaks of nodes."""
        return self.node in ("", node.name) and self.zone in ("", node.zone)


EVERY = Target()


def read_target(raw: object) -> Target:
    """The target of a text or of a mapping of its parts. Raises FaultError (`target`)."""
    if isinstance(raw, Target):
        return raw
    if isinstance(raw, Mapping):
        given = {str(part): name for part, name in raw.items()}
    elif isinstance(raw, str):
        given = _split(raw)
    else:
        raise FaultError("target", raw, "is not a target", _FORM)
    for part, name in given.items():
        if part not in PARTS:
            raise FaultError("target", part, "is no part of a target", near(part, PARTS) + _FORM)
        if not isinstance(name, str) or not name:
            raise FaultError("target", name, f"names no {part}", f"write {part}/NAME")
    return Target(**given)


def _split(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    words = text.split()
    if words == [EVERYTHING]:
        return given
    if not words:
        raise FaultError("target", text, "is not a target", _FORM)
    for word in words:
        part, slash, name = word.partition("/")
        if not slash:
            raise FaultError("target", word, "is not a target", near(part, (EVERYTHING,)) + _FORM)
        if part in given:
            raise FaultError("target", word, f"is a second {part}", "keep one of each part")
        given[part] = name
    return given
