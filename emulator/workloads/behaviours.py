"""A rule ready for use: which images, which behaviour, which scripted life.

Rules: everything here is immutable and checked (`rules` makes it); matching is case-sensitive, in shell
style, on the image reference as it was written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from emulator.domain.workload import Plan, Response


@dataclass(frozen=True, slots=True)
class Static:
    """Always this answer."""

    response: Response


@dataclass(frozen=True, slots=True)
class Asgi:
    """An application, `module:app`."""

    target: str


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server somewhere, `http://host:port/base`."""

    url: str


@dataclass(frozen=True, slots=True)
class Command:
    """A local process."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Echo:
    """The request, told back."""


@dataclass(frozen=True, slots=True)
class PullError:
    """No container: the registry refuses the image with this text."""

    text: str


Behaviour = PullError | Static | Asgi | Upstream | Command | Echo


@dataclass(frozen=True, slots=True)
class Rule:
    """What the containers of some images do. `ports` None: all; `plan` is not for a command."""

    image: str
    behaviour: Behaviour
    plan: Plan = field(default_factory=Plan)
    ports: frozenset[int] | None = None

    def matches(self, image: str) -> bool:
        return fnmatchcase(image, self.image)
