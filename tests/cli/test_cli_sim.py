"""`dhemu sim` and `dhemu check`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.commands.group import root


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def dhemu(*words: str) -> Result:
    """Runs a command in this process."""
    return CliRunner().invoke(root, list(words))


def test_sim_prints_life_block_answer_and_digest(tmp_path: Path) -> None:
    result = dhemu("sim", "first-service")
    assert result.exit_code == 0, result.output
    for part in (
        "run web           PENDING -> RUNNING",
        "  name: s-containerserve-9271ab33c0364d549c89f8b2834ae141\n",
        "  clusterIP: 172.16.143.129\n",
        "hello from DigitalHub\n",
        "seed     246968\n",
    ):
        assert part in result.stdout
    journal = tmp_path / "state" / "dhemu" / "journals" / "first-service-246968.jsonl"
    assert f"journal  {journal}" in result.stdout
    assert f"sha256   {hashlib.sha256(journal.read_bytes()).hexdigest()}" in result.stdout
    assert "simulated time" in result.stderr


def test_sim_as_json(tmp_path: Path) -> None:
    where = tmp_path / "deep" / "j.jsonl"
    result = dhemu("sim", "first-service", "--seed", "9", "--journal", str(where), "-o", "json")
    shown = json.loads(result.stdout)
    assert shown["passed"] is True
    assert shown["seed"] == 9
    assert shown["sha256"] == hashlib.sha256(where.read_bytes()).hexdigest()
    assert shown["runs"]["web"]["state"] == "STOPPED"
    assert shown["answers"][0]["body"] == "hello from DigitalHub\n"


def test_a_failure_names_step_time_seed_and_the_command_again(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    shelf = Path(__file__).parents[2] / "scenarios" / "01-first-service.yaml"
    file.write_text(shelf.read_text().replace("status: 200", "status: 404"))
    result = dhemu("sim", str(file))
    assert result.exit_code == 1
    assert "steps[1] failed at 3.010 s:" in result.stderr
    assert "answered 200, expected 404" in result.stderr
    assert f"dhemu sim {file} --seed 246968" in result.stderr


def test_paced_by_the_wall_it_is_the_same_journal(tmp_path: Path) -> None:
    fast = json.loads(dhemu("sim", "first-service", "-o", "json").stdout)
    paced = json.loads(dhemu("sim", "first-service", "-o", "json", "--speed", "1000").stdout)
    assert fast["sha256"] == paced["sha256"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sim", "first-servic"), "did you mean first-service?"),
        (("sim", "first-service", "--speed", "warp"), "--speed: 'warp' is no speed"),
        (("sim", "first-service", "--seed", "-1"), "--seed"),
        (("sim", "first-service", "--journal", "/dev/null/x"), "--journal: /dev/null/x cannot"),
        (("check", "nothing.yaml"), "nothing.yaml"),
    ],
)
def test_bad_input_is_one_line_and_two(words: tuple[str, ...], said: str) -> None:
    from emulator.commands.problem import explain

    result = CliRunner().invoke(root, list(words), standalone_mode=False)
    error = result.exception
    assert getattr(error, "code", getattr(error, "exit_code", None)) == 2
    text = result.stderr if isinstance(error, SystemExit) else explain(error)  # type: ignore[arg-type]
    assert said in text
    assert len(text.strip().splitlines()) == 1


def test_check_says_well_or_what_is_wrong(tmp_path: Path) -> None:
    assert "well (4 steps)" in dhemu("check", "first-service").stdout
    file = tmp_path / "bad.yaml"
    file.write_text("scenario: 1\nname: bad\nstepz: []\n")
    result = dhemu("check", str(file))
    assert result.exit_code == 2
    assert f"{file}:3:1: " in result.stderr
