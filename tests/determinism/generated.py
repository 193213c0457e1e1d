"""Generated scenarios, each run under two hash seeds: `generated.py [--count 1000] [--seed 0]`.

Rules: the histories are drawn by Hypothesis from the seed alone; the process that draws them hands the
scenarios' texts to one process for each hash seed, which tells their digests in the same order. The
worlds take turns: both profiles, quiet and noisy clusters, with and without clients' rates. Exit code 1
where two digests differ; the scenarios are printed then.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

HASH_SEEDS = ("0", "4242")

_NODES = [
    {"name": "a", "count": 2, "zone": "a", "cpu": "4", "pods": 12},
    {"name": "b", "count": 1, "zone": "b", "cpu": "2", "pods": 6},
]
_QUIET: dict[str, Any] = {"nodes": _NODES, "service_range": "10.0.0.0/26"}
_NOISY: dict[str, Any] = {
    **_QUIET,
    "start": {"lognormal": {"median": "500ms", "p99": "5s"}},
    "stop": {"gamma": {"mean": "1s", "shape": 2}},
    "balancer": {"exponential": "5s"},
    "api_latency": {"uniform": ["5ms", "50ms"]},
}
_FREE: dict[str, Any] = {**_NOISY, "controller_rate": "off", "scheduler_rate": "off"}
_CLUSTERS = (_QUIET, _NOISY, _FREE)
_PROFILES = ("documented", "core-0.15")


def scenarios(count: int, seed: int) -> list[str]:
    """`count` scenarios' texts; the same for the same seed, whatever the hash seed is."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    from emulator.cluster.faults import KINDS
    from emulator.domain.timefmt import SECOND
    from emulator.testing.actions import Action, Advance, Deploy, Load, Setting, render
    from emulator.testing.strategies import BEHAVIOURS, histories, loads

    texts: list[str] = []

    @seeded(seed)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        derandomize=False,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        histories(nodes=("a-1", "a-2", "b-1"), zones=("a", "b"), kinds=tuple(KINDS)),
        loads(["none"], "load", ("", "a")),
    )
    def draw(actions: list[Action], load: Load) -> None:
        number = len(texts)
        for place, action in enumerate(actions):
            if isinstance(action, Deploy) and action.image in ("good", "slow"):
                actions[place + 1 : place + 1] = [
                    Advance(20 * SECOND),
                    replace(load, run=action.run),
                ]
                break
        setting = Setting(
            name=f"generated-{number}",
            seed=seed * 1_000_003 + number,
            profile=_PROFILES[number % len(_PROFILES)],
            cluster=_CLUSTERS[number % len(_CLUSTERS)],
            behaviours=BEHAVIOURS,
        )
        texts.append(render(actions, setting))

    draw()
    return texts


def told(texts: Sequence[str]) -> list[list[Any]]:
    """For each scenario: its journal's SHA-256, its number of rows, and why it failed, if it did."""
    from emulator.scenario.loader import Loaded, parse
    from emulator.scenario.runner import run_scenario

    found: list[list[Any]] = []
    for text in texts:
        result = run_scenario(Loaded(parse(text), text, "<generated>"))
        failure = result.failure.message if result.failure else ""
        found.append([result.sha256, len(result.rows), failure])
    return found


def compare(
    texts: Sequence[str], hash_seeds: Sequence[str] = HASH_SEEDS
) -> tuple[list[int], int, int]:
    """The numbers of the scenarios that differ, the rows of all, and how many failed at a step.

    Raises AssertionError where a process does not end well.
    """
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--tell"],
            env={**os.environ, "PYTHONHASHSEED": each},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for each in hash_seeds
    ]
    answers = []
    for process in started:  # each reads all of its input before it writes
        out, _ = process.communicate(json.dumps(list(texts)))
        assert process.returncode == 0, f"a process ended with {process.returncode}"
        answers.append(json.loads(out))
    first, *others = answers
    assert len(first) == len(texts)
    differ = [n for n, each in enumerate(first) if any(other[n] != each for other in others)]
    return differ, sum(rows for _, rows, _ in first), sum(bool(failure) for _, _, failure in first)


def main(words: Sequence[str] | None = None) -> int:
    """Prints what was compared; the exit code."""
    parser = argparse.ArgumentParser(description="generated scenarios under two hash seeds")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tell", action="store_true", help="read texts as JSON, tell digests")
    asked = parser.parse_args(words)
    if asked.tell:
        json.dump(told(json.load(sys.stdin)), sys.stdout)
        return 0
    began = time.monotonic()
    texts = scenarios(asked.count, asked.seed)
    differ, rows, failed = compare(texts)
    print(
        f"{len(texts)} scenarios of seed {asked.seed}, {rows} rows, hash seeds"
        f" {', '.join(HASH_SEEDS)}: {len(differ)} differ; {failed} ended at a step that was refused;"
        f" {time.monotonic() - began:.0f} s"
    )
    for number in differ[:3]:
        print(texts[number])
    return 1 if differ else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    raise SystemExit(main())
