"""Same seed, same inputs: the same journal to the byte; and one service's luck is its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from support import MISSING, act, advance, delete, deploy, make_world, settle

from emulator.cluster.distributions import Uniform
from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND
from emulator.world import World

RULES = (
    {"image": "crash", "echo": True, "startup": "200ms", "exit": {"after": "7s"}},
    {"image": "slow", "echo": True, "startup": "4s"},
)
NOISE = {
    "start": Uniform(100 * MILLISECOND, SECOND),
    "stop": Uniform(50 * MILLISECOND, SECOND),
    "api_latency": Uniform(5 * MILLISECOND, 50 * MILLISECOND),
}


def eventful(profile: str = "documented", seed: int = 0) -> World:
    """A world in which much has happened: crashes, failed pulls, a balancer, stops, deletes."""
    world = make_world(profile, seed=seed, rules=RULES, deadline=120, **NOISE)
    first = deploy(world, image="good", replicas=3, service_name="blue")
    second = deploy(world, image="slow", service_type="LoadBalancer")
    deploy(world, image="crash")
    deploy(world, image=MISSING)
    advance(world, MINUTE)
    act(world, first, "stop")
    advance(world, MINUTE)
    delete(world, second)
    deploy(world, image="good", service_type="NodePort")
    advance(world, HOUR)
    return world


@pytest.mark.parametrize("profile", ["documented", "core-0.15"])
def test_the_same_seed_gives_the_same_journal(profile: str) -> None:
    one, other = eventful(profile, 7), eventful(profile, 7)
    assert [row.line() for row in one.journal.rows] == [row.line() for row in other.journal.rows]
    assert one.journal.sha256 == other.journal.sha256


def test_another_seed_gives_another_journal() -> None:
    seen = {eventful(seed=seed).journal.sha256 for seed in (-1, 0, 1, 2**70)}
    assert len(seen) == 4


def test_the_seed_is_more_than_the_header() -> None:
    bodies = {
        "".join(row.line() for row in eventful(seed=seed).journal.rows[1:]) for seed in (1, 2)
    }
    assert len(bodies) == 2


def test_neither_the_process_nor_its_hash_seed_matters() -> None:
    code = "from test_determinism import eventful; print(eventful(seed=3).journal.sha256)"
    seen = set()
    for number in ("0", "1"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": number,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        made = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(made.stdout.strip())
    assert seen == {eventful(seed=3).journal.sha256}


def _life(world: World, id: str) -> list[dict[str, Any]]:
    """A run's rows without what neighbours may change: numbers, causes, nodes, addresses."""
    rows = []
    for row in world.journal.rows:
        if id not in row.subject or row.kind == "command":
            continue
        line = json.loads(row.line())
        del line["n"], line["cause"]
        line.pop("clusterIP", None)
        rows.append(json.loads(re.sub(r"\bnode-\d+|10\.24\d\.\d+\.\d+", "*", json.dumps(line))))
    return rows


@pytest.mark.parametrize("image", ["good", "slow", "crash", MISSING])
@pytest.mark.parametrize("profile", ["documented", "core-0.15"])
def test_an_unrelated_service_changes_nobody_elses_life(profile: str, image: str) -> None:
    lives = []
    for neighbour in (False, True):
        world = make_world(profile, seed=11, rules=RULES, deadline=120, **NOISE)
        if neighbour:
            deploy(world, id="other", function="other", image="slow", replicas=2)
        run = deploy(world, id="mine", function="mine", image=image)
        settle(world, run, 10 * MINUTE)
        advance(world, 10 * MINUTE)
        lives.append(_life(world, "mine"))
    assert lives[0]
    assert lives[0] == lives[1]
