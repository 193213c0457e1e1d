"""The real kubectl against `dhemu kube serve`: the verbs that people use, and what they print.

Rules: one server for the module, in a process of its own, at the wall's speed; each test works in a
namespace of its own and waits with kubectl's own means. DHEMU_TEST_KUBECTL names another kubectl than
the one on PATH.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from envs import need

pytestmark = pytest.mark.slow  # a server process, and seconds of the wall

PATIENCE = 60
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: ghcr.io/acme/web:1
        ports: [{containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""


@pytest.fixture(scope="module")
def program() -> str:
    """The kubectl to use."""
    found = os.environ.get("DHEMU_TEST_KUBECTL") or shutil.which("kubectl")
    need(found, "kubectl (Debian: kubernetes-client)")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the kubeconfig of a running server."""
    home = tmp_path_factory.mktemp("kube")
    config = home / "config"
    words = ["kube", "serve", "--port", "0", "--kubeconfig", str(config)]
    log = home / "log"
    with log.open("w") as stderr:
        server = subprocess.Popen(
            [sys.executable, "-m", "emulator", *words],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    assert server.stdout is not None
    try:
        assert server.stdout.readline().startswith("http://"), log.read_text()
        yield home
    finally:
        server.send_signal(signal.SIGTERM)
        server.stdout.close()
        code = server.wait(PATIENCE)
    assert (code, log.read_text().splitlines()[-1]) == (0, "dhemu: stopped")


class Kubectl:
    """kubectl in one namespace of the server."""

    def __init__(self, program: str, home: Path, namespace: str) -> None:
        self._program = program
        self._namespace = namespace
        proxies = ("http_proxy", "https_proxy", "all_proxy")
        kept = {key: text for key, text in os.environ.items() if key.lower() not in proxies}
        self.env = {**kept, "HOME": str(home), "KUBECONFIG": str(home / "config")}

    def words(self, words: str) -> list[str]:
        """The command line of these words."""
        return [self._program, "--namespace", self._namespace, *words.split()]

    def run(self, words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """How it ended."""
        return subprocess.run(
            self.words(words),
            input=stdin,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def __call__(self, words: str, stdin: str = "") -> str:
        """What it printed; it must end well."""
        ended = self.run(words, stdin)
        assert ended.returncode == 0, f"kubectl {words}: {ended.stderr}"
        return ended.stdout

    def json(self, words: str) -> Any:
        """What it printed with `-o json`."""
        return json.loads(self(f"{words} -o json"))


@pytest.fixture
def kubectl(program: str, home: Path, request: pytest.FixtureRequest) -> Kubectl:
    """kubectl in a new namespace."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:60].strip("-")
    found = Kubectl(program, home, name)
    meta = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    found("create -f -", json.dumps(meta))
    return found


@pytest.fixture
def web(kubectl: Kubectl) -> Kubectl:
    """The same, with the manifest applied and available."""
    kubectl("apply -f -", MANIFEST)
    kubectl("wait --for=condition=available deployment/web --timeout=30s")
    return kubectl


def rows(text: str) -> list[list[str]]:
    """The lines of a table without its head, by columns."""
    return [line.split() for line in text.splitlines()[1:]]


def test_version_names_the_server(kubectl: Kubectl) -> None:
    assert kubectl.json("version")["serverVersion"]["gitVersion"].startswith("v1.36.2+dhemu")


def test_api_resources_lists_every_kind(kubectl: Kubectl) -> None:
    listed = {line.split()[0] for line in kubectl("api-resources --no-headers").splitlines()}
    assert {"pods", "deployments", "replicasets", "services", "endpointslices", "leases"} <= listed


def test_explain_fails_politely(kubectl: Kubectl) -> None:
    ended = kubectl.run("explain pod")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")


def test_create_then_get_prints_the_tables(kubectl: Kubectl) -> None:
    made = kubectl("create -f -", MANIFEST)
    assert made.splitlines() == ["deployment.apps/web created", "service/web created"]
    kubectl("wait --for=condition=available deployment/web --timeout=30s")
    shown = kubectl("get deployments")
    assert shown.split()[:5] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert [row[:4] for row in rows(shown)] == [["web", "2/2", "2", "2"]]
    pods = kubectl("get pods")
    assert pods.split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row[1:4] for row in rows(pods)] == [["1/1", "Running", "0"]] * 2
    wide = rows(kubectl("get pods -o wide"))
    assert {row[6][:5] for row in wide} == {"node-"}
    everything = kubectl("get all --no-headers").split()
    kinds = {word.partition("/")[0] for word in everything if "/web" in word}
    assert kinds == {"pod", "service", "deployment.apps", "replicaset.apps"}


def test_get_prints_yaml_that_apply_takes_back(web: Kubectl) -> None:
    shown = web("get deployment web -o yaml")
    assert "image: ghcr.io/acme/web:1" in shown
    assert web("get deployments -o jsonpath={.items[*].status.readyReplicas}") == "2"
    assert web("apply -f -", MANIFEST).splitlines() == [
        "deployment.apps/web unchanged",
        "service/web unchanged",
    ]


def test_get_w_sees_a_rollout_from_pending_to_running(kubectl: Kubectl) -> None:
    words = kubectl.words("get pods -w --output-watch-events")
    with subprocess.Popen(words, env=kubectl.env, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        try:
            kubectl("create -f -", MANIFEST)
            seen: dict[str, list[tuple[str, str]]] = {}
            for line in watching.stdout:
                event, name, _, status, *_ = line.split()
                if event != "EVENT":
                    seen.setdefault(name, []).append((event, status))
                if len([each for each in seen.values() if each[-1][1] == "Running"]) == 2:
                    break
        finally:
            watching.terminate()
    for events in seen.values():
        assert list(dict.fromkeys(events)) == [
            ("ADDED", "Pending"),
            ("MODIFIED", "Pending"),
            ("MODIFIED", "ContainerCreating"),
            ("MODIFIED", "Running"),
        ]


def test_describe_shows_conditions_and_events(web: Kubectl) -> None:
    shown = web("describe deployment web")
    assert re.search(r"Available +True +MinimumReplicasAvailable", shown)
    assert re.search(r"ScalingReplicaSet .* Scaled up replica set web-\S+ from 0 to 2", shown)
    pod = web("get pods -o name").split()[0]
    said = web(f"describe {pod}")
    for reason in ("Scheduled", "Pulling", "Pulled", "Created", "Started"):
        assert re.search(rf"Normal +{reason} ", said), reason
    assert re.search(r"Ready +True", said)
    assert "Non-terminated Pods" in web("describe node node-1")
    assert re.search(r"IP: +10\.96\.", web("describe service web"))


def test_delete_and_wait_until_it_is_gone(web: Kubectl) -> None:
    pod = web("get pods -o name").split()[0]
    assert web("delete deployment web").strip().startswith('deployment.apps "web" deleted')
    web.run(f"wait --for=delete {pod} --timeout=60s")  # it may be gone already
    words = web.words("wait --for=delete pods -l app=web --timeout=60s")
    ended = subprocess.run(words, env=web.env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0 or "no matching resources found" in ended.stderr
    assert web("get pods -o name") == ""
    assert 'deployments.apps "web" not found' in web.run("get deployment web").stderr


def test_apply_changes_what_the_manifest_changes(web: Kubectl) -> None:
    changed = web("apply -f -", MANIFEST.replace("replicas: 2", "replicas: 3"))
    assert "deployment.apps/web configured" in changed
    assert "successfully rolled out" in web("rollout status deployment/web --timeout=30s")
    assert len(web("get pods -o name").split()) == 3
    assert "scaled" in web("scale deployment/web --replicas=1")
    assert web("get deployment web -o jsonpath={.spec.replicas}") == "1"
    assert "serverside-applied" in web("apply --server-side --force-conflicts -f -", MANIFEST)


def test_what_the_server_refuses_is_told_in_its_words(kubectl: Kubectl) -> None:
    ended = kubectl.run("create -f -", MANIFEST.replace("replicas: 2", "replicas: -1"))
    assert ended.returncode == 1
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in ended.stderr
    assert kubectl.run("get widgets").returncode == 1


def test_a_node_is_cordoned_and_drained(web: Kubectl) -> None:
    node = web("get pods -o jsonpath={.items[0].spec.nodeName}")
    try:
        web(f"drain {node} --force --ignore-daemonsets --timeout=40s")
        assert re.search(rf"^{node} +Ready,SchedulingDisabled", web("get nodes"), re.MULTILINE)
        web("wait --for=condition=available deployment/web --timeout=30s")
        assert node not in web("get pods -o jsonpath={.items[*].spec.nodeName}").split()
    finally:
        web(f"uncordon {node}")
