"""What the scripts beside this one share: the SDK, how they ask, and how they tell.

Rules: a script runs in an environment of the official SDK and of nothing of ours, against the endpoint
that its variables name; it prints its facts as JSON, in the last line of stdout. A refusal is a fact.
The SDK is imported by name: it is not there where types are checked.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

dh: Any = importlib.import_module("digitalhub")
requests: Any = importlib.import_module("requests")

PORTS = [{"port": 5678, "target_port": 5678}]


def tell(**facts: Any) -> None:
    """Prints the facts."""
    print("\n" + json.dumps(facts))


def answer(response: Any) -> dict[str, Any]:
    """What a caller sees of an answer: status and text, and JSON where the text is JSON."""
    told = {"status": response.status_code, "text": response.text}
    if "json" in response.headers.get("content-type", ""):
        told["json"] = response.json()
    return told


def refusal(call: Callable[[], Any]) -> str:
    """The name and text of what a call raises; empty where it raises nothing."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def ids(entities: list[Any]) -> list[str]:
    """The ids of what a list holds, sorted."""
    return sorted(each.id for each in entities)
