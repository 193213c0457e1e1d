"""The unmodified official SDK, in both sets, against a server of ours."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from conftest import Server, ServerFactory
from envs import SDKS, Sdk, sdk_python

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).with_name("scripts")
PAGE_KEYS = ["name", "type", "clusterIP", "ports", "url"]
SECONDS = 120

Run = Callable[[str, Server], dict[str, Any]]


@pytest.fixture(params=SDKS, ids=str)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    chosen: Sdk = request.param
    return chosen


@pytest.fixture
def run(sdk: Sdk, tmp_path: Path) -> Run:
    """Runs a script of `scripts/` in the set's environment; its facts."""
    python = sdk_python(sdk)

    def run_script(name: str, server: Server) -> dict[str, Any]:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        around = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(home),
            "DHCORE_ENDPOINT": server.endpoint,
            "HTTP_PROXY": server.endpoint,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        ended = subprocess.run(
            [python, SCRIPTS / f"{name}.py"],
            cwd=home,
            env=around,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert ended.returncode == 0, f"{name}.py failed:\n{ended.stderr}"
        facts: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return facts

    return run_script


def test_a_service_from_beginning_to_end(run: Run, server: ServerFactory) -> None:
    facts = run("first_service", server())
    assert facts["project"] == "sdk-first"
    assert facts["again"] == "store://sdk-first"
    assert facts["elapsed"] < 2  # an acceptance bound of the product, not a benchmark

    first, second = facts["first"], facts["second"]
    assert (first["state"], second["state"]) == ("RUNNING", "RUNNING")
    service = first["service"]
    assert list(service) == PAGE_KEYS
    assert service["name"] == f"s-containerserve-{first['id']}"
    assert service["type"] == "ClusterIP"
    assert IPv4Address(service["clusterIP"]) in IPv4Network("172.16.0.0/12")
    assert service["ports"] == [
        {"name": "port5678", "port": 5678, "protocol": "TCP", "targetPort": 5678}
    ]
    assert service["url"] == f"{service['name']}:5678"
    assert second["service"]["name"] == f"s-containerserve-{second['id']}"
    assert second["service"]["url"] == f"{second['service']['name']}:80"
    assert second["service"]["ports"][0]["targetPort"] == 9
    assert second["service"]["clusterIP"] != service["clusterIP"]

    _check_invocations(facts["invoke"], second["service"]["name"])
    _check_lists(facts["lists"], first["id"], second["id"])
    assert facts["got"] == [first["id"]] * 2
    assert facts["logs"] == 1
    _check_end(facts, first["id"])


def _check_invocations(asked: dict[str, Any], name: str) -> None:
    assert asked["text"] == {"status": 200, "text": "hello there\n"}
    plain = asked["get"]
    assert (plain["service"], plain["method"], plain["path"]) == (name, "GET", "/")
    assert (plain["query"], plain["body"]) == ({}, "")
    assert plain["image"] == "registry.example/mirror:2"
    assert asked["json"]["method"] == "POST"
    assert asked["json"]["headers"]["content-type"] == "application/json"
    assert json.loads(asked["json"]["body"]) == {"a": [1, "ü"]}
    assert (asked["put"]["method"], asked["put"]["encoding"]) == ("PUT", "base64")
    assert asked["put"]["body"] == "/wA="
    assert asked["path"]["path"] == "/v1/items"
    assert asked["path"]["query"] == {"q": ["1", "2"]}
    assert asked["params"]["query"] == {"n": ["3"]}
    assert asked["params"]["headers"]["x-mine"] == "yes"
    assert asked["elsewhere"].startswith("EntityError: Invalid URL")


def _check_lists(lists: dict[str, list[str]], first: str, second: str) -> None:
    both = sorted((first, second))
    assert lists == {
        "running": both,
        "stopped": [],
        "building": [],
        "kind": both,
        "function": [first],
        "task": [second],
        "name": [first],
        "of function": [first],
        "nobody": [],
    }


def _check_end(facts: dict[str, Any], first: str) -> None:
    assert facts["stopped"] == {"state": "STOPPED", "service": None}
    assert facts["second stop"].startswith("BadRequestError")
    assert "STOPPED" in facts["second stop"]
    assert facts["resume"].startswith("BadRequestError")
    assert "new run" in facts["resume"]
    gone = facts["invoke stopped"]
    assert gone["status"] == 502
    assert f"its run {first} is in state STOPPED" in gone["text"]
    assert facts["invoke unknown"]["status"] == 502
    for name in ("deleted by key", "deleted by id"):
        assert "No such run." in facts[name]
    assert facts["left"] == []
    assert facts["functions"] == ["hello"]
    assert "No such project." in facts["project gone"]
    assert facts["delete again"] == ""


def test_versions_and_their_alias(run: Run, server: ServerFactory) -> None:
    facts = run("versions", server())
    assert facts["aliases"] == [
        "s-sdk-versions-hello-web:5678",
        "s-sdk-versions-hello-latest:5678",
    ]
    said = [facts[name] for name in ("by name", "latest first", "latest, second not deployed")]
    assert said == ["one\n"] * 3
    assert facts["latest second"] == "two\n"
    assert facts["first still"] == "one\n"
    assert facts["latest back"] == "one\n"
    assert facts["newest"] is True
    assert facts["by key"] == "hashicorp/http-echo:1.0"
    assert facts["versions"] is True
    assert facts["listed"] is True
    assert facts["tasks"] == [["container+serve", True]]
    assert facts["all tasks"] == 2
    assert facts["updated"] == [True, "told anew", "hashicorp/http-echo:1.1"]
    assert facts["export"] == [".yaml", True, True]
    assert facts["embedded"] == [True]
    assert facts["profiles"] == ["1xgpu", "2xgpu", "large"]
    assert facts["after delete"] == [[], []]
    assert facts["latest gone"] == 502


def test_an_invocation_before_the_service_is_ready(run: Run, server: ServerFactory) -> None:
    facts = run("not_ready", server(speed="paused"))
    assert facts["state"] in ("READY", "PENDING")
    assert facts["service"] is None
    assert facts["invoke"].startswith("EntityError: Url not specified")
    for name in ("at once", "pending"):
        assert facts[name]["status"] == facts[name]["json"]["status"] == 503
        assert f"s-containerserve-{facts['id']} has no ready endpoint: " in facts[name]["text"]
    assert "time=paused" in facts["pending"]["emulator"]
