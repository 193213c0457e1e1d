"""`status.service` against the journal and the network: what is shown is there, and answers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support import (
    BOTH,
    IMAGE,
    act,
    advance,
    deploy,
    make_world,
    of_run,
    settle,
    status,
    until,
)

from emulator.control.entities import Run
from emulator.domain.journal import Row
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import MINUTE
from emulator.platform import NoRoute, Route
from emulator.world import World

SMALL: dict[str, Any] = {"pod_range": "10.240.0.0/24", "balancer_range": "198.18.0.0/24"}

asked = st.fixed_dictionaries(
    {
        "service_ports": st.lists(
            st.fixed_dictionaries(
                {"port": st.integers(1, 65535), "target_port": st.integers(1, 65535)}
            ),
            min_size=1,
            max_size=4,
            unique_by=lambda entry: entry["port"],
        )
    },
    optional={
        "service_type": st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]),
        "replicas": st.integers(1, 4),
        "service_name": st.from_regex(r"[a-z][a-z0-9]{0,60}", fullmatch=True),
    },
)


def _row(world: World, name: str) -> Row:
    """The journal's row about the birth of a Service."""
    (found,) = [
        row
        for row in world.journal.rows
        if row.kind == "object" and row.subject == f"Service/{name}" and row.data["op"] == "ADDED"
    ]
    return found


def _routed(world: World, url: str) -> Route | NoRoute:
    host, _, port = url.rpartition(":")
    return world.route(host, int(port))


@given(asked, st.sampled_from(BOTH), st.integers(0, 2**63))
@hypothesis_settings(max_examples=60)
def test_the_block_is_the_service_and_answers(
    spec: dict[str, Any], profile: str, seed: int
) -> None:
    rules = [{"image": IMAGE, "echo": True, "startup": "2s"}]
    world = make_world(profile, seed=seed, rules=rules, **SMALL)
    run = deploy(world, **spec)
    until(world, lambda: run.state is State.PENDING)
    assert "service" not in status(run)
    settle(world, run)
    assert run.state is State.RUNNING
    advance(world, MINUTE)  # a load balancer has its address, every replica is ready

    block = status(run)["service"]
    row = _row(world, block["name"])
    assert {key: block[key] for key in ("type", "clusterIP", "ports")} == {
        key: row.data[key] for key in ("type", "clusterIP", "ports")
    }
    assert row.data["workload"] == run.id
    assert [(port["port"], port["targetPort"]) for port in block["ports"]] == [
        (entry["port"], entry["target_port"]) for entry in spec["service_ports"]
    ]
    urls = [block["url"], *block.get("urls", ()), *block.get("aliases", ())]
    assert len(block.get("urls", (0,))) == len(spec["service_ports"])
    for url in urls:
        found = _routed(world, url)
        assert isinstance(found, Route)
        assert found.workload == run.id
    namespace = world.settings.cluster.namespace
    for port in block["ports"]:
        for host in (
            block["name"],
            f"{block['name']}.{namespace}",
            f"{block['name']}.{namespace}.svc.cluster.local",
            block["clusterIP"],
        ):
            assert isinstance(world.route(host, port["port"]), Route)
    unused = next(n for n in range(1, 9) if n not in [port["port"] for port in block["ports"]])
    assert isinstance(world.route(block["name"], unused), NoRoute)

    act(world, run, "stop")
    settle(world, run)
    assert ("service" in status(run)) is (profile != "documented")
    assert all(isinstance(_routed(world, url), NoRoute) for url in urls)


@given(asked, st.sampled_from(["ClusterIP", "NodePort"]))
@hypothesis_settings(max_examples=30)
def test_the_keys_of_the_block_are_the_pages(spec: dict[str, Any], kind: str) -> None:
    world = make_world(**SMALL)
    run = settle(world, deploy(world, **{**spec, "service_type": kind}))
    more = [
        *(["urls"] if len(spec["service_ports"]) > 1 else []),
        *(["aliases"] if "service_name" in spec else []),
    ]
    block = status(run)["service"]
    assert list(block) == ["name", "type", "clusterIP", "ports", "url", *more]
    assert block["url"] == f"{block['name']}:{spec['service_ports'][0]['port']}"


@given(
    st.lists(st.sampled_from(["good", "slow", "crash"]), min_size=1, max_size=5),
    st.sampled_from(BOTH),
)
@hypothesis_settings(max_examples=40)
def test_health_in_the_journal_is_the_runs_health(images: list[str], profile: str) -> None:
    world = make_world(
        profile,
        rules=[
            {"image": "slow", "echo": True, "startup": "5s"},
            {"image": "crash", "echo": True, "exit": {"after": "3s"}},
        ],
        **SMALL,
    )
    runs: list[Run] = []
    for image in images:
        runs.append(deploy(world, image=image))
        advance(world, 1_700_000_000)
        for run in runs:
            noted = [row.data["health"] for row in of_run(world, run, "health")]
            assert ([*noted] or ["starting"])[-1] == run.current_health
            assert all(before != after for before, after in pairwise(noted))
