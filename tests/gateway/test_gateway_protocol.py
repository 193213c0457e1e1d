"""The shared port: which requests are the proxy's, in what order answers go out, what is refused."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Iterator

import pytest
from gateway_served import PATIENCE, SERVICE, Served, Wire, echo, get, route
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.domain.workload import Request, Response
from emulator.gateway.protocol import read_target

URL = f"http://{SERVICE}:5678"
SLOW = get("/slow")


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    made = Served().start()
    yield made
    made.stop()


@pytest.fixture
def served(server: Served) -> Served:
    server.reset()
    server.book.routes[SERVICE, 5678] = route(echo)
    return server


@pytest.mark.parametrize(
    ("method", "url", "authority", "target"),
    [
        ("GET", "http://a/x?y=1&z", "a", "/x?y=1&z"),
        ("GET", "HTTP://A:1", "A:1", "/"),
        ("GET", "http://a?x=/y", "a", "/?x=/y"),
        ("GET", "http://a/x%20%2F?q#f/?", "a", "/x%20%2F?q"),
        ("GET", "http://a#f", "a", "/"),
        ("GET", "http://u:p@[::1]:80//x", "u:p@[::1]:80", "//x"),
        ("GET", "http://a/http://b/", "a", "/http://b/"),
        ("OPTIONS", "http://a", "a", "*"),
        ("OPTIONS", "http://a/", "a", "/"),
        ("CONNECT", "a:443", "a:443", ""),
    ],
)
def test_a_proxied_target_is_split(method: str, url: str, authority: str, target: str) -> None:
    tag = read_target(method, url.encode())
    scheme = "" if method == "CONNECT" else "http"
    expected = {"method": method, "scheme": scheme, "authority": authority, "target": target}
    assert tag == expected


def test_only_an_absolute_target_is_the_proxys(served: Served) -> None:
    with served.wire() as wire:
        wire.send(f"GET /x HTTP/1.1\r\nHost: {SERVICE}:5678\r\n\r\n".encode())
        assert wire.answer().body == b"api /x"
        wire.send(get(f"{URL}/x"))
        assert wire.answer().json()["target"] == "/x"
        wire.send(b"GET //" + SERVICE.encode() + b":5678/x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.answer().body == f"api //{SERVICE}:5678/x".encode()
    assert all("extensions" not in scope for scope in served.inner)


def test_answers_keep_the_order_of_pipelined_requests(served: Served) -> None:
    with served.wire() as wire:
        wire.send(SLOW + get(f"{URL}/1") + get("/2") + get(f"{URL}/3"))
        assert served.began.wait(PATIENCE)
        served.open_gate()
        assert wire.answer().body == b"api /slow"
        assert wire.answer().json()["target"] == "/1"
        assert wire.answer().body == b"api /2"
        assert wire.answer().json()["target"] == "/3"


STREAM = (
    get("/a")
    + get(f"{URL}/b", "Transfer-Encoding: chunked", method="POST")
    + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    + get(f"{URL}/c", method="PUT", body=b"fgh")
    + get(f"{URL}/d", "Connection: Upgrade", "Upgrade: websocket")
    + get("/e", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")
    + get(f"{URL}/f")
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(st.sets(st.integers(1, len(STREAM) - 1), max_size=6))
def test_however_the_bytes_arrive(server: Served, cuts: set[int]) -> None:
    server.book.routes[SERVICE, 5678] = route(echo)
    bounds = [0, *sorted(cuts), len(STREAM)]
    with server.wire() as wire:
        for start, end in itertools.pairwise(bounds):
            wire.send(STREAM[start:end])
        assert wire.answer().body == b"api /a"
        bodies = [wire.answer().json() for _ in range(3)]
        assert [(seen["target"], seen["body"]) for seen in bodies] == [
            ("/b", "abcde"),
            ("/c", "fgh"),
            ("/d", ""),
        ]
        assert wire.answer().body == b"api /e"
        assert wire.answer().json()["target"] == "/f"


def test_a_connection_is_kept_alive_unless_asked_otherwise(served: Served) -> None:
    with served.wire() as wire:
        for target in ("/1", "/2"):
            wire.send(get(URL + target))
            assert wire.answer().json()["target"] == target
        wire.send(get(f"{URL}/3", "Connection: close"))
        assert wire.answer().all("connection") == ["close"]
        assert wire.closed()


def test_connect_is_refused_and_the_connection_closed(served: Served) -> None:
    for target in (b"example.org:443", b"[::1]:443", b"127.0.0.1:1", b"nonsense"):
        with served.wire() as wire:
            wire.send(b"CONNECT " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03\x01 hello")
            answer = wire.answer()
            assert answer.status == 405
            assert "HTTPS_PROXY" in answer.json()["message"]
            assert answer.all("allow")
            assert answer.all("connection") == ["close"]
            assert wire.closed()


def test_connect_waits_for_its_turn(served: Served) -> None:
    with served.wire() as wire:
        wire.send(SLOW + b"CONNECT a:443 HTTP/1.1\r\n\r\n" + get("/never"))
        assert served.began.wait(PATIENCE)
        served.open_gate()
        assert wire.answer().body == b"api /slow"
        assert wire.answer().status == 405
        assert wire.closed()
    assert [scope["path"] for scope in served.inner] == ["/slow"]


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
BROKEN = {
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "one Host"),
    "two hosts, proxied": (get(f"{URL}/", "Host: b"), 400, "one Host"),
    "two hosts, websocket": (
        get("/ws", "Host: b", "Connection: Upgrade", "Upgrade: websocket"),
        400,
        "one Host",
    ),
    "two framings": (
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "Content-Length",
    ),
    "two framings, turned": (
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        400,
        "Content-Length",
    ),
    "two lengths": (HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400, "HTTP"),
    "another coding": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "chunked"),
    "no coding": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n", 501, "chunked"),
    "blank before a colon": (HEAD + b"Transfer-Encoding : chunked\r\n\r\n", 400, "HTTP"),
    "folded line": (HEAD + b"A: b\r\n c\r\n\r\n", 400, "HTTP"),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: a\n\n", 400, "HTTP"),
    "no method": (b"NONSENSE / HTTP/1.1\r\n\r\n", 400, "HTTP"),
    "no scheme": (b"GET a:80 HTTP/1.1\r\n\r\n", 400, "HTTP"),
    "bytes in a target": (b"GET http://\xc3\xa9/ HTTP/1.1\r\n\r\n", 400, "HTTP"),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00", 400, "HTTP"),
    "broken chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400, "HTTP"),
    "broken chunk, proxied": (
        get(URL, "Transfer-Encoding: chunked", method="POST") + b"1\r\na\r\nxyz\r\n",
        400,
        "HTTP",
    ),
}


def check_refused(wire: Wire, status: int, words: str) -> None:
    answer = wire.answer()
    assert answer.status == status
    body = answer.json()
    assert (body["status"], body["errorCode"]) == (status, None)
    assert words in body["message"]
    assert answer.all("x-emulator") == ["simulated; stand-in=False"]
    assert wire.closed()


@pytest.mark.parametrize("row", [row for row in BROKEN if row != "broken chunk"])
def test_what_is_no_request_is_refused(row: str, served: Served) -> None:
    data, status, words = BROKEN[row]
    with served.wire() as wire:
        wire.send(data)
        check_refused(wire, status, words)
    assert served.inner == []


@pytest.mark.parametrize("row", BROKEN)
def test_and_the_answer_before_it_comes_first(row: str, served: Served) -> None:
    data, status, words = BROKEN[row]
    with served.wire() as wire:
        wire.send(SLOW + data)
        assert served.began.wait(PATIENCE)
        served.open_gate()
        assert wire.answer().body == b"api /slow"
        check_refused(wire, status, words)
    assert [scope["path"] for scope in served.inner] == ["/slow"]


def test_a_body_that_breaks_late_withdraws_the_request(served: Served) -> None:
    calls: list[Request] = []
    served.book.routes[SERVICE, 5678] = route(calls.append)
    with served.wire() as wire:
        head = get(URL, "Transfer-Encoding: chunked", "Expect: 100-continue", method="POST")
        wire.send(head)
        assert wire.head()[0] == 100
        wire.send(b"3\r\nabc\r\nxyz\r\n")
        check_refused(wire, 400, "HTTP")
    assert calls == []
    assert [status for _, _, status, _ in served.observed] == [499]


def test_expect_100_continue(served: Served) -> None:
    with served.wire() as wire:
        wire.send(get(URL, "Expect: 100-continue", "Content-Length: 3", method="POST"))
        assert wire.head() == (100, [])
        wire.send(b"abc")
        seen = wire.answer().json()
        assert seen["body"] == "abc"
        assert "expect" not in dict(seen["headers"])


def test_no_100_for_a_body_that_nobody_wants(served: Served) -> None:
    with served.wire() as wire:
        wire.send(get(URL, "Expect: 100-continue", "Content-Length: 1001", method="POST"))
        assert wire.answer().status == 413


def test_small_writes_go_out_at_once(served: Served) -> None:
    with served.wire() as wire:
        wire.send(get(URL))
        wire.answer()
        [protocol] = [
            made
            for made in served.server.server_state.connections
            if made.transport.get_extra_info("peername") == wire.socket.getsockname()
        ]
        connection = protocol.transport.get_extra_info("socket")
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_client_of_http_1_0(served: Served) -> None:
    with served.wire() as wire:
        wire.send(f"GET {URL}/x HTTP/1.0\r\n\r\n".encode())
        assert json.loads(wire.answer().body)["target"] == "/x"
        assert wire.closed()


def test_a_graceful_shutdown_finishes_what_it_has_taken() -> None:
    began = threading.Event()
    release = threading.Event()

    async def slow(request: Request) -> Response:
        began.set()
        await stopping.loop.run_in_executor(None, release.wait)
        return Response(200, (), b"late")

    stopping = Served().start()
    stopping.book.routes[SERVICE, 5678] = route(slow)
    with stopping.wire() as busy, stopping.wire() as idle:
        idle.send(get("/x"))
        assert idle.answer().status == 200
        busy.send(get(URL))
        assert began.wait(PATIENCE)
        stopping.ask_to_stop()
        assert idle.closed()
        release.set()
        answer = busy.answer()
        assert (answer.status, answer.body) == (200, b"late")
        assert answer.all("connection") == ["close"]
    stopping.stop()
