"""The whole server in the test's own process, behind a client that speaks to its app.

Rules: everything is real but the socket that requests would come through; time is paused unless a test
says otherwise, and moves by `until` and `advance` only. An answer that is not what the caller expects
fails with its body.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx

from emulator.domain.quirks import PROFILES, Profile
from emulator.pacing import Mode
from emulator.server import ServerSettings, listen, running
from emulator.workloads.rules import parse_rules
from emulator.world import World

API = "/api/v1"
PORTS = [{"port": 8080, "target_port": 8080}]
BOTH = tuple(PROFILES)


class Wire:
    """A client of one emulator. Project, function and task of setup S have fixed names."""

    project = "demo"
    function = "container://demo/f:fid"
    task = "container+serve://demo/tid"

    def __init__(self, http: httpx.AsyncClient, world: World, endpoint: str) -> None:
        self.http = http
        self.world = world
        self.endpoint = endpoint

    async def ask(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """The JSON of an answer with the status that is expected; the answer where it has none."""
        response = await self.http.request(method, path, **more)
        assert response.status_code == status, f"{response.status_code}: {response.text}"
        assert response.headers["x-emulator"].startswith("digitalhub-emulator/")
        if not response.content:
            return None
        assert response.headers["content-type"] == "application/json;charset=UTF-8"
        found = response.json()
        if status >= 400:
            assert list(found) == ["status", "message", "errorCode"]
            assert (found["status"], found["errorCode"]) == (status, None)
            assert found["message"]
        return found

    async def get(self, path: str, status: int = 200, **more: Any) -> Any:
        return await self.ask("GET", path, status, **more)

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        return await self.ask("POST", path, status, json=body)

    async def put(self, path: str, body: Any, status: int = 200) -> Any:
        return await self.ask("PUT", path, status, json=body)

    async def delete(self, path: str, status: int = 200) -> Any:
        return await self.ask("DELETE", path, status)

    def at(self, kind: str, identifier: str = "", project: str = "demo") -> str:
        """The path of a resource in a project."""
        return f"{API}/-/{project}/{kind}" + (f"/{identifier}" if identifier else "")

    async def refusal(self, method: str, path: str, status: int, **more: Any) -> str:
        """The message of a refusal."""
        found = await self.ask(method, path, status, **more)
        return str(found["message"])

    # -- setup S -----------------------------------------------------------------------------

    async def make_function(self, identifier: str = "fid", **spec: Any) -> Any:
        body = {"kind": "container", "name": "f", "id": identifier}
        return await self.post(
            self.at("functions"), {**body, "spec": {"image": "registry.example/a:1", **spec}}
        )

    async def make_task(self, identifier: str = "tid", function: str = "fid", **spec: Any) -> Any:
        asked = {
            "function": f"container://demo/f:{function}",
            "service_ports": PORTS,
            "service_type": "ClusterIP",
            **spec,
        }
        body = {"kind": "container+serve", "id": identifier, "spec": asked}
        return await self.post(self.at("tasks"), body)

    async def set_up(self, **task: Any) -> None:
        """Project `demo`, function `f` with id `fid`, task `tid`."""
        await self.post(f"{API}/projects", {"name": "demo"})
        await self.make_function()
        await self.make_task(**task)

    async def make_run(self, identifier: str = "rid", **spec: Any) -> Any:
        asked = {"task": self.task, "function": self.function, **spec}
        body = {"kind": "container+serve:run", "id": identifier, "spec": asked}
        return await self.post(self.at("runs"), body)

    async def read_run(self, identifier: str = "rid") -> Any:
        return await self.get(self.at("runs", identifier))

    async def until(self, state: str, identifier: str = "rid") -> Any:
        """Moves time until the run is in a state; the run."""
        asked = {"until": {"run": identifier, "state": state}}
        await self.post("/_emulator/time", asked)
        return await self.read_run(identifier)

    async def advance(self, duration: str) -> None:
        await self.post("/_emulator/time", {"advance": duration})

    async def running_run(self, identifier: str = "rid", **spec: Any) -> Any:
        """A run that is RUNNING."""
        await self.make_run(identifier, **spec)
        return await self.until("RUNNING", identifier)


@contextlib.asynccontextmanager
async def emulator(
    profile: str | Profile = "documented",
    *,
    speed: str = "paused",
    database: str = "memory",
    rules: Any = (),
) -> AsyncIterator[Wire]:
    """An emulator, from its start to its end."""
    chosen = PROFILES[profile] if isinstance(profile, str) else profile
    settings = ServerSettings(
        chosen, port=0, database=database, mode=Mode.parse(speed), rules=parse_rules(rules)
    )
    with listen("127.0.0.1", 0) as sock:
        async with running(settings, sock) as (app, world, endpoint):
            way = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]  # an ASGI app by shape
            async with httpx.AsyncClient(transport=way, base_url=endpoint) as http:
                yield Wire(http, world, endpoint)


def go(
    test: Callable[[Wire], Awaitable[None]], profile: str | Profile = "documented", **more: Any
) -> None:
    """Runs a test's steps against an emulator of its own."""

    async def steps() -> None:
        async with emulator(profile, **more) as wire:
            await test(wire)

    asyncio.run(steps())


def ids(page: Any) -> list[str]:
    """The ids of a page, in its order."""
    return [each["id"] for each in page["content"]]


def states(run: Any) -> list[str]:
    """The states of a run's story, newest first."""
    return [each["status"] for each in run["status"].get("transitions", [])]


def strict(content: bytes) -> Any:
    """JSON as a strict reader takes it: no NaN, no Infinity."""

    def refuse(text: str) -> None:
        raise ValueError(f"{text} is not JSON")

    return json.loads(content, parse_constant=refuse)
