"""A living emulator: world, store, API and gateway on one port, from start to end.

Rules: everything is opened before the port is, and closed after it; whatever keeps the server from
starting is one sentence (`CannotStart`). Nothing acknowledged is lost at the end: the store is flushed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from emulator.cluster.settings import ClusterSettings
from emulator.domain.quirks import Profile
from emulator.gateway.egress import ALLOW, Egress
from emulator.pacing import Mode
from emulator.store import Document, StoreError, StoreLike, open_store
from emulator.workloads.rules import Rule
from emulator.world import World, WorldSettings

_log = logging.getLogger("emulator.server")


class CannotStart(Exception):
    """Why the server does not start, in one sentence with its mend."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What `dhemu up` is told. `port` 0 takes a free one.

    A `service_range` takes the place of the cluster's; `deadline` is that of a Deployment's progress,
    in seconds. The cluster's own API is served where there is a `kube_port`.
    """

    profile: Profile
    host: str = "127.0.0.1"
    port: int = 8080
    database: str | None = None
    mode: Mode = field(default_factory=lambda: Mode.parse("auto"))
    seed: int = 0
    service_range: str | None = None
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    deadline: int = 600
    egress: Egress = ALLOW
    rules: tuple[Rule, ...] = ()
    kube_port: int | None = None


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """A bound socket. Raises CannotStart: in use, not allowed, not this machine's.

    `option` is the one that named the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)
    except OSError as error:
        sock.close()
        where = f"cannot listen on {host}:{port}: {error.strerror or error}"
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise CannotStart(f"--host {host}: {where}: give an address of this machine") from None
        down = f"dhemu down --endpoint {_endpoint(host, port)}"
        raise CannotStart(
            f"{option} {port}: {where}: choose another {option}, or stop what holds it ({down})"
        ) from None
    return sock


def _endpoint(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - named to be replaced
    return f"http://{shown}:{port}"


def open_world(settings: ServerSettings, store: StoreLike, endpoint: str) -> World:
    """The world of a server: what the store kept is taken back. Raises CannotStart."""
    from emulator.control.archive import load
    from emulator.control.entities import Entity, Type
    from emulator.control.settings import ControlSettings

    try:
        documents = store.open()
    except StoreError as error:
        raise CannotStart(str(error)) from None
    # Simulated time may have run ahead of the wall before: it never runs backwards.
    epoch = max(time.time_ns(), *(each.body["updated"] + 1 for each in documents), 0)
    control = ControlSettings(
        profile=settings.profile,
        endpoint=endpoint,
        epoch=epoch,
        namespace=settings.cluster.namespace,
        deadline=settings.deadline,
    )
    cluster = replace(settings.cluster, epoch=epoch)
    if settings.service_range is not None:
        cluster = replace(cluster, service_range=settings.service_range)
    try:
        world = World(
            WorldSettings(
                seed=settings.seed,
                boot=store.boot,
                control=control,
                cluster=cluster,
                rules=settings.rules,
            ),
            keep=False,
        )
    except ValueError as error:
        store.close()
        raise CannotStart(f"--service-range {cluster.service_range}: {error}") from None

    def revive(document: Document) -> Entity:
        kinds = world.plane.kinds
        return load(
            Type(document.type), document.id, document.project, document.body, kinds, control
        )

    entities = [revive(document) for document in documents]
    world.command("restore", "World", lambda now: world.plane.restore(now, entities))
    return world


@contextlib.asynccontextmanager
async def running(
    settings: ServerSettings, sock: socket.socket, *, stop: Callable[[], None] = lambda: None
) -> AsyncIterator[tuple[object, World, str]]:
    """The app, its world and its endpoint, driven until the block is left. Raises CannotStart."""
    from emulator.api.app import create_app
    from emulator.api.hub import Hub
    from emulator.gateway.proxy import ForwardProxy

    host, port = sock.getsockname()[:2]
    endpoint = _endpoint(host, port)
    try:
        store = open_store(settings.database)
    except StoreError as error:
        raise CannotStart(str(error)) from None
    world = open_world(settings, store, endpoint)
    hub = Hub(world, store, endpoint)
    hub.stop = stop
    background: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()

    async def flush() -> None:
        try:
            await store.flush()
        except StoreError as error:
            _log.error("not saved yet: %s", error)

    def persist() -> None:
        if hub.persist():
            task = loop.create_task(flush())
            background.add(task)
            task.add_done_callback(background.discard)

    pacer = world.pace(settings.mode, time.monotonic_ns)
    pacer.after_pump = persist
    pacer.start(loop)
    proxy = ForwardProxy(
        create_app(hub),
        world,
        own=lambda name, at: _is_own(name, at, host, port),
        banner=hub.banner,
        egress=settings.egress,
        observer=lambda route, head, status, ns: world.invoked(
            route, head.asked.method, head.asked.authority, status
        ),
    )
    try:
        yield proxy, world, endpoint
    finally:
        await proxy.aclose()
        await world.behaviours.aclose()
        world.close()
        hub.persist()
        if background:
            await asyncio.gather(*background, return_exceptions=True)
        await flush()
        store.close()


def _is_own(name: str, at: int, host: str, port: int) -> bool:
    return at == port and name in {host, "127.0.0.1", "::1", "localhost", socket.gethostname()}


@contextlib.asynccontextmanager
async def _kube(world: World, sock: socket.socket | None) -> AsyncIterator[str]:
    """The cluster's own API on its socket, if there is one; its URL, or an empty text."""
    if sock is None:
        yield ""
        return
    from emulator.kubeapi.serving import listening

    async with listening(world, sock) as url:
        yield url


async def serve(
    settings: ServerSettings,
    ready: Callable[[str], None],
    kube_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serves until it is told to stop (SIGINT, SIGTERM or `/_emulator/shutdown`).

    `ready` is told the endpoint once requests are answered, and before that `kube_ready` the URL of
    the cluster's API, where it is served. Raises CannotStart.
    """
    import uvicorn

    from emulator.gateway.protocol import GatewayProtocol

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready(endpoint)

    sock = listen(settings.host, settings.port)
    kube_sock: socket.socket | None = None
    server: uvicorn.Server | None = None

    def stop() -> None:
        if server is not None:
            server.should_exit = True

    try:
        if settings.kube_port is not None:
            kube_sock = listen(settings.host, settings.kube_port, "--kube-port")
        async with (
            running(settings, sock, stop=stop) as (app, world, endpoint),
            _kube(world, kube_sock) as url,
        ):
            if url:
                kube_ready(url)
            config = uvicorn.Config(
                app,  # type: ignore[arg-type]  # an ASGI app by shape
                http=GatewayProtocol,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=5,
            )
            server = Server(config)
            await server.serve(sockets=[sock])
    finally:
        sock.close()
        if kube_sock is not None:
            kube_sock.close()
