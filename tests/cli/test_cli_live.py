"""The commands against a running emulator: one server for the file, each test its own project."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli_server import Up
from ruamel.yaml import YAML

from emulator import __version__
from emulator.cli import main
from emulator.commands.client import Emulator

SHELF = Path(__file__).parents[2] / "scenarios"
RULES = """\
- image: answers/404
  static: {status: 404, body: nope}
- image: answers/503
  static: {status: 503, body: busy}
- image: answers/echo
  echo: true
- image: crashes/*
  echo: true
  exit: {after: 3s, code: 3}
"""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def yaml(self) -> Any:
        return YAML(typ="safe", pure=True).load(self.out)


Dhemu = Callable[..., Done]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    rules = tmp_path_factory.mktemp("up") / "rules.yaml"
    rules.write_text(RULES)
    env = {**os.environ, "DHEMU_UP_SEED": "7", "DHEMU_UP_BEHAVIOURS": str(rules)}
    with Up("--quirk", "no-probes=on", env=env) as running:
        yield running


@pytest.fixture
def dhemu(
    emulator: Up, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Dhemu:
    monkeypatch.setenv("DHEMU_ENDPOINT", emulator.endpoint)

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = main(words)
        shown = capsys.readouterr()
        return Done(code, shown.out, shown.err)

    return run


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    return "p-" + str(request.node.originalname).replace("_", "-")[-30:]


def test_banner_says_what_it_is_and_how_to_use_it(emulator: Up) -> None:
    lines = emulator.banner.splitlines()
    at = emulator.endpoint
    assert lines[0] == f"dhemu {__version__} answers at {at}"
    facts = dict(line.split(maxsplit=1) for line in lines[1:7])
    assert facts["profile"] == "documented (no-probes=on)"
    assert facts["platform"].startswith("simulated")
    assert (facts["time"], facts["seed"]) == ("auto", "7")
    assert facts["database"] == "memory: nothing survives"
    assert f'eval "$(dhemu env --endpoint {at})"' in emulator.banner
    for name in ("DHCORE_ENDPOINT", "HTTP_PROXY", "NO_PROXY"):
        assert f"export {name}=" in emulator.banner


def test_status(dhemu: Dhemu, emulator: Up) -> None:
    health = dhemu("status", "-o", "json").json
    assert (health["seed"], health["profile"]) == (7, "documented")
    assert dhemu("status", "-o", "yaml").yaml["endpoint"] == emulator.endpoint
    assert f"endpoint  {emulator.endpoint}\n" in dhemu("status").out


def test_env(dhemu: Dhemu, emulator: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "corp")
    monkeypatch.delenv("no_proxy", raising=False)
    lines = dhemu("env").out.splitlines()
    assert f"export HTTP_PROXY={emulator.endpoint}" in lines
    assert "export NO_PROXY=corp,127.0.0.1,localhost" in lines
    found = dhemu("env", "-o", "json").json
    assert [f"export {name}={value}" for name, value in found.items()] == lines


def test_deploy_an_image_and_live_with_it(dhemu: Dhemu, project: str) -> None:
    done = dhemu(
        "deploy", "hashicorp/http-echo:1.0", "-p", project, "--arg=-text=hi", "--name", "hi"
    )
    assert done.code == 0, done.err
    service = done.yaml["service"]
    assert list(service) == ["name", "type", "clusterIP", "ports", "url"]
    assert service["url"] == f"{service['name']}:5678"

    assert dhemu("invoke", "hi").out == "hi\n"
    (listed,) = dhemu("ls", "-p", project, "-o", "json").json
    assert (listed["function"], listed["url"]) == ("hi", service["url"])
    assert (listed["health"], listed["ready"], listed["desired"]) == ("healthy", 1, 1)

    for word in (listed["id"], listed["id"][:8], listed["name"], service["name"], "hi"):
        assert dhemu("show", word, "-o", "json").json["id"] == listed["id"]
    shown = dhemu("show", "hi").yaml
    assert shown["status"]["service"] == service
    assert shown["spec"]["args"] == ["-text=hi"]
    summary = dhemu("show", "hi", "-o", "text").out
    assert f"url: {service['url']}" in summary
    assert "Running  1/1  0 restarts" in summary

    why = dhemu("why", "hi")
    assert why.out.splitlines()[0] == "healthy"
    assert "Pulled" in why.out
    assert dhemu("why", "hi", "-o", "json").json["transitions"][0]["status"] == "RUNNING"
    assert "server is listening on :5678" in dhemu("logs", "hi").out
    (log,) = dhemu("logs", "hi", "-o", "json").json
    assert log["content"] == dhemu("logs", "hi").out

    assert dhemu("stop", "hi").code == 0
    assert dhemu("ls", "-p", project, "-o", "json").json == []
    assert dhemu("ls", "-p", project, "--all", "-o", "json").json[0]["state"] == "STOPPED"
    refused = dhemu("invoke", "hi")
    assert (refused.code, refused.out) == (4, "")
    assert "it has no URL to call: stopped: the run is in state STOPPED" in refused.err
    assert dhemu("stop", "hi").code == 2

    assert dhemu("rm", "hi").code == 0
    assert dhemu("ls", "-p", project, "--all", "-o", "json").json == []
    gone = dhemu("show", listed["id"])
    assert (gone.code, gone.err) == (
        2,
        f"dhemu: RUN: there is no run '{listed['id']}' (dhemu ls --all lists them)\n",
    )


def test_deploy_options_reach_the_run(dhemu: Dhemu, project: str) -> None:
    words = ["--port", "80:8080", "--port", "9090", "--env", "A=1=2", "--replicas", "2"]
    words += ["--type", "NodePort", "--service-name", "front", "--arg", "a", "--arg", "b"]
    digest = f"sha256:{'0' * 64}"
    done = dhemu("deploy", f"ghcr.io/acme/my.app:v1@{digest}", "-p", project, *words)
    assert done.code == 0, done.err
    service = done.yaml["service"]
    assert service["type"] == "NodePort"
    assert [(each["port"], each["targetPort"]) for each in service["ports"]] == [
        (80, 8080),
        (9090, 9090),
    ]
    run = dhemu("show", "myapp").yaml
    assert run["spec"]["envs"] == [{"name": "A", "value": "1=2"}]
    assert run["spec"]["args"] == ["a", "b"]
    assert run["spec"]["service_name"] == "front"
    listed = dhemu("ls", "-p", project)
    assert "2/2" in listed.out
    assert listed.out.split()[:4] == ["NAME", "FUNCTION", "STATE", "HEALTH"]
    assert dhemu("rm", "myapp").code == 0


def test_deploy_again_keeps_the_function_and_its_task(dhemu: Dhemu, project: str) -> None:
    for image in ("answers/echo", "answers/echo", "other/echo"):
        assert dhemu("deploy", image, "-p", project, "-o", "text").code == 0
    runs = [
        dhemu("show", each["id"], "-o", "json").json["spec"]
        for each in dhemu("ls", "-p", project, "-o", "json").json
    ]
    assert len(runs) == 3
    assert len({run["function"] for run in runs}) == 2
    assert len({run["task"] for run in runs}) == 2

    several = dhemu("show", "echo")
    assert several.code == 2
    assert "RUN: 'echo' names 3 runs: " in several.err
    first = dhemu("ls", "-p", project, "-o", "json").json[0]["id"]
    for each in dhemu("ls", "-p", project, "-o", "json").json[1:]:
        assert dhemu("stop", each["id"]).code == 0
    assert dhemu("show", "echo", "-o", "json").json["id"] == first  # the one that is active


def test_deploy_without_waiting(dhemu: Dhemu, project: str) -> None:
    done = dhemu("deploy", "answers/echo", "-p", project, "--name", "hasty", "--no-wait")
    assert done.code == 0
    assert set(done.yaml["run"]) == {"id", "name", "state"}
    assert dhemu("rm", done.yaml["run"]["id"], "--no-wait").code == 0


def test_deploy_that_fails_says_why(dhemu: Dhemu, project: str) -> None:
    done = dhemu("deploy", "not an image", "-p", project, "--name", "broken")
    assert done.code == 4
    assert done.out == ""
    assert "is ERROR and not RUNNING: " in done.err.splitlines()[-1]
    assert "(dhemu why " in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["img", "--port", "0"], "--port: '0' is no port (write PORT or PORT:TARGET"),
        (["img", "--port", "80:"], "--port: '80:' is no port"),
        (["img", "--env", "A"], "--env: 'A' is no variable (write NAME=VALUE)"),
        (["a/___"], "IMAGE: 'a/___' gives no name for a function"),
        (["no.yaml"], "FILE: there is no file 'no.yaml'"),
        (["no.yaml", "--arg", "x"], "deploy: --arg is for an image, not for the file no.yaml"),
        (["img", "-p", "No Project"], "name: 'No Project' is no project's name"),
    ],
)
def test_deploy_bad_input(words: list[str], said: str, dhemu: Dhemu) -> None:
    done = dhemu("deploy", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"dhemu: {said}")
    assert done.err.count("\n") == 1


def test_deploy_a_scenario(dhemu: Dhemu, project: str) -> None:
    file = str(SHELF / "01-first-service.yaml")
    done = dhemu("deploy", file, "--project", project)
    assert done.code == 0, done.err
    url = "s-containerserve-9271ab33c0364d549c89f8b2834ae141:5678"
    assert done.yaml["web"]["service"]["url"] == url
    assert dhemu("invoke", "web").out == "hello from DigitalHub\n"
    again = dhemu("deploy", file, "--project", project)
    assert again.code == 2
    assert again.err.startswith("dhemu: id: there is a run '9271ab33c0364d549c89f8b2834ae141'")
    assert dhemu("rm", "web").code == 0


def test_deploy_a_broken_scenario_names_the_place(dhemu: Dhemu, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("scenario: 1\nname: x\nsteps:\n- deploy: nothing\n")
    done = dhemu("deploy", str(file))
    assert done.code == 2
    assert done.err.startswith(f"dhemu: {file}:4:")
    file.write_text("scenario: 1\nname: x\n")
    assert "deploys nothing" in dhemu("deploy", str(file)).err


@pytest.fixture(scope="module")
def answering(emulator: Up) -> None:
    for name in ("404", "503", "echo"):
        words = [f"answers/{name}", "-p", "answering", "--name", f"says-{name}", "-o", "text"]
        assert main(["deploy", "--endpoint", emulator.endpoint, *words]) == 0


@pytest.mark.usefixtures("answering")
def test_invoke_sends_what_it_is_told(dhemu: Dhemu, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b'{"a": 1}')
    done = dhemu("invoke", "says-echo", "-p", "/x?y=1", "-d", f"@{body}", "-H", "X-One: 1")
    assert done.code == 0, done.err
    seen = done.json
    assert (seen["method"], seen["path"]) == ("POST", "/x"), seen
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert headers["content-type"] == "application/json"
    assert headers["x-one"] == "1"
    assert headers["user-agent"] == f"dhemu/{__version__}"
    plain = dhemu("invoke", "says-echo", "-d", "a b", "-X", "put", "-H", "user-agent: me").json
    headers = {name.lower(): value for name, value in plain["headers"].items()}
    assert plain["method"] == "PUT"
    assert (headers["content-type"], headers["user-agent"]) == ("text/plain", "me")
    assert dhemu("invoke", "says-echo").json["method"] == "GET"


@pytest.mark.usefixtures("answering")
def test_invoke_shows_status_and_headers(dhemu: Dhemu) -> None:
    done = dhemu("invoke", "says-404", "-i")
    assert done.code == 1
    head, _, body = done.out.replace("\r\n", "\n").partition("\n\n")
    assert head.startswith("HTTP/1.1 404 Not Found\n")
    assert "x-emulator: " in head.lower()
    assert body == "nope"
    assert done.err.endswith("answered 404 Not Found\n")


@pytest.mark.usefixtures("answering")
def test_a_services_own_503_is_its_answer(dhemu: Dhemu) -> None:
    done = dhemu("invoke", "says-503")
    assert (done.code, done.out) == (1, "busy")


def test_a_refusal_of_the_gateway_is_exit_4(dhemu: Dhemu, emulator: Up, project: str) -> None:
    done = dhemu("deploy", "crashes/soon", "-p", project, "--name", "crashing")
    assert done.code == 0, done.err
    with Emulator(emulator.endpoint) as api:
        # by then it has crashed four times, and its next start is half a minute away
        api.ask("POST", "/_emulator/time", body={"advance": "60s"})
    refused = dhemu("invoke", "crashing")
    assert (refused.code, refused.out) == (4, "")
    assert "has no ready endpoint: CrashLoopBackOff" in refused.err
    assert "exited with code 3" in dhemu("why", "crashing").out.splitlines()[0]
    worst = dhemu("ls", "-o", "json").json[0]
    assert (worst["function"], worst["health"]) == ("crashing", "unhealthy")
    assert "  unhealthy  0/1    3 " in dhemu("ls").out
    assert dhemu("rm", "crashing").code == 0
