"""The forward proxy end to end: a real server, real sockets, real upstreams."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from ipaddress import ip_address

import httpx
import pytest
from gateway_served import PATIENCE, SERVICE, Served, echo, get, route, upstream

from emulator.domain.workload import Request, Response
from emulator.gateway.egress import DENY, parse_egress
from emulator.gateway.transport import Inbound, is_local
from emulator.platform import NoRoute

URL = f"http://{SERVICE}:5678"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    made = Served().start()
    yield made
    made.stop()


@pytest.fixture
def served(server: Served) -> Served:
    server.reset()
    server.proxy.egress = parse_egress("allow")
    server.book.routes[SERVICE, 5678] = route(echo)
    return server


def answering(served: Served, status: int, *headers: tuple[str, str], body: bytes = b"") -> None:
    response = Response(status, headers, body)
    served.book.routes[SERVICE, 5678] = route(lambda request: response)


# -- refusals ----------------------------------------------------------------------------------

ROWS = {
    "https": ("https://s-x/", 400, "http://s-x"),
    "credentials": (f"http://me:secret@{SERVICE}:5678/", 400, "Authorization"),
    "port": ("http://s-x:70000/", 400, "1 to 65535"),
    "unknown service": ("http://s-never:5678/", 502, "unknown to the platform"),
    "unknown address": ("http://172.16.1.1/", 502, "unknown to the platform"),
    "stopped": ("http://s-old:5678/", 502, "it was stopped."),
    "unready": ("http://s-wait:5678/", 503, "0/3 nodes are available"),
    "itself": ("http://127.0.0.1:{port}/_emulator/health", 403, "NO_PROXY"),
    "itself by name": ("http://LOCALHOST.:{port}/_emulator/health", 403, "NO_PROXY"),
    "itself, spelled short": ("http://127.1:{port}/_emulator/health", 403, "NO_PROXY"),
    "itself, as a number": ("http://2130706433:{port}/_emulator/health", 403, "NO_PROXY"),
    "itself, in octal": ("http://0177.0.0.01:{port}/_emulator/health", 403, "NO_PROXY"),
    "itself, in hexadecimal": ("http://0x7f000001:{port}/_emulator/health", 403, "NO_PROXY"),
    "itself, mapped": ("http://[::ffff:127.0.0.1]:{port}/", 403, "loopback"),
    "loopback": ("http://127.8.9.10:22/", 403, "loopback"),
    "loopback of IPv6": ("http://[::1]:22/", 403, "loopback"),
    "unspecified": ("http://0.0.0.0:22/", 403, "unspecified"),
    "unspecified, short": ("http://0:22/", 403, "unspecified"),
    "metadata": ("http://169.254.169.254/latest/meta-data", 403, "metadata"),
    "metadata of IPv6": ("http://[fd00:ec2::254]/latest/meta-data", 403, "metadata"),
    "link-local": ("http://[fe80::1]/", 403, "link-local"),
    "multicast": ("http://224.0.0.1/", 403, "multicast"),
    "a bad address among good": ("http://two-faced/", 403, "loopback"),
    "no such host": ("http://nowhere.invalid/", 502, "cannot be resolved"),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_refusal(row: str, served: Served) -> None:
    url, status, words = ROWS[row]
    served.book.routes["s-wait", 5678] = NoRoute("w", "s-wait")
    served.book.messages["w"] = ("0/3 nodes are available", 5)
    served.book.gone["s-old"] = "it was stopped."
    served.names["two-faced"] = [ip_address("93.184.216.34"), ip_address("127.0.0.1")]
    answer = served.ask(get(url.format(port=served.port)))
    assert answer.status == status
    assert answer.json() == {
        "status": status,
        "message": answer.json()["message"],
        "errorCode": None,
    }
    assert words in answer.json()["message"]
    assert answer.all("content-type") == ["application/json"]
    assert answer.all("x-emulator") == ["simulated; stand-in=False"]
    assert answer.all("retry-after") == (["5"] if status == 503 else [])
    assert served.inner == []
    [(found, head, seen, took)] = served.observed
    assert (found, seen, head.asked.method) == (None, status, "GET")
    assert took > 0


def test_egress_denied_is_not_even_looked_up(served: Served) -> None:
    served.proxy.egress = DENY
    assert served.ask(get("http://a.com/")).status == 403
    served.proxy.egress = parse_egress("*.b.org")
    assert served.ask(get("http://b.org/")).status == 403
    assert served.lookups == []
    assert served.ask(get(URL)).status == 200


def test_a_websocket_handshake_in_absolute_form_does_not_get_past(served: Served) -> None:
    lines = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x")
    answer = served.ask(get(f"http://127.0.0.1:{served.port}/ws", *lines))
    assert answer.status == 403
    assert served.ask(get(URL, *lines)).json()["headers"][1:] == [["sec-websocket-key", "x"]]
    assert served.ask(get("/ws", *lines)).status == 418
    assert served.inner == []


def test_a_refusal_of_head_has_no_body(served: Served) -> None:
    with served.wire() as wire:
        wire.send(get("http://s-never/", method="HEAD") + get("/after"))
        assert wire.answer("HEAD").status == 502
        assert wire.answer().body == b"api /after"


# -- behaviours --------------------------------------------------------------------------------


def test_what_the_container_gets(served: Served) -> None:
    data = get(
        f"http://{SERVICE.upper()}.:5678/a%20b?x=1&x=2",
        "X-Twice: one",
        "Authorization: Bearer t",
        "x-twice: two",
        "Connection: keep-alive, X-Hop, Authorization",
        "X-Hop: gone",
        "Keep-Alive: timeout=5",
        "Proxy-Authorization: Basic x",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
        "Upgrade: h2c",
        method="PATCH",
        body=b"abc",
    )
    assert served.ask(data).json() == {
        "method": "PATCH",
        "target": "/a%20b?x=1&x=2",
        "headers": [
            ["host", f"{SERVICE.upper()}.:5678"],
            ["x-twice", "one"],
            ["authorization", "Bearer t"],
            ["x-twice", "two"],
            ["content-length", "3"],
        ],
        "body": "abc",
        "host": SERVICE,
        "port": 5678,
    }


def test_a_chunked_body_is_given_its_length(served: Served) -> None:
    head = get(URL, "Transfer-Encoding: chunked", method="POST")
    seen = served.ask(head + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").json()
    assert seen["body"] == "abc"
    assert dict(seen["headers"])["content-length"] == "3"
    assert "transfer-encoding" not in dict(seen["headers"])


def test_a_routes_headers_replace_the_callers(served: Served) -> None:
    served.book.routes[SERVICE, 5678] = route(echo, Host="other", **{"X-A": "ours"})
    headers = served.ask(get(URL, "X-A: theirs")).json()["headers"]
    assert headers == [["host", "other"], ["x-a", "ours"]]


def test_what_the_caller_gets(served: Served) -> None:
    answering(
        served,
        201,
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Connection", "X-Hop"),
        ("X-Hop", "gone"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "99"),
        ("X-Emulator", "me"),
        ("Proxy-Authenticate", "Basic"),
        body=b"made",
    )
    answer = served.ask(get(URL))
    assert (answer.status, answer.body) == (201, b"made")
    assert answer.headers == [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("content-length", "4"),
        ("x-emulator", "simulated; stand-in=True"),
    ]
    [(found, head, status, _)] = served.observed
    assert found is not None
    assert (found.service, head.asked.authority, status) == (SERVICE, f"{SERVICE}:5678", 201)


def test_the_users_own_answer_is_no_stand_in(served: Served) -> None:
    made = Response(200, (), b"", stand_in=False)
    served.book.routes[SERVICE, 5678] = route(lambda request: made)
    assert served.ask(get(URL)).all("x-emulator") == ["simulated; stand-in=False"]


@pytest.mark.parametrize(
    ("status", "method", "headers", "length"),
    [
        (204, "GET", (), []),
        (304, "GET", (("Content-Length", "7"),), []),
        (200, "HEAD", (), ["4"]),
        (404, "HEAD", (), ["4"]),
    ],
)
def test_answers_without_a_body(
    status: int,
    method: str,
    headers: tuple[tuple[str, str], ...],
    length: list[str],
    served: Served,
) -> None:
    answering(served, status, *headers, body=b"body")
    with served.wire() as wire:
        wire.send(get(URL, method=method) + get("/after"))
        answer = wire.answer(method)
        assert (answer.status, answer.body) == (status, b"")
        assert answer.all("content-length") == length
        assert wire.answer().body == b"api /after"


def test_a_length_that_head_states_is_kept(served: Served) -> None:
    answering(served, 200, ("Content-Length", "1234"))
    assert served.ask(get(URL, method="HEAD"), "HEAD").all("content-length") == ["1234"]


def test_a_body_over_the_limit(served: Served) -> None:
    calls: list[Request] = []
    served.book.routes[SERVICE, 5678] = route(calls.append)
    chunked = get(URL, "Transfer-Encoding: chunked", method="POST")
    over = chunked + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
    with served.wire() as wire:
        for data in (over, get(URL, method="POST", body=b"x" * 1001)):
            wire.send(data)
            answer = wire.answer()
            assert (answer.status, answer.json()["status"]) == (413, 413)
            assert "1000 bytes" in answer.json()["message"]
        assert calls == []
        served.book.routes[SERVICE, 5678] = route(echo)
        wire.send(get(URL, method="POST", body=b"x" * 1000))
        assert len(wire.answer().json()["body"]) == 1000


async def raising(request: Request) -> Response:
    raise LookupError("no such model")


BAD = {
    "raises": (lambda request: json.loads("{"), "JSONDecodeError"),
    "raises later": (raising, "LookupError: no such model"),
    "answers nothing": (lambda request: None, "TypeError"),
    "no status": (lambda request: Response(999, (), b""), "999"),
    "an interim status": (lambda request: Response(100, (), b""), "100"),
    "header name": (lambda request: Response(200, (("a b", "c"),), b""), "'a b'"),
    "header value": (lambda request: Response(200, (("a", "b\r\nc: d"),), b""), "control"),
    "header letters": (lambda request: Response(200, (("a", "\u20ac"),), b""), "Latin-1"),
}


@pytest.mark.parametrize("row", BAD)
def test_a_behaviour_that_fails(row: str, served: Served, caplog: pytest.LogCaptureFixture) -> None:
    target, words = BAD[row]
    served.book.routes[SERVICE, 5678] = route(target)
    with caplog.at_level(logging.ERROR, "emulator.gateway"):
        answer = served.ask(get(URL))
    assert answer.status == 502
    assert SERVICE in answer.json()["message"]
    assert words in answer.json()["message"]
    assert answer.all("x-emulator") == ["simulated; stand-in=False"]
    assert [record.name for record in caplog.records] == ["emulator.gateway"]


def test_an_answer_that_waits_is_cancelled_when_the_caller_goes(served: Served) -> None:
    began, cancelled = threading.Event(), threading.Event()

    async def forever(request: Request) -> Response:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    served.book.routes[SERVICE, 5678] = route(forever)
    with served.wire() as wire:
        wire.send(get(URL))
        assert began.wait(PATIENCE)
    assert cancelled.wait(PATIENCE)
    assert [status for _, _, status, _ in served.observed] == [499]


def test_also_when_another_request_is_queued_behind_it(served: Served) -> None:
    began, cancelled = threading.Event(), threading.Event()

    async def forever(request: Request) -> Response:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    served.book.routes[SERVICE, 5678] = route(forever)
    with served.wire() as wire:
        wire.send(get(URL) + get("/never"))
        assert began.wait(PATIENCE)
    assert cancelled.wait(PATIENCE)
    assert served.inner == []


def test_an_ordinary_client_with_a_proxy_setting(served: Served) -> None:
    proxy = f"http://127.0.0.1:{served.port}"
    with httpx.Client(proxy=proxy, trust_env=False) as client:
        seen = client.post(f"{URL}/predict?n=1", json={"a": 1}).json()
        assert (seen["target"], json.loads(seen["body"])) == ("/predict?n=1", {"a": 1})
        assert client.get(f"{URL}/x").json()["target"] == "/x"
        with pytest.raises(httpx.ProxyError, match="405"):
            client.get("https://example.org/")


# -- addresses ---------------------------------------------------------------------------------


def test_an_address_gets_what_was_sent(served: Served) -> None:
    with upstream() as up:
        served.book.routes[SERVICE, 5678] = route(up.address, **{"X-Route": "1"})
        data = get(
            f"{URL}/a%2Fb;c?q=[1]|'",
            "X-Twice: one",
            "X-Twice: two",
            "Accept-Encoding: gzip",
            "Authorization: Bearer t",
            "Connection: X-Hop",
            "X-Hop: gone",
            "Proxy-Authorization: x",
            "Expect: 100-continue",
            method="POST",
            body=b"abc",
        )
        with served.wire() as wire:
            wire.send(data)
            assert wire.head()[0] == 100
            answer = wire.answer()
        served.finish()
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.all("x-emulator") == ["simulated; stand-in=False"]
    assert up.got.decode().split("\r\n") == [
        "POST /a%2Fb;c?q=[1]|' HTTP/1.1",
        f"host: {SERVICE}:5678",
        "x-twice: one",
        "x-twice: two",
        "accept-encoding: gzip",
        "authorization: Bearer t",
        "content-length: 3",
        "x-route: 1",
        "",
        "abc",
    ]


def test_bodies_stream_both_ways(served: Served) -> None:
    parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"one", b"two"))
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts
    with upstream(reply) as up:
        served.book.routes[SERVICE, 5678] = route(up.address)
        with served.wire() as wire:
            wire.send(get(URL, "Transfer-Encoding: chunked", method="POST") + b"2\r\nab\r\n")
            assert up.has(b"2\r\nab\r\n")
            wire.send(b"1\r\nc\r\n0\r\n\r\n")
            assert wire.head()[0] == 200
            # The upstream has not ended its answer, and the caller has these already.
            assert wire.chunk() in (b"one", b"onetwo")
            assert up.got.endswith(b"1\r\nc\r\n0\r\n\r\n")
        # The caller has left in the middle: so does the proxy.
        assert up.left.wait(PATIENCE)
    assert b"transfer-encoding: chunked" in up.got.lower()
    assert b"content-length" not in up.got.lower()


def test_what_comes_back_from_an_address(served: Served) -> None:
    reply = (
        b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nSet-Cookie: a=1\r\n"
        b"Set-Cookie: b=2\r\nConnection: X-Hop\r\nX-Hop: gone\r\nKeep-Alive: timeout=9\r\n"
        b"X-Emulator: another\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00"
    )
    with upstream(reply) as up:
        served.book.routes[SERVICE, 5678] = route(up.address)
        answer = served.ask(get(URL))
        served.finish()
    assert (answer.status, answer.body) == (302, b"\x1f\x8b\x00")
    assert answer.headers == [
        ("location", "http://elsewhere/"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("content-encoding", "gzip"),
        ("content-length", "3"),
        ("x-emulator", "simulated; stand-in=False"),
    ]
    assert b"cookie" not in up.got


@pytest.mark.parametrize(
    ("method", "reply", "length"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ["5"]),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", []),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", []),
    ],
)
def test_no_body_from_an_address(
    method: str, reply: bytes, length: list[str], served: Served
) -> None:
    with upstream(reply) as up:
        served.book.routes[SERVICE, 5678] = route(up.address)
        with served.wire() as wire:
            wire.send(get(URL, method=method) + get("/after"))
            assert wire.answer(method).all("content-length") == length
            assert wire.answer().body == b"api /after"
        served.finish()


def test_an_address_that_does_not_answer(served: Served) -> None:
    with upstream(b"") as up:
        up.reply = b"CUT"
        served.book.routes[SERVICE, 5678] = route(up.address)
        broken = served.ask(get(URL))
    closed = served.ask(get(URL))
    for answer in (broken, closed):
        assert answer.status == 502
        assert f"{SERVICE} cannot be reached" in answer.json()["message"]


def test_an_answer_that_breaks_off_is_cut_for_the_caller_too(served: Served) -> None:
    with upstream(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nCUT") as up:
        served.book.routes[SERVICE, 5678] = route(up.address)
        with served.wire() as wire:
            wire.send(get(URL))
            assert wire.head()[0] == 200
            assert [wire.closed() for _ in range(4)] == [False, False, False, True]


def test_a_caller_that_leaves_while_an_address_thinks(served: Served) -> None:
    with upstream() as up:
        up.reply = b"HTTP/1.1 100 Continue\r\n\r\n"
        served.book.routes[SERVICE, 5678] = route(up.address)
        with served.wire() as wire:
            wire.send(get(URL))
            assert up.has(b"\r\n\r\n")
        assert up.left.wait(PATIENCE)
    assert [status for _, _, status, _ in served.observed] == [499]


def test_the_end_of_an_answer_is_not_taken_for_a_caller_that_left() -> None:
    async def scene() -> str:
        answered, heard = asyncio.Event(), asyncio.Event()

        async def receive() -> dict[str, str]:
            await answered.wait()
            heard.set()
            return {"type": "http.disconnect"}

        async def work() -> str:
            answered.set()
            await heard.wait()
            await asyncio.wait_for(asyncio.to_thread(lambda: None), PATIENCE)  # tidies up
            return "tidied"

        inbound = Inbound(receive, answered.is_set)
        inbound.read.set()
        return await inbound.unless_gone(work())

    assert asyncio.run(scene()) == "tidied"


def test_the_addresses_of_this_machine_are_known() -> None:
    assert is_local(ip_address("127.0.0.1"))
    assert not is_local(ip_address("192.0.2.1"))
    assert not is_local(ip_address("2001:db8::1"))
