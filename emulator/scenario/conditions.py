"""What a scenario asks of a run: its state, its health, its message.

Rules: a condition holds or it does not, now; why it does not is said in the words of the scenario.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulator.control.entities import Run
from emulator.scenario.schema import Condition


def mismatch(runs: Mapping[str, Run], condition: Condition) -> str | None:
    """Why a condition does not hold, None when it does."""
    run = runs[condition.run]
    why = f": {run.message}" if run.message else ""
    if condition.state is not None and run.state is not condition.state:
        return f"run {condition.run} is {run.state}, not {condition.state}{why}"
    if condition.health is not None and run.current_health is not condition.health:
        return f"run {condition.run} is {run.current_health}, not {condition.health}{why}"
    if condition.message is not None and condition.message not in run.message:
        return f"run {condition.run} says {run.message!r}, not {condition.message!r}"
    return None
