"""The command line as processes: signals, `--detach`, `exec`, and what goes on until interrupted."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_server import DHEMU, PATIENCE, Up, dhemu

from emulator import __version__

pytestmark = pytest.mark.slow


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DHEMU_")}
    return {**kept, "XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def inside(env: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment with a running emulator."""
    with Up(env=env) as running:
        yield {**env, "DHEMU_ENDPOINT": running.endpoint}


# -- up ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(how: signal.Signals, env: dict[str, str]) -> None:
    with Up(env=env) as running:
        deployed = dhemu("deploy", "a/b", "--endpoint", running.endpoint, env=env)
        assert deployed.returncode == 0, deployed.stderr
        assert running.end(how) == (0, "dhemu: stopped\n")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_start_ends_it_well(
    how: signal.Signals, env: dict[str, str], tmp_path: Path
) -> None:
    pipe = tmp_path / "rules.yaml"
    os.mkfifo(pipe)  # the start waits for somebody to write the rules
    words = ["up", "--port", "0", "--database", "memory", "--behaviours", str(pipe)]
    process = subprocess.Popen([*DHEMU, *words], stderr=subprocess.PIPE, text=True, env=env)
    with pipe.open("w"):  # opens when the command has opened it for reading
        process.send_signal(how)
        _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (0, "")


def test_what_was_deployed_is_there_after_a_signal(env: dict[str, str], tmp_path: Path) -> None:
    database = str(tmp_path / "dh.db")
    with Up("--database", database, env=env) as running:
        assert database in running.banner
        deployed = dhemu("deploy", "a/b", "--endpoint", running.endpoint, env=env)
        assert deployed.returncode == 0, deployed.stderr
    with Up("--database", database, env=env) as running:
        listed = dhemu("ls", "-o", "json", "--endpoint", running.endpoint, env=env)
        assert [each["function"] for each in json.loads(listed.stdout)] == ["b"]


def test_a_port_in_use_is_bad_input(env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = dhemu("up", "--database", "memory", "--port", str(port), env=env)
    assert done.returncode == 2
    assert done.stderr.startswith(f"dhemu: --port {port}: cannot listen on 127.0.0.1:{port}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--service-range", "10.0.0.0"], "--service-range 10.0.0.0"),
        (["--database", "sqlite:/x"], "--database"),
    ],
)
def test_what_only_the_server_can_check_is_bad_input(
    words: list[str], said: str, env: dict[str, str]
) -> None:
    done = dhemu("up", "--port", "0", "--database", "memory", *words, env=env)
    assert done.returncode == 2
    assert done.stderr.startswith(f"dhemu: {said}")
    assert done.stderr.count("\n") == 1


# -- detach and down -----------------------------------------------------------------------------


def test_detach_and_down(env: dict[str, str], tmp_path: Path) -> None:
    env |= {"DHEMU_UP_DETACH": "1", "DHEMU_UP_PORT": "0", "DHEMU_UP_QUIRK": "no-probes=on"}
    up = dhemu("up", "--database", "memory", "--seed", "3", env=env)
    assert up.returncode == 0, up.stderr
    endpoint = up.stdout.strip()
    try:
        port = endpoint.rpartition(":")[2]
        log = tmp_path / "state" / "dhemu" / f"up-{port}.log"
        assert f"dhemu {__version__} answers at {endpoint}" in log.read_text()
        assert "(no-probes=on)" in log.read_text()
        status = json.loads(dhemu("status", "-o", "json", "--endpoint", endpoint, env=env).stdout)
        assert status["seed"] == 3
        second = dhemu("up", "--database", "memory", "--port", port, env=env)
        assert second.returncode == 2
        assert second.stderr.startswith(f"dhemu: --port {port}: cannot listen")
        assert "answers at" in log.read_text()  # the log of the one that lives is untouched
    finally:
        down = dhemu("down", "--endpoint", endpoint, env=env)
    assert (down.returncode, down.stdout) == (0, "")
    with pytest.raises(ProcessLookupError):
        _look_for(status["pid"])
    assert dhemu("down", "--endpoint", endpoint, env=env).returncode == 3
    assert log.read_text().endswith("dhemu: stopped\n")


def _look_for(pid: int) -> None:
    """Raises ProcessLookupError for a process that is gone, or dead and not read by its parent."""
    os.kill(pid, 0)
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
        raise ProcessLookupError


# -- inside --------------------------------------------------------------------------------------


def test_exec_runs_inside_and_hands_on_the_exit_code(inside: dict[str, str]) -> None:
    made = dhemu("deploy", "hashicorp/http-echo", "--arg=-text=hi", "-o", "text", env=inside)
    code = (
        "import sys, urllib.request\n"
        "print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode(), end='')\n"
        "sys.exit(7)"
    )
    url = f"http://{made.stdout.strip()}/"
    done = dhemu("exec", "--", sys.executable, "-c", code, url, env=inside)
    assert (done.returncode, done.stdout) == (7, "hi\n"), done.stderr

    call = shlex.join([sys.executable, "-c", code, url])
    script = f"{shlex.join(DHEMU)} env > vars && . ./vars && {call}"
    at = {**inside, "PYTHONPATH": os.getcwd()}
    shell = subprocess.run(
        ["/bin/sh", "-c", script],
        capture_output=True,
        text=True,
        env=at,
        cwd=inside["XDG_STATE_HOME"].removesuffix("/state"),
        timeout=PATIENCE,
        check=False,
    )
    assert (shell.returncode, shell.stdout) == (7, "hi\n"), shell.stderr


def test_exec_of_nothing(inside: dict[str, str], tmp_path: Path) -> None:
    missing = dhemu("exec", "--", "no-such-command", env=inside)
    assert missing.returncode == 127
    assert missing.stderr.startswith("dhemu: CMD: there is no command 'no-such-command'")
    plain = tmp_path / "plain"
    plain.write_text("no program")
    assert dhemu("exec", "--", str(plain), env=inside).returncode == 126


# -- until interrupted ---------------------------------------------------------------------------


def test_watch_prints_a_line_a_change(inside: dict[str, str]) -> None:
    words = ["ls", "--watch", "-o", "json"]
    watch = subprocess.Popen(
        [*DHEMU, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=inside
    )
    assert watch.stdout is not None
    assert json.loads(watch.stdout.readline()) == []
    assert dhemu("deploy", "a/b", env=inside).returncode == 0
    (seen,) = json.loads(watch.stdout.readline())
    assert seen["function"] == "b"
    watch.send_signal(signal.SIGINT)
    _, said = watch.communicate(timeout=PATIENCE)
    assert (watch.returncode, said.strip()) == (130, "")


def test_follow_ends_with_the_run(inside: dict[str, str]) -> None:
    assert dhemu("deploy", "hashicorp/http-echo", env=inside).returncode == 0
    follow = subprocess.Popen(
        [*DHEMU, "logs", "http-echo", "--follow"], stdout=subprocess.PIPE, text=True, env=inside
    )
    assert follow.stdout is not None
    assert "server is listening on :5678" in follow.stdout.readline()
    assert dhemu("invoke", "http-echo", "-p", "/one", env=inside).returncode == 0
    assert re.search(r'"GET /one HTTP/1.1" 200', follow.stdout.readline())
    assert dhemu("stop", "http-echo", env=inside).returncode == 0
    follow.communicate(timeout=PATIENCE)
    assert follow.returncode == 0


def test_a_reader_that_goes_away_is_no_error(inside: dict[str, str]) -> None:
    assert dhemu("deploy", "a/b", env=inside).returncode == 0
    reading, writing = os.pipe()
    os.close(reading)
    try:
        for words in (["show", "b"], ["invoke", "b"], ["--help"]):
            done = subprocess.run(
                [*DHEMU, *words],
                stdout=writing,
                stderr=subprocess.PIPE,
                text=True,
                env=inside,
                timeout=PATIENCE,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, ""), words
    finally:
        os.close(writing)


def test_paused_time_is_not_waited_for(env: dict[str, str]) -> None:
    with Up("--speed", "paused", "--profile", "core-0.15", env=env) as running:
        at = {**env, "DHEMU_ENDPOINT": running.endpoint}
        made = dhemu("deploy", "a/b", env=at)
        assert made.returncode == 0
        assert "time is paused: not waiting until " in made.stderr
        assert "state: " in made.stdout
        ignored = dhemu("stop", "b", env=at)
        assert ignored.returncode == 4
        assert "the platform ignored the stop: the run is " in ignored.stderr
        removed = dhemu("rm", "b", env=at)
        assert (removed.returncode, "time is paused" in removed.stderr) == (0, True)
