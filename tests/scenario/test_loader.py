"""Reading a scenario file (E0xx), and finding it by path or on the shelf."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.scenario import loader, positions
from emulator.scenario.rules import RULES, ScenarioError, ScenarioNotFound
from emulator.scenario.schema import Deploy

HEAD = "scenario: 1\nname: x\n"

#: Nine levels of nine aliases each: a small file that would come to hundreds of millions of nodes.
BOMB = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n"
    for below, name in zip("abcdefghi", "bcdefghij", strict=True)
)

#: Rule, the file, and the line and column that must be named.
CASES: list[tuple[str, bytes, int, int]] = [
    ("E002", b"#" * (positions.MAX_BYTES + 1), 1, 1),
    ("E003", "scenario: 1\nname: caf\u00e9\n".encode("latin-1"), 2, 10),
    ("E003", HEAD.encode("utf-16"), 1, 1),
    ("E003", b"scenario: 1\nname: \x01\n", 2, 7),
    ("E003", b'scenario: 1\nname: "\\ud800"\n', 2, 7),
    ("E004", b"scenario: 1\nname: [a\nseed: 1\n", 3, 5),
    ("E004", b"scenario: 1\nname: 'x\nseed: 1\n", 2, 7),
    ("E004", b"scenario: 1\n  name: x\n", 2, 7),
    ("E004", b'name: "\\UFFFFFFFF"\n', 1, 1),
    ("E005", b"scenario: 1\ncluster:\n\tnamespace: a\n", 3, 1),
    ("E006", b"scenario: 1\nname: x\nname: y\n", 3, 1),
    ("E006", b"scenario: 1\ncluster: {start: 1s, start: 1s}\n", 2, 22),
    ("E007", b"", 1, 1),
    ("E007", b"# nothing yet\n", 1, 1),
    ("E007", b"---\n", 1, 1),
    ("E008", b"- scenario: 1\n", 1, 1),
    ("E008", b"# a text\nscenario\n", 2, 1),
    ("E009", BOMB.encode(), 6, 36),
    ("E009", b"a: " + b"[" * 2_000, 1, 67),
    ("E010", b"scenario: 1\nname: !!python/object/apply:os.getcwd []\n", 2, 7),
    ("E010", b"scenario: 1\nname: !env HOME\n", 2, 7),
    ("E011", b"scenario: 1\n---\nname: x\n", 2, 1),
    ("E012", b"scenario: 1\n8080: x\n", 2, 1),
    ("E012", b"scenario: 1\n? [a, b]\n: x\n", 2, 3),
    ("E013", b"scenario: 1\nname: *other\n", 2, 7),
    ("E013", b"scenario: 1\nname: &a [*a]\n", 2, 11),
]


def broken(path: Path) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        loader.load(str(path))
    return caught.value


@pytest.mark.parametrize(("rule", "raw", "line", "column"), CASES)
def test_a_file_that_cannot_be_read_is_told_with_rule_and_place(
    tmp_path: Path, rule: str, raw: bytes, line: int, column: int
) -> None:
    file = tmp_path / "file.yaml"
    file.write_bytes(raw)
    error = broken(file)
    assert [(one.rule, one.line, one.column) for one in error.problems] == [(rule, line, column)]
    assert str(error).startswith(f"{file}:{line}:{column}: {rule} ")
    assert "\n" not in str(error)


def test_a_long_list_is_refused_where_it_becomes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "MAX_NODES", 10)
    file = tmp_path / "file.yaml"
    file.write_text("a:\n" + "  - x\n" * 10, encoding="utf-8")
    assert [(one.rule, one.line) for one in broken(file).problems] == [("E009", 11)]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    error = broken(tmp_path)
    assert [one.rule for one in error.problems] == ["E001"]


def test_every_rule_of_reading_has_a_case() -> None:
    assert {rule for rule, *_ in CASES} | {"E001"} == {rule for rule in RULES if rule < "E1"}


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=40)
    | st.text(alphabet="a:- \n\t[]{}&*!%|>'\"?,#\\xUu0~@`<=.\r", max_size=40)
    | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1"))
)
@example('"\\U00110000"')
@example("%YAML 9.9\n---\na: 1")
@example("%TAG ! x\n---\n!a b: c")
@example("a: \ufeffb")
def test_any_text_is_a_scenario_or_a_scenario_error(text: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loader.parse(text, "file.yaml")
    assert caught.value.problems
    assert min(min(one.line, one.column) for one in caught.value.problems) >= 1


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        "\ufeff" + HEAD,
        HEAD.replace("\n", "\r\n"),
        "%YAML 1.2\n---\n" + HEAD + "...\n",
        '{"scenario": 1, "name": "x"}',
        "scenario: 0x1\nname: 'x'\n",
    ],
)
def test_the_ways_to_write_a_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "any.yaml"
    file.write_bytes(text.encode())
    loaded = loader.load(str(file))
    assert loaded.scenario.name == "x"
    assert loaded.source == text.removeprefix("\ufeff")
    assert loaded.path == str(file)


def test_words_that_older_yaml_read_as_booleans_and_dates_are_texts() -> None:
    scenario = loader.parse(HEAD + "title: 2026-01-01\nproject: on\n")
    assert (scenario.title, scenario.project) == ("2026-01-01", "on")


def test_an_alias_repeats_its_anchor() -> None:
    functions = "functions:\n  - {name: a, kind: container, spec: &s {image: i}}\n"
    scenario = loader.parse(HEAD + functions + "  - {name: b, kind: container, spec: *s}\n")
    assert scenario.functions[0].spec == scenario.functions[1].spec == {"image": "i"}
    assert scenario.functions[0].spec is not scenario.functions[1].spec


def test_the_whole_shelf_loads_and_is_named_by_its_files() -> None:
    shelf = loader.shelf()
    assert next(iter(shelf)) == "first-service"
    files = sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))
    assert [file.name for file in shelf.values()] == [file.name for file in files]
    for name, file in shelf.items():
        loaded = loader.load(name)
        assert loaded.scenario.name == name
        assert loaded.source == file.read_text(encoding="utf-8")


def test_a_name_on_the_shelf_may_carry_its_number() -> None:
    assert loader.load("01-first-service") == loader.load("first-service")


def test_the_first_service_is_the_one_of_the_documentation() -> None:
    deploy = loader.load("first-service").scenario.steps[0]
    assert isinstance(deploy, Deploy)
    assert deploy.id == "9271ab33c0364d549c89f8b2834ae141"
    assert deploy.spec["service_ports"] == [{"port": 5678, "target_port": 5678}]


def test_a_file_wins_over_the_shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first-service").write_text(HEAD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert loader.load("first-service").scenario.name == "x"


def test_a_folder_of_the_same_name_does_not_hide_the_shelf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "first-service").mkdir()
    monkeypatch.chdir(tmp_path)
    assert loader.load("first-service").scenario.name == "first-service"


def test_an_unknown_name_is_told_with_what_there_is() -> None:
    with pytest.raises(ScenarioNotFound) as caught:
        loader.load("frist-service")
    assert caught.value.near == ("first-service",)
    assert caught.value.shelf == tuple(loader.shelf())
    assert "did you mean first-service?" in str(caught.value)


@pytest.mark.parametrize("name", ["", "\0", "x" * 5000, "no/such/file.yaml", "\udcff"])
def test_a_name_that_no_file_has(name: str) -> None:
    with pytest.raises(ScenarioNotFound, match="no scenario"):
        loader.load(name)


def test_the_shelf_of_an_installed_package_is_inside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "shelf"
    inside.mkdir()
    (inside / "07-x.yaml").write_text(HEAD, encoding="utf-8")
    (inside / "notes.txt").write_text("no scenario", encoding="utf-8")
    monkeypatch.setattr("importlib.resources.files", lambda _package: tmp_path)
    assert loader.shelf() == {"x": inside / "07-x.yaml"}
    assert loader.load("07-x").scenario.name == "x"


def test_the_digest_is_that_of_the_text() -> None:
    assert loader.digest("é\n") == hashlib.sha256("é\n".encode()).hexdigest()


def test_reading_the_modules_does_not_load_the_parser() -> None:
    code = "import sys, emulator.scenario.loader; print('ruamel.yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
