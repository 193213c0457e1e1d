"""The command line before it talks to anything: help, what it imports, errors, pure parts."""

from __future__ import annotations

import contextlib
import http.server
import importlib
import subprocess
import sys
import threading
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator import __version__
from emulator.cli import main
from emulator.cluster.settings import ClusterSettings
from emulator.commands.behaviours import read_rules
from emulator.commands.client import parse_endpoint
from emulator.commands.env import environment
from emulator.commands.group import root
from emulator.commands.output import age, table, to_yaml
from emulator.commands.problem import Problem
from emulator.commands.table import COMMANDS, help_text
from emulator.commands.up import _settings, up
from emulator.server import ServerSettings
from emulator.workloads.behaviours import Echo, Static

HEAVY = (
    "click",
    "fastapi",
    "httpx",
    "pydantic",
    "sqlalchemy",
    "rich",
    "simpy",
    "uvicorn",
    "asyncio",
)


def modules_after(words: list[str]) -> set[str]:
    code = (
        "import sys\nfrom emulator.cli import main\n"
        f"code = main({words!r})\n"
        "print(code, *sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    code_text, *modules = done.stderr.split()
    assert code_text == "0"
    return set(modules)


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--version"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    assert not modules_after(words) & set(HEAVY)


def test_help_of_a_command_imports_only_that_command() -> None:
    modules = modules_after(["ls", "--help"])
    assert not modules & (set(HEAVY) - {"click"})
    assert {each for each in modules if each in {entry.module for entry in COMMANDS.values()}} == {
        "emulator.commands.ls"
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_tells_what_the_command_tells(name: str) -> None:
    entry = COMMANDS[name]
    command = getattr(importlib.import_module(entry.module), entry.attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.get_short_help_str(limit=200) == entry.help


def test_help_fits_a_terminal_and_is_the_groups_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert shown == root.get_help(click.Context(root)) + "\n"
    assert all(f"\n  {name} " in shown for name in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dhemu {__version__}\n"


def test_no_words_is_bad_input_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err == help_text()


BAD = [
    (["sho", "x"], "sho: there is no such command (did you mean show?)"),
    (["frobnicate"], "frobnicate: there is no such command (see dhemu --help)"),
    (["ls", "--al"], "--al: there is no such option (did you mean --all"),
    (["show"], "RUN: is missing (give it, see dhemu show --help)"),
    (["ls", "-o", "xml"], "--output: 'xml' is not one of"),
    (["up", "--port", "70000"], "--port: 70000 is not in the range"),
    (["up", "--speed", "fast"], "--speed: 'fast' is no speed"),
    (["up", "--egress", "http://x"], "--egress: 'http://x' in"),
    (["up", "--quirk", "no-probes"], "--quirk: 'no-probes' does not say on or off"),
    (
        ["up", "--quirk", "no-probe=on"],
        "--quirk: there is no quirk 'no-probe' (did you mean no-probes",
    ),
    (["up", "--behaviours", "/no/such"], "--behaviours: '/no/such' cannot be read"),
    (["up", "--cluster", "/no/such"], "--cluster: no scenario '/no/such'"),
    (
        ["ls", "--endpoint", "ftp://x"],
        "--endpoint: 'ftp://x' is no http URL (write http://HOST:PORT",
    ),
    (["ls", "--endpoint", "http://x:99999"], "--endpoint: 'http://x:99999' is no URL"),
    (["ls", "--endpoint", "http://x/y"], "--endpoint: 'http://x/y' has more than scheme"),
    (["invoke", "x", "-H", "novalue"], "--header: 'novalue' is no header (write NAME:VALUE"),
    (["invoke", "x", "-d", "@/no/such"], "--data: '/no/such' cannot be read"),
]


@pytest.mark.parametrize(("words", "said"), BAD)
def test_bad_input_is_one_line_and_exit_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"dhemu: {said}")
    assert shown.err.count("\n") == 1


ASKING = [
    ["down"],
    ["status"],
    ["env"],
    ["exec", "--", "true"],
    ["ls"],
    ["ls", "--watch"],
    ["show", "x"],
    ["why", "x"],
    ["logs", "x"],
    ["logs", "x", "-f"],
    ["deploy", "x"],
    ["invoke", "x"],
    ["stop", "x"],
    ["rm", "x"],
]


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_no_emulator_is_exit_3(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    at = "http://127.0.0.1:1"  # a reserved port, where nothing listens
    assert main([words[0], "--endpoint", at, *words[1:]]) == 3
    shown = capsys.readouterr()
    assert shown.err == f"dhemu: no emulator answers at {at}: start one with: dhemu up\n"
    assert shown.out == ""


class _Stranger(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = b'{"status": "ok", "pid": 1}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_server_that_is_none_of_ours_is_exit_3(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.delenv("DHEMU_ENDPOINT", raising=False)
        monkeypatch.setenv("DHCORE_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        try:
            assert main(words) == 3
        finally:
            server.shutdown()
            thread.join()
    assert "is no emulator" in capsys.readouterr().err


def test_what_nobody_foresaw_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("odd\nthing")

    monkeypatch.delenv("DHEMU_DEBUG", raising=False)
    monkeypatch.setattr("emulator.commands.client.Emulator.ask", fail)
    assert main(["status"]) == 4
    assert capsys.readouterr().err.startswith("dhemu: unforeseen RuntimeError: odd thing (")
    monkeypatch.setenv("DHEMU_DEBUG", "1")
    with pytest.raises(RuntimeError):
        main(["status"])


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("emulator.commands.client.Emulator.ask", interrupt)
    assert main(["ls", "--watch"]) == 130


# -- rules of a file -----------------------------------------------------------------------------

WRITTEN = {
    "a list": "# rules\n---\n- image: a/*\n  echo: true\n- {image: b, static: {body: hi}}\n",
    "indented": "  - image: a/*\n    echo: true\n  - image: b\n    static: {body: hi}\n",
    "JSON": '[{"image": "a/*", "echo": true},\n {"image": "b", "static": {"body": "hi"}}]\n',
    "a scenario's": "behaviours:\n- {image: a/*, echo: true}\n- {image: b, static: {body: hi}}\n",
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_rules_are_read(text: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    first, second = read_rules(str(file))
    assert (first.image, second.image) == ("a/*", "b")
    assert isinstance(first.behaviour, Echo)
    assert isinstance(second.behaviour, Static)


BROKEN = {
    "a field": ("---\n- image: a\n  echo: true\n- image: b\n  ecko: true\n", "5:3: rule 2: ecko:"),
    "a scenario's": ("behaviours:\n- image: b\n  ecko: true\n", "3:3: rule 1: ecko:"),
    "JSON": ('[{"image": "b",\n  "echo": 2}]', "2:3: rule 1: echo:"),
    "no list": ("behaviours: 3\n", "1:13: 3 is no list of rules"),
    "no rules": ("other: 3\n", "1:1: there are no rules (write a list"),
    "a text": ("hello\n", "1:1: there are no rules"),
    "empty": ("", "1:1: there are no rules"),
    "syntax": ("- image: a\n\techo: true\n", "2:1: a tab stands"),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_told_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(Problem) as caught:
        read_rules(str(file))
    assert str(caught.value).startswith(f"--behaviours: {file}:{said}")


# -- pure parts ----------------------------------------------------------------------------------


def test_environment_keeps_the_users_own_exceptions() -> None:
    current = {"NO_PROXY": "corp.example, 10.0.0.1", "no_proxy": "corp.example,other"}
    found = environment("http://box:9000", current)
    assert found["NO_PROXY"] == "corp.example,10.0.0.1,other,127.0.0.1,localhost,box"
    assert found["no_proxy"] == found["NO_PROXY"]
    assert found["HTTP_PROXY"] == found["http_proxy"] == found["DHCORE_ENDPOINT"]
    assert not any("https" in name.lower() for name in found)


@given(st.lists(st.sampled_from(["a", "b.example", "127.0.0.1", "", " c "]), max_size=5))
def test_environment_is_idempotent(entries: list[str]) -> None:
    once = environment("http://127.0.0.1:8080", {"NO_PROXY": ",".join(entries)})
    assert environment("http://127.0.0.1:8080", once) == once


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("https://dh.example", "https://dh.example"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_endpoint(text: str, endpoint: str) -> None:
    assert parse_endpoint(text) == endpoint


@given(st.text(max_size=30))
def test_any_text_is_an_endpoint_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_endpoint(text).startswith("http")


@given(
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4),
    st.one_of(st.none(), st.integers(3, 30)),
)
def test_table_has_a_line_a_row_within_the_width(
    rows: list[tuple[str, str]], width: int | None
) -> None:
    lines = table(("A", "B"), rows, width).split("\n")
    assert len(lines) == len(rows) + 1
    if width is not None:
        assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172800, "2d")]
)
def test_age(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_yaml_keeps_the_order_and_folds_nothing() -> None:
    data = {"z": "x " * 200, "a": [{"k": 1}], "empty": [], "none": None}
    text = to_yaml(data)
    assert [line.split(":")[0] for line in text.splitlines()] == ["z", "a", "- k", "empty", "none"]


def test_up_takes_the_cluster_of_a_scenario_and_its_own_service_range(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(
        "scenario: 1\nname: small\nregistry: {bandwidth: 1Mi}\n"
        "cluster: {service_range: 10.0.0.0/24, progress_deadline: 1m, nodes: [{name: a, zone: z}]}\n"
    )

    def settings(*words: str) -> ServerSettings:
        return _settings(up.make_context("up", list(words)).params)

    given = settings("--cluster", str(file))
    assert [pool.zone for pool in given.cluster.pools] == ["z"]
    assert given.cluster.registry.bandwidth == 2**20
    assert (given.service_range, given.cluster.service_range) == (None, "10.0.0.0/24")
    assert given.deadline == 60
    assert settings("--service-range", "10.1.0.0/24").service_range == "10.1.0.0/24"
    assert settings().cluster == ClusterSettings()
