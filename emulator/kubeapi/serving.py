"""Serving the API on a port: a bare cluster of its own, or any living world.

Rules: the listener hears no signals, whoever opened it closes it; what still watches is ended first.
A bare world has the cluster alone, and nobody deploys but its clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import uvicorn

from emulator.cluster.settings import ClusterSettings, NodePool
from emulator.kubeapi.app import KubeApp
from emulator.pacing import Mode, Wall
from emulator.workloads.rules import Rule
from emulator.world import World, WorldSettings

_GRACE = 5  # seconds for requests under way, at the end
_NAME = "dhemu"


@dataclass(frozen=True, slots=True)
class Bare:
    """A world for its cluster's sake. `epoch` is Unix nanoseconds; `wall` counts nanoseconds."""

    cluster: ClusterSettings
    epoch: int
    wall: Wall
    mode: Mode
    seed: int = 0
    rules: tuple[Rule, ...] = ()


def bare_cluster(nodes: int, service_range: str) -> ClusterSettings:
    """A cluster of nodes alike, at home in the namespace `default`."""
    return ClusterSettings(
        namespace="default", service_range=service_range, pools=(NodePool(count=nodes),)
    )


def bare_world(bare: Bare) -> World:
    """The world, not paced yet. Raises ValueError for a range that is none."""
    cluster = replace(bare.cluster, epoch=bare.epoch)
    return World(WorldSettings(seed=bare.seed, cluster=cluster, rules=bare.rules), keep=False)


@contextlib.asynccontextmanager
async def living(bare: Bare) -> AsyncIterator[World]:
    """A bare world, driven until the block is left."""
    world = bare_world(bare)
    pacer = world.pace(bare.mode, bare.wall)
    pacer.start(asyncio.get_running_loop())
    try:
        yield world
    finally:
        await world.behaviours.aclose()
        world.close()


@contextlib.asynccontextmanager
async def listening(world: World, sock: socket.socket) -> AsyncIterator[str]:
    """Serves the API of a world on a bound socket until the block is left; its URL."""
    app = KubeApp(world)
    config = uvicorn.Config(
        app,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[sock])
    ticking = asyncio.ensure_future(server.main_loop())
    try:
        yield url(sock)
    finally:
        app.close()
        server.should_exit = True
        await ticking
        await server.shutdown(sockets=[sock])


def url(sock: socket.socket) -> str:
    """Where a bound socket is reached from this machine."""
    host, port = sock.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - named to be replaced
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def kubeconfig(server: str, namespace: str = "default") -> Mapping[str, Any]:
    """A kubeconfig for this server: one cluster, no user."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": _NAME, "cluster": {"server": server}}],
        "users": [{"name": _NAME, "user": {}}],
        "contexts": [
            {
                "name": _NAME,
                "context": {"cluster": _NAME, "namespace": namespace, "user": _NAME},
            }
        ],
        "current-context": _NAME,
    }
