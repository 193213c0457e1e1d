"""Rules: which image gets which behaviour, and what a wrong rule is told."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.domain.timefmt import SECOND
from emulator.domain.workload import (
    ContainerStart,
    Exit,
    MemoryUse,
    Plan,
    ProbeChange,
    Request,
    Response,
    Stop,
)
from emulator.workloads.behaviours import Asgi, Command, Echo, Rule, Static, Upstream
from emulator.workloads.catalogue import known
from emulator.workloads.rules import RuleError, RuleModel, parse_rules
from emulator.workloads.runtime import BehaviourRuntime

IMAGE = st.text("abcXYZ019/:.-_", min_size=1, max_size=20)


def quiet(_what: str, _code: int) -> None:
    """Nobody listens."""


def one(**fields: Any) -> Rule:
    (rule,) = parse_rules([{"image": "*", **fields}])
    return rule


def test_each_behaviour_is_read() -> None:
    assert one(asgi="pkg.mod:make.app").behaviour == Asgi("pkg.mod:make.app")
    assert one(upstream="https://host:8443/base").behaviour == Upstream("https://host:8443/base")
    assert one(command=["python", "s.py"]).behaviour == Command(("python", "s.py"))
    assert one(echo=True).behaviour == Echo()
    static = one(static={"status": 418, "headers": {"X-Tea": "pot"}, "body": "é"}).behaviour
    assert isinstance(static, Static)
    assert static.response.status == 418
    assert static.response.body == "é".encode()
    assert static.response.stand_in
    assert static.response.headers == (
        ("x-tea", "pot"),
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "2"),
    )


@pytest.mark.parametrize("value", [None, 0, "", [1, {"a": None}], {"é": 1.5}])
def test_static_json(value: Any) -> None:
    static = one(static={"json": value}).behaviour
    assert isinstance(static, Static)
    assert json.loads(static.response.body) == value
    assert ("content-type", "application/json") in static.response.headers


def test_static_own_content_type_stays_alone() -> None:
    static = one(static={"headers": {"Content-Type": "text/csv"}, "body": "a,b"}).behaviour
    assert isinstance(static, Static)
    assert static.response.headers == (("content-type", "text/csv"), ("content-length", "3"))


def test_common_fields() -> None:
    rule = one(echo=True, startup="1.5s", exit={"after": "5s"}, listens=[80, 8080])
    assert rule.plan == Plan(1_500_000_000, Exit(5 * SECOND, 1, "Error"))
    assert rule.ports == frozenset({80, 8080})
    assert one(echo=True) == Rule("*", Echo(), Plan(), None)
    done = one(echo=True, exit={"after": "0s", "code": 0})
    assert done.plan.exit == Exit(0, 0, "Completed")
    killed = one(echo=True, exit={"after": "1m", "code": 137, "reason": "OOMKilled"})
    assert killed.plan.exit == Exit(60 * SECOND, 137, "OOMKilled")


def test_the_words_of_a_scripted_life() -> None:
    plan = one(
        echo=True,
        memory={"after": "5s", "amount": "600Mi"},
        probes=[
            {"probe": "liveness", "after": "30s"},
            {"probe": "readiness", "after": "10s", "ok": True},
        ],
        stop="never",
    ).plan
    assert plan.memory == MemoryUse(5 * SECOND, 600 * 2**20)
    assert plan.probes == (  # in the order of their times
        ProbeChange(10 * SECOND, "readiness", True),
        ProbeChange(30 * SECOND, "liveness", False),
    )
    assert plan.stop == Stop(None)
    assert one(echo=True, stop="12s").plan.stop == Stop(12 * SECOND)


WRONG: list[tuple[dict[str, Any], tuple[str | int, ...], list[str]]] = [
    ({"echo": True, "image": ""}, ("image",), ["image", "''", "ghcr.io/acme/*"]),
    ({"echo": True, "image": 5}, ("image",), ["image", "5", "text"]),
    ({}, (), ["'*'", "no behaviour", "static"]),
    ({"echo": False}, ("echo",), ["echo", "False", "true"]),
    ({"echo": True, "asgi": "m:a"}, ("echo",), ["echo", "asgi", "one"]),
    ({"static": {}, "command": ["x"]}, ("command",), ["command", "static", "one"]),
    ({"ehco": True}, ("ehco",), ["ehco", "True", "did you mean echo?"]),
    ({"asgi": "server"}, ("asgi",), ["asgi", "'server'", "module:app"]),
    ({"upstream": "host:80"}, ("upstream",), ["upstream", "'host:80'", "http://"]),
    ({"upstream": "http://h:99999"}, ("upstream",), ["upstream", "99999", "http://host:port"]),
    ({"upstream": "http://h/?q=1"}, ("upstream",), ["upstream", "q=1", "http://host:port"]),
    ({"upstream": "http:///x"}, ("upstream",), ["upstream", "no host"]),
    ({"command": []}, ("command",), ["command", "[]", "server.py"]),
    ({"command": "python s.py"}, ("command",), ["command", "'python s.py'", "list"]),
    ({"command": ["x", 5]}, ("command", 1), ["command.1", "5", "text"]),
    ({"echo": True, "startup": "2"}, ("startup",), ["startup", "'2'", "1.5s"]),
    ({"echo": True, "startup": 2}, ("startup",), ["startup", "2", "text"]),
    ({"command": ["x"], "startup": "2s"}, ("startup",), ["startup", "'2s'", "command"]),
    ({"command": ["x"], "exit": {"after": "2s"}}, ("exit",), ["exit", "'2s'", "command"]),
    ({"echo": True, "exit": {}}, ("exit", "after"), ["exit.after", "missing", "5s"]),
    ({"echo": True, "exit": {"after": "x"}}, ("exit", "after"), ["after", "'x'", "1.5s"]),
    ({"echo": True, "exit": {"after": "1s", "code": 256}}, ("exit", "code"), ["256", "255"]),
    ({"echo": True, "memory": {"after": "1s"}}, ("memory", "amount"), ["missing", "600Mi"]),
    (
        {"echo": True, "memory": {"amount": "6 GB"}},
        ("memory", "amount"),
        ["amount", "'6 GB'", "2Gi"],
    ),
    (
        {"echo": True, "memory": {"amount": "1Gi", "size": 1}},
        ("memory", "size"),
        ["memory.size", "amount"],
    ),
    ({"echo": True, "probes": [{"probe": "live"}]}, ("probes", 0, "probe"), ["'live'", "liveness"]),
    (
        {"echo": True, "probes": [{"probe": "startup", "prob": 1}]},
        ("probes", 0, "prob"),
        ["did you mean probe?"],
    ),
    ({"echo": True, "stop": "soon"}, ("stop",), ["stop", "'soon'", "never"]),
    ({"command": ["x"], "stop": "never"}, ("stop",), ["stop", "'never'", "command"]),
    ({"command": ["x"], "probes": [{"probe": "liveness"}]}, ("probes",), ["'0s'", "command"]),
    ({"echo": True, "listens": [0]}, ("listens",), ["listens", "0", "65535"]),
    ({"echo": True, "listens": ["80"]}, ("listens", 0), ["listens.0", "'80'", "quotes"]),
    ({"static": {"status": 99}}, ("static", "status"), ["status", "99", "599"]),
    ({"static": {"status": "200"}}, ("static", "status"), ["static.status", "'200'", "quotes"]),
    ({"static": {"bdy": "x"}}, ("static", "bdy"), ["static.bdy", "'x'", "body"]),
    ({"static": {"body": "a", "json": 1}}, ("static", "json"), ["json", "body", "one"]),
    ({"static": {"json": {1, 2}}}, ("static", "json"), ["json", "{1, 2}", "lists"]),
    ({"static": {"json": float("nan")}}, ("static", "json"), ["json", "nan", "finite"]),
    ({"static": {"status": 204, "body": "a"}}, ("static", "body"), ["body", "'a'", "204"]),
    ({"static": {"headers": {"a b": "c"}}}, ("static", "headers"), ["headers", "a b", "letters"]),
    ({"static": {"headers": {"x": "a\r\nb: c"}}}, ("static", "headers"), ["headers", "one line"]),
    ({"static": {"headers": {"Content-Length": "9"}}}, ("static", "headers"), ["leave it out"]),
    ({"static": {"headers": {"x": 5}}}, ("static", "headers", "x"), ["headers.x", "5", "text"]),
]


@pytest.mark.parametrize(("fields", "path", "words"), WRONG)
def test_a_wrong_rule_names_field_value_and_mend(
    fields: dict[str, Any], path: tuple[str | int, ...], words: list[str]
) -> None:
    good = {"image": "a", "echo": True}
    with pytest.raises(RuleError) as caught:
        parse_rules([good, {"image": "*", **fields}])
    assert caught.value.path == (1, *path)
    for word in words:
        assert word in caught.value.message
    assert str(caught.value) == f"rule 2: {caught.value.message}"


def test_what_is_no_rule_at_all() -> None:
    with pytest.raises(RuleError, match="list of maps") as caught:
        parse_rules({"image": "x"})
    assert caught.value.path == ()
    with pytest.raises(RuleError, match="map with image") as caught:
        parse_rules(["x"])
    assert caught.value.path == (0,)
    with pytest.raises(RuleError, match="image: is missing") as caught:
        parse_rules([{"echo": True}])
    assert caught.value.path == (0, "image")


def test_the_model_has_a_schema_for_editors() -> None:
    schema = RuleModel.model_json_schema()
    assert set(schema["properties"]) >= {"image", "static", "asgi", "upstream", "command", "echo"}
    assert schema["additionalProperties"] is False


@given(IMAGE)
def test_an_image_matches_itself_and_its_beginnings(image: str) -> None:
    for end in range(len(image) + 1):
        assert Rule(image[:end] + "*", Echo()).matches(image)
    assert Rule(image, Echo()).matches(image)
    assert not Rule(image + "x", Echo()).matches(image)


@given(st.lists(st.text("ab*?/A", min_size=1, max_size=6), max_size=6), st.text("abA/", max_size=6))
def test_the_first_match_wins(patterns: list[str], image: str) -> None:
    """Against regular expressions, written apart."""
    rules = parse_rules(
        [{"image": p, "static": {"status": 200 + i}} for i, p in enumerate(patterns)]
    )
    special = {"*": ".*", "?": "."}
    regexes = ["".join(special.get(c, re.escape(c)) for c in pattern) for pattern in patterns]
    matching = [200 + i for i, regex in enumerate(regexes) if re.fullmatch(regex, image)]
    runtime = BehaviourRuntime(rules)
    process = runtime.start(ContainerStart("w", "s", "n", "p", "c", image), quiet)
    response = process.answer(Request("GET", "/", (), b"", "s", 80))
    assert isinstance(response, Response)
    is_static = response.headers[0] != ("content-type", "application/json")
    assert ([response.status] if is_static else []) == matching[:1]
    runtime.close()


@pytest.mark.parametrize(
    ("image", "is_known"),
    [
        ("hashicorp/http-echo", True),
        ("hashicorp/http-echo:1.0", True),
        ("docker.io/hashicorp/http-echo:1.0", True),
        ("registry.local:5000/mirror/hashicorp/http-echo:latest@sha256:abc", True),
        ("hashicorp/http-echo@sha256:abc", True),
        ("hashicorp/http-echo-x", False),
        ("nothashicorp/http-echo", False),
        ("acme/http-echo:1.0", False),
        ("", False),
    ],
)
def test_the_catalogue_knows_a_repository_under_any_registry(image: str, is_known: bool) -> None:
    assert (known(image) is not None) == is_known


def test_the_users_rule_comes_before_the_catalogue() -> None:
    image = "hashicorp/http-echo:1.0"
    runtime = BehaviourRuntime(parse_rules([{"image": "hashicorp/*", "echo": True}]))
    process = runtime.start(ContainerStart("w", "s", "n", "p", "c", image), quiet)
    assert process.listens(1234)
    runtime.close()
    assert not process.listens(1234)
