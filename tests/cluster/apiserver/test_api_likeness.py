"""A manifest that is read by its likeness to another one is what reading it would have made."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.apiserver.likeness import Likenesses
from emulator.cluster.apiserver.resources import DEPLOYMENTS, SERVICES, Resource
from emulator.cluster.apiserver.status import Rejected

#: Names as runs have them, among them some that a default's text contains.
NAMES = st.one_of(
    st.from_regex(r"[a-z0-9]{6,12}", fullmatch=True),
    st.sampled_from(
        ["scheduler", "default", "cluster", "termination", "filesys", "a", "Not-plain"]
    ),
)


def deployment(name: str, image: str, cpu: str) -> dict[str, Any]:
    labels = {"app": "a", "run": name, "instance": f"x-{name}"}
    container = {
        "name": f"c-{name}",
        "image": image,
        "env": [{"name": "RUN_ID", "value": name}],
        "resources": {"requests": {"cpu": cpu}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"d-{name}", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def service(name: str, image: str, cpu: str) -> dict[str, Any]:
    port = {"name": image, "port": len(cpu), "targetPort": 80}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"s-{name}", "labels": {"run": name}},
        "spec": {"selector": {"run": name}, "ports": [port]},
    }


def plainly(row: Resource, manifest: dict[str, Any]) -> Any:
    """What reading and validating makes of a manifest, or its refusal."""
    try:
        obj = row.read(copy.deepcopy(manifest), "ns")
        if row.kind != "Service":
            row.validate(obj)
    except Rejected as rejected:
        return rejected.status()
    return obj


@pytest.mark.parametrize(("row", "make"), [(DEPLOYMENTS, deployment), (SERVICES, service)])
@given(
    asked=st.lists(
        st.tuples(
            NAMES, st.sampled_from(["web", "web:2", "Bad Image"]), st.sampled_from(["1", "500m"])
        ),
        min_size=2,
        max_size=8,
    )
)
def test_a_reading_by_likeness_is_a_reading(
    row: Resource, make: Any, asked: list[tuple[str, str, str]]
) -> None:
    likenesses = Likenesses()
    for name, image, cpu in asked:
        manifest = make(name, image, cpu)
        before = copy.deepcopy(manifest)
        try:
            found: Any = likenesses.read(row, manifest, "ns", name)
        except Rejected as rejected:
            found = rejected.status()
        assert found == plainly(row, manifest)
        assert manifest == before


def test_what_comes_out_is_nobody_elses() -> None:
    likenesses = Likenesses()
    one = likenesses.read(DEPLOYMENTS, deployment("aaaaaa", "web", "1"), "ns", "aaaaaa")
    other = likenesses.read(DEPLOYMENTS, deployment("bbbbbb", "web", "1"), "ns", "bbbbbb")
    other["spec"]["replicas"] = 9
    again = likenesses.read(DEPLOYMENTS, deployment("cccccc", "web", "1"), "ns", "cccccc")
    assert one["spec"]["replicas"] == again["spec"]["replicas"] == 1
    assert again["metadata"]["name"] == "d-cccccc"
