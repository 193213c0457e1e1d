"""Egress for real: a server on another machine, which is a network namespace here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import pytest
from gateway_served import Served, get

from emulator.gateway.egress import parse_egress
from emulator.gateway.transport import is_local

HERE, THERE = "198.18.77.1", "198.18.77.2"  # RFC 2544: for tests between two networks
SERVER = """
import socket
listening = socket.create_server(("198.18.77.2", 8088))
print("ready", flush=True)
while True:
    connection, _ = listening.accept()
    with connection:
        data = b""
        while b"\\r\\n\\r\\n" not in data:
            data += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(data), data))
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def another_machine() -> Iterator[None]:
    """A namespace behind a pair of interfaces, with an HTTP server in it."""
    name = f"gw{os.getpid()}"
    ip("netns", "add", name)
    try:
        ip("link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name)
        ip("addr", "add", f"{HERE}/30", "dev", f"{name}a")
        ip("link", "set", f"{name}a", "up")
        ip("-n", name, "addr", "add", f"{THERE}/30", "dev", f"{name}b")
        ip("-n", name, "link", "set", f"{name}b", "up")
        command = ["ip", "netns", "exec", name, sys.executable, "-I", "-S", "-c", SERVER]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            try:
                yield
            finally:
                server.kill()
    finally:
        ip("netns", "del", name)  # and both ends of the pair with it


@pytest.fixture
def outside() -> Iterator[None]:
    try:
        if shutil.which("ip") is None:
            raise PermissionError("there is no `ip` command")
        probe = f"probe{os.getpid()}"
        ip("netns", "add", probe)
        ip("netns", "del", probe)
    except (PermissionError, subprocess.CalledProcessError) as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"needs network namespaces: {error}")
    with another_machine():
        yield


@pytest.mark.usefixtures("outside")
def test_the_outside_is_called_at_the_address_that_was_checked() -> None:
    served = Served(parse_egress(f"*.example.org,{THERE}")).start()
    try:
        served.names["api.example.org"] = [ip_address(THERE)]
        answer = served.ask(get("http://API.example.org:8088/a?b=c", "Authorization: Bearer t"))
        assert answer.status == 200
        assert answer.body.decode().split("\r\n") == [
            "GET /a?b=c HTTP/1.1",
            "host: API.example.org:8088",
            "authorization: Bearer t",
            "",
            "",
        ]
        assert answer.all("x-emulator") == ["simulated; stand-in=False"]
        assert served.lookups == ["api.example.org"]

        assert served.ask(get(f"http://{THERE}:8088/")).status == 200
        assert served.ask(get(f"http://{THERE}:8089/")).status == 502
        [first, second, third] = [(found, status) for found, _, status, _ in served.observed]
        assert (first, second, third) == ((None, 200), (None, 200), (None, 502))

        # The same name, now for an address of this machine, which is found by no list of ours.
        served.names["api.example.org"] = [ip_address(HERE)]
        refused = served.ask(get("http://api.example.org:8088/"))
        assert refused.status == 403
        assert "own machine" in refused.json()["message"]
        assert (is_local(ip_address(HERE)), is_local(ip_address(THERE))) == (True, False)
    finally:
        served.finish()
        served.stop()
