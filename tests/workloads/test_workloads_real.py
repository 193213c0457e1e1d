"""Upstream and command: real servers, real processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from emulator.domain.workload import ContainerStart, Plan, Process, Request, Response, StartFailed
from emulator.workloads.base import Keeper
from emulator.workloads.forward import Forwarder
from emulator.workloads.rules import parse_rules
from emulator.workloads.runtime import BehaviourRuntime

#: Tells what it got; its path chooses a misbehaviour.
SERVER = """
import json, os, sys, signal, subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        if self.path == "/die":
            os._exit(7)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        told = json.dumps({
            "path": self.path, "host": self.headers["host"], "body": body.decode(),
            "env": dict(os.environ), "argv": sys.argv[1:], "pid": os.getpid(),
        }).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "child" in sys.argv:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("child", child.pid, flush=True)
print("serving on", os.environ["PORT"], flush=True)
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

Told = asyncio.Queue[tuple[str, int]]


def container(**more: Any) -> ContainerStart:
    return ContainerStart("w", "s-web", "ns", "s-web-0", "c", "acme/x:1", **more)


def ask(target: str = "/", method: str = "POST", **more: Any) -> Request:
    headers = more.get("headers", (("host", "s-web:80"),))
    return Request(method, target, headers, more.get("body", b""), "s-web:80", 80)


async def asked(process: Process, request: Request) -> Response:
    answer = process.answer(request)
    assert not isinstance(answer, Response)
    return await answer


def begin(rule: dict[str, Any], **more: Any) -> tuple[BehaviourRuntime, Process, Told]:
    runtime = BehaviourRuntime(parse_rules([{"image": "*", **rule}]))
    told: Told = asyncio.Queue()
    process = runtime.start(container(**more), lambda what, code: told.put_nowait((what, code)))
    return runtime, process, told


async def nothing_left(runtime: BehaviourRuntime) -> None:
    await runtime.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def state(pid: int) -> str:
    """The letter of /proc: Z for one that only waits to be fetched; X where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


async def gone(pid: int) -> None:
    """Waits until there is no such process; nobody tells of another's child, so it looks."""
    while state(pid) not in "ZX":  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.01)


# upstream ---------------------------------------------------------------------------------------


async def read_request(reader: asyncio.StreamReader) -> tuple[str, list[tuple[str, str]], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = [(n.lower(), v) for n, _, v in (line.partition(": ") for line in head[1:] if line)]
    length = int(dict(headers).get("content-length", "0"))
    return head[0], headers, await reader.readexactly(length)


@dataclass
class Upstream:
    """A server that gives the same answer to each request, and what it has seen."""

    address: str = ""
    seen: list[Any] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


def with_upstream(answer: bytes, play: Callable[[Upstream], Awaitable[None]]) -> None:
    """Runs `play` beside an upstream."""

    async def main() -> None:
        upstream = Upstream()
        ended = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    upstream.seen.append(await read_request(reader))
                    upstream.arrived.set()
                    if answer:
                        writer.write(answer)
            except asyncio.IncompleteReadError:
                ended.set()
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        upstream.address = f"{host}:{port}"
        await play(upstream)
        await ended.wait()  # the client has closed its connection
        server.close()
        await server.wait_closed()

    asyncio.run(main())


def test_upstream_forwards_as_sent() -> None:
    reply = (
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n"
        b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nnozip\r\n0\r\n\r\n"
    )

    async def play(upstream: Upstream) -> None:
        runtime, process, _ = begin(
            {"upstream": f"http://{upstream.address}/base/", "listens": [80]}
        )
        assert process.plan == Plan()
        assert [process.listens(port) for port in (80, 81)] == [True, False]
        asking = ask(
            "/a%2Fb/../c?x={y}&z=é",
            headers=(
                ("host", "s-web:80"),
                ("connection", "close, x-mine"),
                ("x-mine", "1"),
                ("te", "trailers"),
                ("expect", "100-continue"),
                ("content-length", "999"),
                ("x-kept", "é"),
                ("x-kept", "2"),
            ),
            body=b"\x00body",
        )
        response = await asked(process, asking)
        assert response == Response(
            302,
            (
                ("location", "/elsewhere"),
                ("set-cookie", "a=b"),
                ("set-cookie", "c=d"),
                ("content-encoding", "gzip"),
                ("content-type", "text/plain"),
                ("content-length", "5"),
            ),
            b"nozip",
            stand_in=False,
        )
        expected = (
            "POST /base/a%2Fb/../c?x={y}&z=%C3%A9 HTTP/1.1",
            [
                ("host", upstream.address),
                ("x-kept", "é"),
                ("x-kept", "2"),
                ("content-length", "5"),
            ],
            b"\x00body",
        )
        assert upstream.seen == [expected]
        await asked(process, asking)
        assert upstream.seen == [expected] * 2, "no cookie is kept"
        assert process.logs().count(" 302 5\n") == 2
        await runtime.aclose()

    with_upstream(reply, play)


def test_upstream_get_has_no_body_and_head_keeps_its_length() -> None:
    async def play(upstream: Upstream) -> None:
        runtime, process, _ = begin({"upstream": f"http://{upstream.address}"})
        response = await asked(process, ask("/x", "HEAD", headers=()))
        assert response.body == b""
        assert ("content-length", "12") in response.headers
        assert upstream.seen == [("HEAD /x HTTP/1.1", [("host", upstream.address)], b"")]
        await runtime.aclose()

    with_upstream(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", play)


def test_upstream_that_talks_nonsense_is_a_502() -> None:
    async def play(upstream: Upstream) -> None:
        runtime, process, _ = begin({"upstream": f"http://{upstream.address}"})
        response = await asked(process, ask())
        assert response.status == 502
        assert upstream.address in response.body.decode()
        await runtime.aclose()

    with_upstream(b"nonsense\r\n\r\n", play)


def test_upstream_that_is_not_there_is_a_502_with_its_name() -> None:
    async def play() -> None:
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        runtime, process, _ = begin({"upstream": f"http://127.0.0.1:{port}/v1"})
        response = await asked(process, ask())
        assert response.status == 502
        assert f"upstream http://127.0.0.1:{port}/v1 did not answer" in response.body.decode()
        assert ("content-length", str(len(response.body))) in response.headers
        assert not response.stand_in
        process.stop()
        late = await asked(process, ask())
        assert late.status == 502
        assert b"stopped" in late.body
        await runtime.aclose()

    asyncio.run(play())


def test_upstream_that_does_not_answer_in_time_is_a_504() -> None:
    async def play(upstream: Upstream) -> None:
        keeper = Keeper()
        forwarder = Forwarder(
            f"http://{upstream.address}", keeper, name="upstream u", keep_host=False, timeout=0.05
        )
        response = await forwarder.answer(ask())
        assert response.status == 504
        assert b"upstream u did not answer: no answer within 0.05 s" in response.body
        forwarder.close()
        await keeper.drain()

    with_upstream(b"", play)


def test_stopping_ends_a_request_under_way() -> None:
    async def play(upstream: Upstream) -> None:
        runtime, process, _ = begin({"upstream": f"http://{upstream.address}"})
        call = asyncio.ensure_future(asked(process, ask()))
        await upstream.arrived.wait()
        process.stop()
        assert (await call).status == 502
        await runtime.aclose()

    with_upstream(b"", play)


# command ----------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> list[str]:
    """The command of a server; it looks nothing up before it listens."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    return [sys.executable, "-S", str(script)]


def test_command_lives_answers_and_leaves(
    server: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_SECRET", "x")

    async def play() -> None:
        runtime, process, told = begin(
            {"command": server, "listens": [80]},
            command=("not", "used"),
            args=("--mine", "1"),
            env={"MODE": "test", "PORT": "1"},
        )
        assert process.plan is None
        assert not process.listens(80)
        assert await told.get() == ("listening", 0)
        assert [process.listens(port) for port in (80, 81)] == [True, False]
        response = await asked(process, ask("/a%20b?c=d", body=b"text"))
        assert response.status == 200
        assert not response.stand_in
        assert ("content-length", str(len(response.body))) in response.headers
        seen = json.loads(response.body)
        assert (seen["path"], seen["host"], seen["body"]) == ("/a%20b?c=d", "s-web:80", "text")
        assert seen["argv"] == ["--mine", "1"]
        assert seen["env"]["MODE"] == "test"
        assert set(seen["env"]) - {"LC_CTYPE"} <= {"PATH", "HOME", "LANG", "MODE", "PORT"}
        assert f"serving on {seen['env']['PORT']}\n" in process.logs()
        assert '"POST /a%20b?c=d HTTP/1.1" 200' in process.logs()
        process.stop()
        process.stop()
        assert not process.listens(80)
        await nothing_left(runtime)
        await gone(seen["pid"])
        assert told.empty(), "an end that was asked for is not told"

    asyncio.run(play())


def test_command_that_dies_tells_its_code(server: list[str]) -> None:
    async def play() -> None:
        runtime, process, told = begin({"command": server})
        assert await told.get() == ("listening", 0)
        response = await asked(process, ask("/die"))
        assert response.status == 502
        assert f"command {server[0]!r} did not answer" in response.body.decode()
        assert await told.get() == ("exited", 7)
        assert not process.listens(80)
        await nothing_left(runtime)
        assert told.empty()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("import sys; print('é ' * 40000 + 'last words'); sys.exit(3)", 3),
        ("import os, sys; print('last words', flush=True); os.kill(os.getpid(), 9)", 137),
        ("print('last words')", 0),
    ],
)
def test_command_that_never_listens(code: str, exit_code: int) -> None:
    async def play() -> None:
        runtime, process, told = begin({"command": [sys.executable, "-X", "utf8", "-c", code]})
        assert await told.get() == ("exited", exit_code)
        assert process.logs().endswith("last words\n")
        assert "\ufffd" not in process.logs()
        await nothing_left(runtime)

    asyncio.run(play())


def test_command_takes_its_children_along(server: list[str]) -> None:
    async def play() -> None:
        runtime, process, told = begin({"command": server}, args=("child",))
        assert await told.get() == ("listening", 0)
        child = int(process.logs().split()[1])
        os.kill(child, 0)
        pid = json.loads((await asked(process, ask())).body)["pid"]
        os.kill(pid, signal.SIGKILL)
        assert await told.get() == ("exited", 137)
        await gone(child)
        await nothing_left(runtime)

    asyncio.run(play())


def test_command_that_ignores_the_signal_is_killed(
    server: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emulator.workloads.command.GRACE", 0.05)

    async def play() -> None:
        runtime, process, told = begin({"command": server}, args=("stubborn", "child"))
        assert await told.get() == ("listening", 0)
        pid = json.loads((await asked(process, ask())).body)["pid"]
        child = int(process.logs().split()[1])
        process.stop()
        await nothing_left(runtime)
        await gone(pid)
        await gone(child)

    asyncio.run(play())


def test_no_process_outlives_the_loop(server: list[str]) -> None:
    pids: list[int] = []

    async def play() -> None:
        _, process, told = begin({"command": server}, args=("stubborn",))
        assert await told.get() == ("listening", 0)
        pids.append(json.loads((await asked(process, ask())).body)["pid"])
        process.stop()

    asyncio.run(play())
    asyncio.run(gone(pids[0]))


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_command_stopped_before_it_began(server: list[str], steps: int) -> None:
    async def play() -> None:
        runtime, process, told = begin({"command": server})
        for _ in range(steps):
            await asyncio.sleep(0)
        process.stop()
        await nothing_left(runtime)
        assert told.empty()

    asyncio.run(play())


def test_commands_get_ports_of_their_own(server: list[str]) -> None:
    async def play() -> None:
        runtime = BehaviourRuntime(parse_rules([{"image": "*", "command": server}]))
        told: Told = asyncio.Queue()
        processes = [
            runtime.start(container(), lambda what, code: told.put_nowait((what, code)))
            for _ in range(3)
        ]
        assert [await told.get() for _ in processes] == [("listening", 0)] * 3
        answers = [json.loads((await asked(process, ask())).body) for process in processes]
        assert len({answer["env"]["PORT"] for answer in answers}) == 3
        await nothing_left(runtime)

    asyncio.run(play())


def test_command_that_is_no_program() -> None:
    async def play() -> None:
        with pytest.raises(StartFailed, match=r"no-such-program.*PATH.*install"):
            begin({"command": ["no-such-program"]})

    asyncio.run(play())


def test_command_that_cannot_be_executed(tmp_path: Path) -> None:
    script = tmp_path / "broken"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)

    async def play() -> None:
        runtime, process, told = begin({"command": [str(script)]})
        assert await told.get() == ("exited", 126)
        assert str(script) in process.logs()
        await nothing_left(runtime)

    asyncio.run(play())


def test_command_on_uvloop(server: list[str]) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def play() -> None:
        runtime, process, told = begin({"command": server})
        assert await told.get() == ("listening", 0)
        assert (await asked(process, ask())).status == 200
        await asked(process, ask("/die"))
        assert await told.get() == ("exited", 7)
        assert "serving on" in process.logs()
        await nothing_left(runtime)

    uvloop.run(play())
