"""What a scenario's run leaves behind: how it went, what was answered, the journal.

Rules: values only; times are nanoseconds since the world began.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from emulator.cluster import traffic
from emulator.control.entities import Run
from emulator.domain.journal import Row
from emulator.scenario.schema import Scenario


@dataclass(frozen=True, slots=True)
class Failure:
    """What was not as the scenario says: the step (from 0), the simulated time, the sentence."""

    step: int
    time: int
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an invocation."""

    run: str
    method: str
    url: str
    time: int
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(slots=True)
class Result:
    """How a scenario went. `services` holds each run's `status.service` when it became RUNNING.

    `violations` are the judge's sentences, where there was one.
    """

    scenario: Scenario
    seed: int
    end: int = 0
    sha256: str = ""
    rows: list[Row] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    loads: dict[str, traffic.Result] = field(default_factory=dict)
    failure: Failure | None = None
    violations: list[str] = field(default_factory=list)
