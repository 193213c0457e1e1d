"""`dhemu fault`, against an emulator in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cli_server import Up

from emulator.cli import main
from emulator.cluster.faults import KINDS

Done = tuple[int, str, str]
Dhemu = Callable[..., Done]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with Up("--speed", "paused") as running:
        yield running.endpoint


@pytest.fixture
def dhemu(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Dhemu]:
    monkeypatch.setenv("DHEMU_ENDPOINT", endpoint)

    def run(*words: str) -> Done:
        capsys.readouterr()
        code = main(words)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    yield run
    run("fault", "heal", "--all")


def listed(dhemu: Dhemu) -> list[dict[str, Any]]:
    code, out, _ = dhemu("fault", "ls", "-o", "json")
    assert code == 0
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_a_fault_is_added_listed_and_healed(dhemu: Dhemu) -> None:
    words = ["--for", "2m", "--after", "10s", "--name", "crash", "-p", "0.5"]
    words += ["--set", "after=2s", "--set", "code=3"]
    code, out, err = dhemu("fault", "add", "crash-loop", "-t", "image/acme/*", *words)
    assert (code, out) == (0, "")
    assert "crash begins soon; heal it with: dhemu fault heal crash" in err
    (shown,) = listed(dhemu)
    assert (shown["name"], shown["fault"], shown["target"]) == (
        "crash",
        "crash-loop",
        "image/acme/*",
    )
    assert (shown["state"], shown["for"]) == ("waiting", 120.0)
    assert shown["attributes"] == {"after": 2_000_000_000, "code": 3, "probability": 0.5}
    code, out, _ = dhemu("fault", "ls")
    assert code == 0
    header = out.splitlines()[0].split()
    assert header == "NAME FAULT TARGET STATE START FOR ATTRIBUTES".split()
    assert "crash-loop  image/acme/*  waiting" in out
    code, _, err = dhemu("fault", "heal", "crash")
    assert (code, err) == (0, "dhemu: healed: crash\n")
    assert listed(dhemu) == []
    assert "nothing is broken" in dhemu("fault", "ls")[2]


def test_all_are_healed_at_once(dhemu: Dhemu) -> None:
    code, out, _ = dhemu("fault", "add", "oom", "-o", "json")
    assert (code, json.loads(out)["state"]) == (0, "active")
    assert "oom-2 is at work" in dhemu("fault", "add", "oom")[2]
    assert dhemu("fault", "heal", "--all") == (0, "", "dhemu: healed: oom, oom-2\n")
    assert dhemu("fault", "heal", "--all") == (0, "", "dhemu: nothing was broken\n")


def test_the_kinds_are_listed(dhemu: Dhemu) -> None:
    code, out, _ = dhemu("fault", "ls", "--kinds")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(KINDS)
    assert [each["fault"] for each in json.loads(dhemu("fault", "ls", "-k", "-o", "json")[1])] == (
        list(KINDS)
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "crash-lop"], "did you mean crash-loop?"),
        (["add", "oom", "--set", "code"], "--set: 'code' is no attribute (write KEY=VALUE)"),
        (["add", "oom", "-p", "2"], "probability: 2.0 is not a probability"),
        (["add", "oom", "-t", "node/nowhere"], "target: 'nowhere' is no node"),
        (["add"], "KIND: is missing"),
        (["heal"], "NAME: give one fault's name, or --all"),
        (["heal", "oom", "--all"], "NAME: give one fault's name, or --all"),
        (["heal", "oom"], "name: 'oom' is not the name of a fault"),
    ],
)
def test_bad_input(words: list[str], said: str, dhemu: Dhemu) -> None:
    code, out, err = dhemu("fault", *words)
    assert (code, out) == (2, "")
    assert err.startswith("dhemu: ")
    assert said in err
    assert err.count("\n") == 1
