"""Echo, static, http-echo, and what all behaviours share."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.domain.timefmt import OFFLINE_EPOCH, SECOND
from emulator.domain.workload import (
    ContainerRuntime,
    ContainerStart,
    Exit,
    Plan,
    Process,
    Request,
    Response,
    StartFailed,
)
from emulator.workloads.base import LogBuffer, reply
from emulator.workloads.rules import parse_rules
from emulator.workloads.runtime import BehaviourRuntime

HTTP_ECHO = "docker.io/hashicorp/http-echo:1.0"


def quiet(_what: str, _code: int) -> None:
    """Nobody listens."""


def container(image: str = "acme/any:1", **more: Any) -> ContainerStart:
    fields: dict[str, Any] = {"started_unix": OFFLINE_EPOCH + 3 * SECOND, **more}
    return ContainerStart("w", "s-web", "ns", "s-web-0", "c", image, **fields)


def request(target: str = "/", method: str = "GET", **more: Any) -> Request:
    headers = more.get("headers", (("host", "s-web:80"), ("user-agent", "probe/1")))
    return Request(method, target, headers, more.get("body", b""), "s-web:80", 80)


def start(image: str = "acme/any:1", *rules: dict[str, Any], **more: Any) -> Process:
    return BehaviourRuntime(parse_rules(list(rules))).start(container(image, **more), quiet)


def at_once(process: Process, asked: Request) -> Response:
    response = process.answer(asked)
    assert isinstance(response, Response)
    lengths = [value for name, value in response.headers if name == "content-length"]
    assert lengths == [str(len(response.body))]
    assert sum(name == "content-type" for name, _ in response.headers) == 1
    return response


@given(st.binary(max_size=200))
def test_echo_round_trips_any_body(body: bytes) -> None:
    told = json.loads(at_once(start(), request("/", "POST", body=body)).body)
    if "encoding" in told:
        assert told["encoding"] == "base64"
        assert base64.b64decode(told["body"], validate=True) == body
    else:
        assert told["body"].encode() == body


@given(
    st.text("abc/%é \ud800", max_size=10),
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.text("x=é&%\ud800", max_size=5)), max_size=4
    ),
)
def test_echo_answers_json_whatever_it_is_asked(path: str, headers: list[tuple[str, str]]) -> None:
    response = at_once(start(), request(f"/{path}", headers=tuple(headers)))
    assert set(json.loads(response.body)["headers"]) == {name for name, _ in headers}


def test_echo_describes_the_request() -> None:
    process = start()
    asked = request(
        "/a%20b/c?x=1&x=2&y=&z=%C3%A9",
        "PUT",
        headers=(("accept", "a/b"), ("x-two", "1"), ("x-two", "2")),
        body=b"text",
    )
    response = at_once(process, asked)
    assert response.status == 200
    assert response.stand_in
    assert json.loads(response.body) == {
        "service": "s-web",
        "pod": "s-web-0",
        "image": "acme/any:1",
        "method": "PUT",
        "path": "/a%20b/c",
        "query": {"x": ["1", "2"], "y": [""], "z": ["é"]},
        "headers": {"accept": "a/b", "x-two": "1, 2"},
        "body": "text",
    }
    assert process.plan == Plan()
    assert process.listens(1)
    assert process.listens(65535)
    assert process.logs() == f'"PUT /a%20b/c?x=1&x=2&y=&z=%C3%A9" 200 {len(response.body)}\n'


def test_static_with_a_scripted_life() -> None:
    rule = {
        "image": "acme/*",
        "static": {"status": 503, "json": {"ok": False}},
        "startup": "2s",
        "exit": {"after": "5s", "code": 3},
        "listens": [8080],
    }
    process = start("acme/web:2", rule)
    assert process.plan == Plan(2 * SECOND, Exit(5 * SECOND, 3, "Error"))
    assert [process.listens(port) for port in (80, 8080)] == [False, True]
    response = at_once(process, request("/x"))
    assert (response.status, response.stand_in) == (503, True)
    assert json.loads(response.body) == {"ok": False}
    assert process.logs() == f'"GET /x" 503 {len(response.body)}\n'
    process.stop()
    process.stop()
    assert not process.listens(8080)


@pytest.mark.parametrize(
    ("command", "args", "port", "body", "status"),
    [
        ((), ("-text=hi",), 5678, b"hi\n", 200),
        ((), ("--text=a=b",), 5678, b"a=b\n", 200),
        ((), ("-text", "two words"), 5678, b"two words\n", 200),
        ((), ("--text", "-x", "-listen", ":80"), 80, b"-x\n", 200),
        (("/http-echo", "-text=hi"), ("--listen=127.0.0.1:8080",), 8080, b"hi\n", 200),
        (("-text=hi",), ("-listen", "[::]:81", "-status-code=404"), 81, b"hi\n", 404),
        ((), ("-text=a", "-text=b", "--"), 5678, b"b\n", 200),
        ((), ("-text=a", "-status-code", "204"), 5678, b"", 204),
    ],
)
def test_http_echo_honours_its_flags(
    command: tuple[str, ...], args: tuple[str, ...], port: int, body: bytes, status: int
) -> None:
    process = start(HTTP_ECHO, command=command, args=args)
    assert process.plan == Plan()
    assert [p for p in (80, 81, 5678, 8080) if process.listens(p)] == [port]
    response = at_once(process, request("/any/path?q=1"))
    assert (response.status, response.body, response.stand_in) == (status, body, True)


def test_http_echo_headers_and_log() -> None:
    process = start(HTTP_ECHO, args=("-text=hello",))
    response = at_once(process, request("/any?q=1"))
    assert response.headers == (
        ("x-app-name", "http-echo"),
        ("x-app-version", "1.0.0"),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "6"),
    )
    assert process.logs().splitlines() == [
        "2026/01/01 00:00:03 [INFO] server is listening on :5678",
        's-web:80 "GET /any HTTP/1.1" 200 6 "probe/1"',
    ]


def test_http_echo_takes_its_text_from_the_environment() -> None:
    process = start(HTTP_ECHO, env={"ECHO_TEXT": "from env"})
    assert at_once(process, request()).body == b"from env\n"


@pytest.mark.parametrize(
    ("args", "code", "last"),
    [
        (("-text=",), 127, "Missing -text option!"),
        (("-text=a", "b"), 127, "Too many arguments!"),
        (("-text",), 2, "flag needs an argument: -text"),
        (("-txt=a",), 2, "flag provided but not defined: -txt"),
        (
            ("-text=a", "-status-code=x"),
            2,
            'invalid value "x" for flag -status-code: parse error',
        ),
        (("-version",), 0, "http-echo v1.0.0"),
        (
            ("-text=a", "-listen=5678"),
            1,
            "2026/01/01 00:00:03 [ERR] server exited with: "
            "listen tcp: address 5678: no port to listen on",
        ),
    ],
)
def test_http_echo_ends_at_once(args: tuple[str, ...], code: int, last: str) -> None:
    process = start(HTTP_ECHO, args=args)
    reason = "Error" if code else "Completed"
    assert process.plan == Plan(exit=Exit(0, code, reason))
    assert process.logs().splitlines()[-1] == last
    assert not process.listens(5678)


@pytest.mark.parametrize("image", ["hashicorp/http-echo", "hashicorp/http-echo:1.0"])
def test_http_echo_has_a_text_of_its_own(image: str) -> None:
    assert at_once(start(image), request()).body == b"hello-world\n"


def test_an_old_http_echo_needs_a_text() -> None:
    process = start("hashicorp/http-echo:0.2.3")
    assert process.plan == Plan(exit=Exit(0, 127, "Error"))
    assert process.logs() == "Missing -text option!\n"


@given(st.lists(st.text("ab\n", max_size=12), max_size=30))
def test_a_log_keeps_its_last_part(texts: list[str]) -> None:
    log = LogBuffer(limit=20)
    for text in texts:
        log.write(text)
    whole = "".join(texts)
    kept = log.text()
    assert whole.endswith(kept)
    assert len(kept) <= 20
    assert kept == whole or len(kept) > 20 - 20 // 8 - 12, "no more is dropped than needed"
    if len(whole) <= 20:
        assert kept == whole


def test_a_text_larger_than_the_log_is_cut() -> None:
    log = LogBuffer(limit=4)
    log.write("abcdefgh")
    assert log.text() == "efgh"


@given(
    st.sampled_from(["GET", "HEAD"]), st.sampled_from([200, 204, 304, 404]), st.binary(max_size=5)
)
def test_reply_declares_the_length_of_its_body(method: str, status: int, body: bytes) -> None:
    given_headers = (("Content-Length", "77"), ("X-A", "b"))
    response = reply(status, given_headers, body, stand_in=True, method=method)
    lengths = [value for name, value in response.headers if name == "content-length"]
    declared = not response.body and (method == "HEAD" or status == 304)
    assert lengths == ["77" if declared else str(len(response.body))]
    assert response.body == (b"" if status in (204, 304) else body)
    assert ("x-a", "b") in response.headers


@pytest.mark.parametrize("fields", [{"upstream": "http://h:1"}, {"command": ["true"]}])
def test_real_behaviours_need_the_live_platform(fields: dict[str, Any]) -> None:
    (kind,) = fields
    with pytest.raises(StartFailed, match=f"{kind}.*acme/any:1.*dhemu up"):
        start("acme/any:1", {"image": "*", **fields})


def test_close_stops_what_lives_and_starts_no_more() -> None:
    runtime = BehaviourRuntime()
    seam: ContainerRuntime = runtime  # for the type checker
    stopped, left = (seam.start(container(), quiet) for _ in range(2))
    stopped.stop()
    runtime.close()
    runtime.close()
    assert not left.listens(80)
    with pytest.raises(StartFailed, match="closing"):
        runtime.start(container(), quiet)
