"""What every resource of the API holds: the world, the store, and the way from one to the other.

Rules: a command is applied in the world, its answer is made, and it is sent when everything that it
changed is committed. The API decides nothing: it reads a request, calls the control plane, writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request
from starlette.responses import Response

from emulator import __version__
from emulator.api.bodies import parse
from emulator.control.archive import dump
from emulator.control.queries import Params
from emulator.store import Document, StoreLike
from emulator.world import World

T = TypeVar("T")

BODY_LIMIT = 16 * 2**20


class Json(Response):
    """JSON as the platform writes it: UTF-8, no escapes, a charset in the type."""

    media_type = "application/json;charset=UTF-8"

    def render(self, content: Any) -> bytes:
        """The bytes of the answer."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


class Hub:
    """A world and its store, as the API uses them."""

    def __init__(self, world: World, store: StoreLike, endpoint: str) -> None:
        self.world = world
        self.store = store
        self.endpoint = endpoint
        self.stop: Callable[[], None] = lambda: None

    @property
    def epoch(self) -> int:
        """Unix nanoseconds at which the world began."""
        return self.world.settings.control.epoch

    def banner(self, stand_in: bool = False) -> str:
        """The text of X-Emulator."""
        mode = self.world.pacer.mode.name if self.world.pacer else "fast"
        text = (
            f"digitalhub-emulator/{__version__}; platform=simulated; "
            f"profile={self.world.settings.control.profile.name}; time={mode}"
        )
        return f"{text}; answer=stand-in" if stand_in else text

    def persist(self) -> bool:
        """Queues what has changed for the store; says whether anything has."""
        changed = self.world.plane.repository.drain()
        for (kind, identifier), entity in changed.items():
            if entity is None:
                self.store.forget(kind.value, identifier)
            else:
                body = dump(entity, self.epoch)
                self.store.put(Document(kind.value, identifier, entity.project, body))
        return bool(changed)

    async def command(self, verb: str, subject: str, fn: Callable[[int], T]) -> T:
        """Applies a command and waits until what it changed is committed. Raises Refused."""
        try:
            return self.world.command(verb, subject, fn)
        finally:
            if self.persist():
                await self.store.flush()


def params(request: Request) -> Params:
    """The query, each name with all its values."""
    found: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        found.setdefault(name, []).append(value)
    return found


def flag(request: Request, name: str) -> bool:
    """A boolean of the query; absent is false."""
    return request.query_params.get(name, "").lower() == "true"


async def body(request: Request) -> object:
    """The JSON or YAML of a request; None where there is none. Raises Refused (400)."""
    return parse(await request.body(), request.headers.get("content-type", ""))
