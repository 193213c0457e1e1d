"""The Kubernetes API of an offline world, spoken to without a socket.

Rules: requests go through the whole ASGI application; time moves by `settle` and `advance` only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import orjson
from support import IMAGE, make_world

from emulator.cluster.settings import NodePool
from emulator.domain.timefmt import OFFLINE_EPOCH, SECOND
from emulator.kubeapi.app import KubeApp

Json = dict[str, Any]

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"


def deployment(name: str = "web", replicas: int = 1, image: str = IMAGE) -> Json:
    """A Deployment as a user writes it."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    }


class Wire:
    """A client of an offline cluster, and the cluster."""

    def __init__(self, nodes: int = 2, **cluster: Any) -> None:
        settings = {
            "namespace": "default",
            "service_range": "10.96.0.0/16",
            "pools": (NodePool(count=nodes),),
            "epoch": OFFLINE_EPOCH,
            **cluster,
        }
        self.world = make_world(**settings)
        self.app = KubeApp(self.world)

    def ask(self, method: str, path: str, body: Any = None, /, **headers: str) -> httpx.Response:
        """One request; a body that is not bytes goes as JSON."""
        content = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if content is not None:
            named.setdefault("content-type", "application/json")

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://kube") as client:
                return await client.request(method, path, content=content, headers=named)

        return asyncio.run(send())

    def get(self, path: str, /, **headers: str) -> Json:
        """What a GET answers with 200."""
        answer = self.ask("GET", path, **headers)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def make(self, path: str, body: Json) -> Json:
        """What a POST answers with 201."""
        answer = self.ask("POST", path, body)
        assert answer.status_code == 201, answer.text
        found: Json = answer.json()
        return found

    def advance(self, seconds: float) -> None:
        """Lets simulated time pass."""
        self.world.kernel.advance(self.world.now + int(seconds * SECOND))


class Watching:
    """One watch as a client sees it; everything happens inside `during`."""

    def __init__(self, wire: Wire, path: str, query: str, accept: str = "") -> None:
        self._wire = wire
        self._scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"accept", accept.encode())],
        }
        self.status = 0
        self.events: list[Json] = []
        self.ended = False
        self.stuck = False  # the client does not read
        self._gone = asyncio.Event()
        self._reads = asyncio.Event()

    async def _receive(self) -> Json:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b""}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    _asked = False

    async def _send(self, message: Any) -> None:
        while self.stuck and message["type"] == "http.response.body":
            self._reads.clear()
            await self._reads.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        self.events += [orjson.loads(line) for line in message["body"].splitlines()]
        self.ended = not message.get("more_body", False)

    def during(self, *steps: Callable[[], object]) -> list[Json]:
        """The events, while each step is done and what it led to is sent; ends with the client."""

        async def run() -> None:
            served = asyncio.ensure_future(self._wire.app(self._scope, self._receive, self._send))
            await self._rest()
            for step in steps:
                step()
                self._reads.set()
                await self._rest()
            self._gone.set()
            self.stuck = False
            self._reads.set()
            await served

        asyncio.run(run())
        return self.events

    async def _rest(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(20):
            turn = loop.create_future()
            loop.call_soon(turn.set_result, None)
            await turn
