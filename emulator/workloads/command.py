"""The command: a real process of this machine, which answers for the container.

Rules: it leads a session of its own, and nothing of its group outlives it or `stop` (SIGTERM, after two
seconds SIGKILL; SIGKILL at once when the event loop ends); it is told its port in PORT and listens
there on 127.0.0.1; its environment is PATH, HOME, LANG, the container's and PORT, nothing else of ours;
its end is told once, unless it was asked for. It lives on the live platform only.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import shutil
import signal
import socket
import sys
from contextlib import suppress

from emulator.domain.workload import ContainerStart, Notify, Request, Response, StartFailed
from emulator.workloads.base import BaseProcess, Keeper, LogBuffer, running_loop
from emulator.workloads.forward import Forwarder

#: Seconds between SIGTERM and SIGKILL.
GRACE = 2.0
#: Seconds between two looks whether the port answers.
LOOK = 0.02
#: Seconds that the rest of an ended process's output may take; only who left the group can hold it.
OUTPUT = 1.0

_LOOPBACK = "127.0.0.1"


def free_port(taken: set[int]) -> int:
    """A loopback port that nobody has now and that is not promised to another process of ours."""
    while True:
        with socket.socket() as probe:
            probe.bind((_LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port


def environment(container: ContainerStart, port: int) -> dict[str, str]:
    """What the process sees: minimal, then the container's, then PORT."""
    minimal = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
    minimal |= {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    return minimal | dict(container.env) | {"PORT": str(port)}


class _Output(asyncio.SubprocessProtocol):
    """Writes what the process prints to the log, and tells of its end."""

    def __init__(self, log: LogBuffer, turn: asyncio.Event) -> None:
        self._log = log
        self._turn = turn
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.exited = asyncio.Event()
        self.complete = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._log.write(self._decoder.decode(data))

    def process_exited(self) -> None:
        self.exited.set()
        self._turn.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.complete.set()


class CommandProcess(BaseProcess):
    """Runs `argv` and the container's arguments.

    Raises StartFailed in an offline run, where the system has no process groups, and where the
    program cannot be found.
    """

    def __init__(
        self,
        container: ContainerStart,
        keeper: Keeper,
        ports: frozenset[int] | None,
        argv: tuple[str, ...],
        notify: Notify,
    ) -> None:
        self._argv = (*argv, *container.args)
        _check(container, self._argv)
        super().__init__(container, keeper, None, ports)
        self.port = free_port(keeper.ports)
        keeper.ports.add(self.port)
        self._env = environment(container, self.port)
        self._notify = notify
        self._listening = False
        self._turn = asyncio.Event()  # it has exited, or it is to stop
        self._group = 0
        self._forwarder = Forwarder(
            f"http://{_LOOPBACK}:{self.port}", keeper, name=f"command {argv[0]!r}", keep_host=True
        )
        keeper.spawn(self._live())

    def listens(self, port: int) -> bool:
        return self._listening and super().listens(port)

    async def answer(self, request: Request) -> Response:
        return await self._forwarder.answer(request)

    def release(self) -> None:
        self._forwarder.close()
        self._turn.set()
        if running_loop() is None:  # nobody is left who could wait
            self._kill(signal.SIGKILL)

    async def _live(self) -> None:
        """From start to end: the only one who starts, watches and ends the process."""
        loop = asyncio.get_running_loop()
        code = 126
        try:
            transport, output = await loop.subprocess_exec(
                lambda: _Output(self.log, self._turn),
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self.log.write(f"{self._argv[0]}: {error}\n")
        else:
            code = await self._watch(transport, output)
        finally:
            self._keeper.ports.discard(self.port)
        if not self.stopped:
            self._notify("exited", code)

    async def _watch(self, transport: asyncio.SubprocessTransport, output: _Output) -> int:
        """Until the process and its group are gone. Exit code, 128 + n for signal n."""
        self._group = transport.get_pid()
        try:
            await self._until_listening()
            await self._turn.wait()
            self._listening = False
            if not output.exited.is_set():
                self._kill(signal.SIGTERM)
                with suppress(TimeoutError):
                    async with asyncio.timeout(GRACE):
                        await output.exited.wait()
        finally:
            self._kill(signal.SIGKILL)
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(OUTPUT):
                        await output.complete.wait()
            finally:
                self._group = 0
                transport.close()
        code = transport.get_returncode()
        return 137 if code is None else code if code >= 0 else 128 - code

    async def _until_listening(self) -> None:
        while not self._turn.is_set():
            try:
                _, writer = await asyncio.open_connection(_LOOPBACK, self.port)
            except OSError:
                await asyncio.sleep(LOOK)
                continue
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            if not self._turn.is_set():
                self._listening = True
                self._notify("listening", 0)
            return

    def _kill(self, number: signal.Signals) -> None:
        """Signals the whole group; it may be gone, or not yet there."""
        if self._group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, number)


def _check(container: ContainerStart, argv: tuple[str, ...]) -> None:
    told = f"command {argv[0]!r} (image {container.image!r})"
    if running_loop() is None:
        raise StartFailed(
            f"{told} needs the live platform: run it with `dhemu up`, or let static, echo or asgi "
            "answer for this image offline"
        )
    if sys.platform == "win32":
        raise StartFailed(f"{told} needs a POSIX system: use upstream or asgi instead")
    path = environment(container, 0)["PATH"]
    if shutil.which(argv[0], path=path) is None:
        raise StartFailed(
            f"{told} is no program in PATH {path!r}: correct the first word of `command`, or install it"
        )
