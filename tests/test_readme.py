"""What the README shows is what the project does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from emulator.commands.table import COMMANDS
from emulator.scenario.loader import load, shelf
from emulator.scenario.runner import run_scenario
from emulator.workloads.rules import BEHAVIOURS, parse_rules

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("name", shelf())
def test_every_scenario_on_the_shelf_passes(name: str) -> None:
    result = run_scenario(load(name))
    assert result.failure is None, result.failure


def test_the_shelf_is_numbered_from_one() -> None:
    numbers = [int(path.name.partition("-")[0]) for path in shelf().values()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_scenario_shown_is_the_one_on_the_shelf() -> None:
    (shown,) = [block for block in BLOCKS if block.startswith("scenario: 1")]
    assert shown == (ROOT / "scenarios" / "02-crash-and-pull.yaml").read_text(encoding="utf-8")


def test_the_rules_shown_are_rules_and_show_every_behaviour() -> None:
    (shown,) = [block for block in BLOCKS if block.startswith("- {image:")]
    entries = YAML(typ="safe", pure=True).load(shown)
    assert len(parse_rules(entries)) == len(entries)
    assert {key for entry in entries for key in entry} >= set(BEHAVIOURS)


def test_every_command_is_named() -> None:
    for entry in COMMANDS:
        assert re.search(rf"`{entry}\b", README), f"the README does not name dhemu {entry}"


def test_every_link_into_the_tree_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
