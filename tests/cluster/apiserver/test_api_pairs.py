"""The 32 recorded pairs of request and response, through the object API of a simulated cluster.

What is drawn or counted is left out of the comparison: addresses that the allocator chose, node ports,
uids, versions, times. Everything else of every body is the same.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from emulator.cluster.apiserver import resources, status
from emulator.cluster.apiserver.api import ObjectAPI
from emulator.cluster.apiserver.status import Rejected
from emulator.cluster.context import Cluster
from emulator.cluster.kernel import Kernel
from emulator.cluster.settings import ClusterSettings
from emulator.cluster.streams import Streams
from emulator.cluster.system import System
from emulator.domain.journal import Journal
from emulator.domain.workload import ContainerStart, Notify, Process

PAIRS = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "data" / "api-1.36.2.jsonl").read_text().splitlines()
]
_PATH = re.compile(r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>v\d+)/namespaces/(?P<rest>.*)")


class Nothing:
    """A runtime that is never asked: no pod of these requests is ever started."""

    def start(self, container: ContainerStart, notify: Notify) -> Process:
        raise NotImplementedError


def make_api() -> ObjectAPI:
    settings = ClusterSettings(namespace="digitalhub", service_range="10.96.0.0/16")
    kernel = Kernel(Journal())
    api = ObjectAPI(System(Cluster(kernel, Streams(1), settings, Nothing())))
    row = resources.find("", "v1", "namespaces")
    assert row is not None
    api.create(row, "", {"metadata": {"name": "err"}})
    return api


def ask(api: ObjectAPI, request: dict[str, Any]) -> tuple[int, Any]:
    """A recorded request, made of the API."""
    match = _PATH.fullmatch(request["path"])
    assert match is not None
    namespace, plural, *name = match["rest"].split("/")
    row = resources.find(match["group"] or "", match["version"], plural)
    method, body = request["method"], request["body"]
    try:
        if row is None:
            raise status.unknown_resource()
        if method == "POST":
            return 201, api.create(row, namespace, json.dumps(body).encode())
        if method == "PUT":
            return 200, api.update(row, namespace, name[0], json.dumps(body).encode())
        if method == "DELETE":
            return 200, api.delete(row, namespace, name[0])
        return 200, api.get(row, namespace, name[0])
    except Rejected as rejected:
        return rejected.code, rejected.status()


def normal(body: Any, asked: str) -> Any:
    """A body without what was drawn: an address or a node port that the request does not name."""
    if isinstance(body, dict):
        drawn = ("uid", "resourceVersion", "creationTimestamp")
        return {
            key: "DRAWN" if key in drawn else normal(value, asked) for key, value in body.items()
        }
    if isinstance(body, list):
        return [normal(each, asked) for each in body]
    if isinstance(body, str):
        return re.sub(
            r"\b10\.96\.\d+\.\d+\b", lambda found: found[0] if found[0] in asked else "IP", body
        )
    if isinstance(body, int) and 30000 <= body <= 32767 and str(body) not in asked:
        return "NODE PORT"
    return body


@pytest.fixture(scope="module")
def answers() -> dict[str, tuple[int, Any]]:
    """The answers to all requests, made one after the other as they were recorded."""
    api = make_api()
    return {pair["label"]: ask(api, pair["request"]) for pair in PAIRS}


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["label"] for pair in PAIRS])
def test_a_recorded_pair(pair: dict[str, Any], answers: dict[str, tuple[int, Any]]) -> None:
    code, body = answers[pair["label"]]
    asked = json.dumps(pair["request"]["body"]) + pair["label"]
    if pair["label"] == "delete-ok":
        asked = ""
    assert code == pair["response"]["status"]
    assert normal(body, asked) == normal(pair["response"]["body"], asked)
