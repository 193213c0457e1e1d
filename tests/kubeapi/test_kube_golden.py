"""The pairs recorded from a real Kubernetes 1.36.2, asked again over HTTP, in their order.

Rules: what the recorded server drew (addresses, node ports, uids), counted (versions) or read from its
clock is left out of the comparison; everything else must be the same. The recorder left out
managedFields. Source: Kubernetes facts sections 0 to 2 and the recording.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from kube_wire import Wire

Json = dict[str, Any]

_FILE = Path(__file__).parents[1] / "data" / "api-1.36.2.jsonl"
PAIRS = [json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines()]
_DRAWN = ("uid", "resourceVersion", "creationTimestamp", "managedFields")
#: Addresses and node ports that the requests name.
_ASKED = ("None", "10.96.0.77", 30007)
_DRAWN_TEXT = re.compile(r'(IPAddress\.networking\.k8s\.io )"[0-9.]+"')


def normal(value: Any, *, at: str = "") -> Any:
    """A body without what the server drew."""
    if isinstance(value, dict):
        kept = {
            key: each for key, each in value.items() if not (at == "metadata" and key in _DRAWN)
        }
        return {key: normal(each, at=key) for key, each in kept.items()}
    if isinstance(value, list):
        return [normal(each, at=at) for each in value]
    if isinstance(value, str):
        drawn = at in ("clusterIP", "clusterIPs") and value not in _ASKED
        return "drawn" if drawn else _DRAWN_TEXT.sub(r'\1"drawn"', value)
    return "drawn" if at == "nodePort" and value not in _ASKED else value


@pytest.fixture(scope="module")
def answers() -> dict[str, tuple[int, Json]]:
    """Every pair's answer by its label."""
    wire = Wire()
    wire.make("/api/v1/namespaces", {"metadata": {"name": "err"}})
    found = {}
    for pair in PAIRS:
        request = pair["request"]
        answer = wire.ask(request["method"], request["path"], request["body"])
        found[pair["label"]] = (answer.status_code, answer.json())
    return found


def test_all_recorded_pairs_are_here() -> None:
    assert len({pair["label"] for pair in PAIRS}) == 32


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: str(pair["label"]))
def test_a_recorded_request_gets_the_recorded_answer_over_http(
    pair: Json, answers: dict[str, tuple[int, Json]]
) -> None:
    code, body = answers[pair["label"]]
    recorded = pair["response"]
    assert code == recorded["status"]
    assert normal(body) == normal(recorded["body"])
    if recorded["body"]["kind"] == "Status":
        assert list(body) == list(recorded["body"]), "the keys in their order"
