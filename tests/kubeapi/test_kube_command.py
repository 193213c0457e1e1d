"""`dhemu kube serve` and `dhemu up --kube-port`: what they are told, and what they serve."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest
from conftest import PATIENCE, ServerFactory
from ruamel.yaml import YAML

from emulator.cli import main

DHEMU = [sys.executable, "-m", "emulator"]
_direct = build_opener(ProxyHandler({}))


def get(url: str) -> Any:
    with _direct.open(url, timeout=PATIENCE) as answer:
        return json.load(answer)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--speed", "auto"], "--speed: 'auto' is no speed (give a number above 0, at most 1e6)"),
        (["--speed", "paused"], "--speed: 'paused' is no speed"),
        (["--speed", "-1"], "--speed: '-1' is no speed"),
        (["--nodes", "-1"], "--nodes: -1 is not in the range"),
        (["--scenario", "first-service", "--nodes", "2"], "--nodes: the scenario says this"),
        (["--scenario", "no-such-scenario"], "no-such-scenario"),
        (["--port", "0", "--service-range", "x"], "--service-range: "),
        (["--port", "0", "--kubeconfig", "/no/such/place"], "/no/such/place cannot be written"),
    ],
)
def test_what_is_wrong_is_bad_input_in_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kube", "serve", *words]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("dhemu: ")
    assert said in shown
    assert len(shown.splitlines()) == 1


def test_a_port_that_is_taken_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        assert main(["kube", "serve", "--port", str(port)]) == 2
        assert f"--port {port}: cannot listen" in capsys.readouterr().err


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[tuple[str, Path, subprocess.Popen[str]]]:
    """A server of a scenario's cluster: its URL, its kubeconfig and its process."""
    config = tmp_path / "config"
    words = ["kube", "serve", "--port=0", "--scenario=first-service", f"--kubeconfig={config}"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DHEMU_")}
    with subprocess.Popen(
        [*DHEMU, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kept
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), config, process
        finally:
            process.terminate()


@pytest.mark.slow  # a server process
def test_it_serves_a_scenarios_cluster_until_it_is_told_to_stop(
    serving: tuple[str, Path, subprocess.Popen[str]],
) -> None:
    url, file, process = serving
    config = YAML(typ="safe").load(file)
    assert config["clusters"][0]["cluster"] == {"server": url}
    namespace = config["contexts"][0]["context"]["namespace"]
    assert get(f"{url}/api/v1/namespaces/{namespace}")["kind"] == "Namespace"
    with _direct.open(f"{url}/api/v1/pods?watch=true", timeout=PATIENCE) as watching:
        process.send_signal(signal.SIGINT)
        assert watching.read() == b"", "a watch ends with the server"
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said.splitlines()[-1]) == (0, "dhemu: stopped")


@pytest.mark.slow  # a server process
def test_up_serves_the_same_world_to_kubectl(server: ServerFactory) -> None:
    running = server(kube_port=0)
    found = re.search(r"kubectl +--server (http://\S+)", running.stderr())
    assert found is not None, running.stderr()
    done = subprocess.run(
        [*DHEMU, "deploy", "acme/echo", "--endpoint", running.endpoint],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (deployment,) = get(f"{found[1]}/apis/apps/v1/deployments")["items"]
    assert deployment["status"]["availableReplicas"] == 1
    assert running.stop() == 0
