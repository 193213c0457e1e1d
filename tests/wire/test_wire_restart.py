"""A server with a file database: what a kill leaves, and what a restart makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Server, ServerFactory
from wire_client import API, PORTS, Wire

pytestmark = pytest.mark.slow

TEXT = "still here"
FUNCTION = {
    "kind": "container",
    "name": "f",
    "id": "fid",
    "spec": {"image": "hashicorp/http-echo:1.0"},
}
RUNS = f"{API}/-/demo/runs"


class Client:
    """Blocking requests to a server process, and invocations through its proxy."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        response = httpx.request(method, self._server.endpoint + path, json=body, trust_env=False)
        assert response.status_code == 200, response.text
        return response.json()

    def invoke(self, url: str) -> httpx.Response:
        with httpx.Client(proxy=self._server.endpoint, trust_env=False) as client:
            return client.get(f"http://{url}/")

    def set_up(self) -> None:
        self.ask("POST", f"{API}/projects", {"name": "demo"})
        self.ask("POST", f"{API}/-/demo/functions", FUNCTION)
        spec = {"function": Wire.function}
        body = {"kind": "container+serve", "id": "tid", "spec": spec}
        self.ask("POST", f"{API}/-/demo/tasks", body)

    def start(self, identifier: str) -> Any:
        """A run; on its way, or RUNNING where time jumps."""
        spec = {
            "task": Wire.task,
            "function": Wire.function,
            "args": [f"-text={TEXT}", "-listen=:8080"],
            "service_ports": PORTS,
        }
        body = {"kind": "container+serve:run", "id": identifier, "spec": spec}
        self.ask("POST", RUNS, body)
        return self.read(identifier)

    def read(self, identifier: str) -> Any:
        return self.ask("GET", f"{RUNS}/{identifier}")


def test_a_kill_and_a_restart(server: ServerFactory, tmp_path: Path) -> None:
    one = server(database=tmp_path / "emulator.db")
    client = Client(one)
    client.set_up()
    running = client.start("running")
    other = client.start("other")
    stopped = client.start("stopped")
    client.ask("POST", f"{RUNS}/stopped/stop")
    stopped = client.read("stopped")
    client.start("deleted")
    client.ask("DELETE", f"{RUNS}/deleted")
    assert running["status"]["state"] == "RUNNING"
    assert stopped["status"]["state"] == "STOPPED"
    paths = (f"{API}/projects/demo", f"{API}/-/demo/functions/fid", f"{API}/-/demo/tasks/tid")
    kept = [client.ask("GET", path) for path in paths]

    one.kill()
    one.restart()
    assert [client.ask("GET", path) for path in paths] == kept
    listed = client.ask("GET", RUNS)
    assert {each["id"] for each in listed["content"]} == {"running", "other", "stopped"}
    for before in (running, other):
        after = client.read(before["id"])
        assert after["status"]["state"] == "RUNNING"
        assert after["status"]["service"] == before["status"]["service"]
        for name in ("id", "name", "key", "spec"):
            assert after[name] == before[name]
        assert after["metadata"]["created"] == before["metadata"]["created"]
        told = [each["status"] for each in after["status"]["transitions"]]
        assert told == ["RUNNING", "PENDING", "READY", "BUILT"]
        response = client.invoke(after["status"]["service"]["url"])
        assert (response.status_code, response.text) == (200, f"{TEXT}\n")
        address = after["status"]["service"]["clusterIP"]
        assert client.invoke(f"{address}:8080").text == f"{TEXT}\n"
    assert client.invoke("s-demo-f-latest:8080").status_code == 200
    again = client.read("stopped")
    assert again["status"] == stopped["status"]
    assert client.invoke("s-containerserve-stopped:8080").status_code == 502

    late = client.start("late")  # what is new takes no address that is held
    addresses = [each["status"]["service"]["clusterIP"] for each in (running, other, late)]
    assert len(set(addresses)) == 3
    client.ask("DELETE", f"{RUNS}/running")  # and what was taken back can be ended
    assert client.invoke(running["status"]["service"]["url"]).status_code == 502


def test_what_was_on_its_way_goes_on(server: ServerFactory, tmp_path: Path) -> None:
    one = server(database=tmp_path / "emulator.db", speed="paused")
    client = Client(one)
    client.set_up()
    assert client.start("ready")["status"]["state"] == "READY"
    client.start("pending")
    until = {"until": {"run": "pending", "state": "PENDING"}}
    client.ask("POST", "/_emulator/time", until)
    client.start("stopping")
    until = {"until": {"run": "stopping", "state": "RUNNING"}}
    client.ask("POST", "/_emulator/time", until)
    client.ask("POST", f"{RUNS}/stopping/stop")
    client.start("leaving")
    client.ask("DELETE", f"{RUNS}/leaving")

    one.kill()
    one.restart()
    client.ask("POST", "/_emulator/time", {"advance": "2m"})
    states = {name: client.read(name)["status"]["state"] for name in ("ready", "pending")}
    assert states == {"ready": "RUNNING", "pending": "RUNNING"}
    assert client.read("stopping")["status"]["state"] == "STOPPED"
    found = {each["id"] for each in client.ask("GET", RUNS)["content"]}
    assert found == {"ready", "pending", "stopping"}


@pytest.mark.parametrize("bare", [False, True], ids=["command line", "bare"])
def test_an_end_that_was_asked_for(server: ServerFactory, tmp_path: Path, bare: bool) -> None:
    """SIGTERM and the control API end a server well: the lock is given back, nothing is lost."""
    database = tmp_path / "emulator.db"
    one = server(bare=bare, database=database)
    client = Client(one)
    client.set_up()
    client.start("rid")
    assert one.stop() == 0
    assert not Path(f"{database}.lock").exists()
    one.restart()
    assert client.read("rid")["status"]["state"] == "RUNNING"
    client.ask("POST", "/_emulator/shutdown")
    assert one.wait() == 0
    assert not Path(f"{database}.lock").exists()
    assert "Traceback" not in one.stderr()
