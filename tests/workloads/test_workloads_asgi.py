"""The user's ASGI application, on a live loop and offline."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.domain.workload import ContainerStart, Plan, Process, Request, Response, StartFailed
from emulator.workloads.rules import parse_rules
from emulator.workloads.runtime import BehaviourRuntime

SOURCE = """
import asyncio, json, sys

events = []
release = asyncio.Event()
began = asyncio.Event()

async def _answer(send, status, body, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})

async def plain(scope, receive, send):
    assert scope["type"] == "http"
    message = await receive()
    seen = {k: v for k, v in scope.items() if isinstance(v, (str, int, dict))}
    seen["raw_path"] = scope["raw_path"].decode()
    seen["query_string"] = scope["query_string"].decode()
    seen["headers"] = [[k.decode("latin-1"), v.decode("latin-1")] for k, v in scope["headers"]]
    seen["server"] = list(scope["server"])
    seen["body"] = message["body"].decode()
    headers = [(b"Content-Type", b"application/json"), (b"Connection", b"close")]
    await _answer(send, 201, json.dumps(seen).encode(), headers)

async def living(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            events.append(message["type"])
            scope["state"]["greeting"] = "hello"
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await _answer(send, 200, scope["state"]["greeting"].encode())

async def stillborn(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        raise RuntimeError("no database")

async def failing(scope, receive, send):
    if scope["path"] == "/late":
        await _answer(send, 418, b"my own page")
        raise ValueError("after the answer")
    if scope["path"] == "/exit":
        sys.exit(3)
    if scope["path"] == "/half":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        return
    if scope["path"] == "/disorder":
        await send({"type": "http.response.body", "body": b"x"})
    raise ValueError("boom")

async def streaming(scope, receive, send):
    await receive()
    gone = asyncio.ensure_future(receive())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for part in (b"a", b"b", b"c"):
        await asyncio.sleep(0)
        assert not gone.done()
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})
    assert (await gone)["type"] == "http.disconnect"
    events.append("background began")
    await release.wait()
    events.append("background done")

async def stuck(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    events.append("stuck")
    began.set()
    try:
        await asyncio.Event().wait()
    finally:
        events.append("cancelled")

number = 5
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of the current directory; its name is its test's own."""
    name = f"asgi_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(SOURCE)
    (tmp_path / "asgi_broken.py").write_text("import sys\nsys.exit('not ready')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    for loaded in (name, "asgi_broken"):
        sys.modules.pop(loaded, None)


def quiet(_what: str, _code: int) -> None:
    """Nobody listens."""


def begin(app: str) -> tuple[BehaviourRuntime, Process]:
    runtime = BehaviourRuntime(parse_rules([{"image": "*", "asgi": app}]))
    return runtime, runtime.start(ContainerStart("w", "s", "n", "p", "c", "acme/x"), quiet)


def ask(target: str = "/", method: str = "GET", **more: Any) -> Request:
    return Request(method, target, more.get("headers", ()), more.get("body", b""), "web", 8080)


async def asked(process: Process, request: Request) -> Response:
    answer = process.answer(request)
    assert not isinstance(answer, Response)
    return await answer


def live(app: str, *requests: Request) -> tuple[list[Response], str]:
    """Answers on one loop, and the log after the end."""

    async def play() -> tuple[list[Response], str]:
        runtime, process = begin(app)
        responses = [await asked(process, request) for request in requests]
        await runtime.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return responses, process.logs()

    return asyncio.run(play())


def offline(app: str, *requests: Request) -> tuple[list[Response], str]:
    """Answers each on a loop of its own, and the log after the end."""
    runtime, process = begin(app)
    responses = [asyncio.run(asked(process, request)) for request in requests]
    runtime.close()
    return responses, process.logs()


@pytest.mark.parametrize("run", [live, offline])
def test_the_application_sees_the_request(module: str, run: Any) -> None:
    request = ask(
        "/a%20b?x=%20", "post", headers=(("host", "web:8080"), ("x-é", "ü")), body=b"text"
    )
    (response,), log = run(f"{module}:plain", request)
    assert response.status == 201
    assert not response.stand_in
    assert dict(response.headers) == {
        "content-type": "application/json",
        "content-length": str(len(response.body)),
    }
    assert json.loads(response.body) == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/a b",
        "raw_path": "/a%20b",
        "query_string": "x=%20",
        "root_path": "",
        "headers": [["host", "web:8080"], ["x-é", "ü"]],
        "server": ["web", 8080],
        "state": {},
        "body": "text",
    }
    assert log == f'"post /a%20b?x=%20" 201 {len(response.body)}\n'


def test_the_lifespan_spans_the_containers_life(module: str) -> None:
    responses, _ = live(f"{module}:living", ask(), ask())
    assert [response.body for response in responses] == [b"hello", b"hello"]
    assert sys.modules[module].events == ["lifespan.startup", "lifespan.shutdown"]


def test_offline_the_lifespan_spans_an_answer(module: str) -> None:
    responses, _ = offline(f"{module}:living", ask(), ask())
    assert [response.body for response in responses] == [b"hello", b"hello"]
    assert sys.modules[module].events == ["lifespan.startup", "lifespan.shutdown"] * 2


@pytest.mark.parametrize("run", [live, offline])
def test_a_failed_startup_is_told(module: str, run: Any) -> None:
    (response,), log = run(f"{module}:stillborn", ask())
    assert response.status == 500
    assert b"startup failed" in response.body
    assert "no database" in log


@pytest.mark.parametrize("run", [live, offline])
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/", "ValueError: boom"),
        ("/exit", "SystemExit: 3"),
        ("/half", "without a complete answer"),
        ("/disorder", "unexpected ASGI message 'http.response.body'"),
    ],
)
def test_a_failure_is_a_500_and_in_the_log(module: str, run: Any, path: str, told: str) -> None:
    (response,), log = run(f"{module}:failing", ask(path))
    assert (response.status, response.body) == (500, b"Internal Server Error\n")
    assert ("content-type", "text/plain; charset=utf-8") in response.headers
    assert told in log


def test_an_answer_given_before_a_failure_counts(module: str) -> None:
    (response,), log = live(f"{module}:failing", ask("/late"))
    assert (response.status, response.body) == (418, b"my own page")
    assert "ValueError: after the answer" in log


def test_work_after_the_answer_goes_on(module: str) -> None:
    async def play() -> None:
        runtime, process = begin(f"{module}:streaming")
        response = await asked(process, ask())
        assert response.body == b"abc"
        assert ("content-length", "3") in response.headers
        loaded = sys.modules[module]
        assert "background done" not in loaded.events
        loaded.release.set()
        await runtime.aclose()
        assert loaded.events == ["background began", "background done"]

    asyncio.run(play())


def test_a_caller_who_leaves_ends_the_call(module: str) -> None:
    async def play() -> None:
        runtime, process = begin(f"{module}:stuck")
        loaded = sys.modules[module]
        call = asyncio.ensure_future(asked(process, ask()))
        await loaded.began.wait()
        call.cancel()
        await asyncio.wait((call,))
        await runtime.aclose()
        assert loaded.events == ["stuck", "cancelled"]

    asyncio.run(play())


def test_a_head_answer_keeps_the_declared_length(module: str) -> None:
    (response,), _ = live(f"{module}:plain", ask("/", "HEAD"))
    assert ("content-length", str(len(response.body))) in response.headers


@pytest.mark.parametrize(
    ("app", "words"),
    [
        ("no_such_module:app", ["no_such_module", "ModuleNotFoundError", "install it"]),
        ("asgi_broken:app", ["asgi_broken", "SystemExit", "correct it"]),
        ("{module}:nothing", ["nothing", "module:app"]),
        ("{module}:plain.x", ["'x'", "module:app"]),
        ("{module}:number", ["number", "int", "callable"]),
    ],
)
def test_an_application_that_cannot_be_had(module: str, app: str, words: list[str]) -> None:
    with pytest.raises(StartFailed) as caught:
        begin(app.format(module=module))
    for word in words:
        assert word in str(caught.value)


def test_startup_of_the_rule_is_scripted(module: str) -> None:
    rules = parse_rules([{"image": "*", "asgi": f"{module}:plain", "startup": "1s"}])
    runtime = BehaviourRuntime(rules)
    process = runtime.start(ContainerStart("w", "s", "n", "p", "c", "acme/x"), quiet)
    assert process.plan == Plan(1_000_000_000)
    runtime.close()
    assert not process.listens(80)
