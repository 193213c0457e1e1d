"""Traffic over the simulated cluster: who is chosen, who listens, and what a crash does to requests.

Source: Kubernetes facts section 7 (ready, serving and terminating endpoints; kube-proxy's choice).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from support import PORT, advance, deploy, make_world, ports, until

from emulator.cluster.distributions import Constant, Exponential, Uniform
from emulator.cluster.objects import Pod, Service
from emulator.cluster.settings import Network, NodePool, Registry
from emulator.cluster.traffic import Closed, Each, Load, Open, Result, Retry
from emulator.cluster.traffic.binding import Directory
from emulator.control.entities import Run
from emulator.domain.journal import Row
from emulator.domain.timefmt import MILLISECOND, SECOND
from emulator.world import World

MS = MILLISECOND
CRASHING = {"image": "*", "echo": True, "exit": {"after": "20s", "code": 1}}


def served(world: World, replicas: int = 1) -> Run:
    """A run all of whose replicas are ready."""
    run = deploy(world, replicas=replicas, service_ports=ports(PORT))
    until(world, lambda: len(service(world, run).ready) == replicas if has(world, run) else False)
    return run


def has(world: World, run: Run) -> bool:
    return world.cluster.store.get("Service", f"digitalhub/{world.service_name(run)}") is not None


def service(world: World, run: Run) -> Service:
    found: Service | None = world.cluster.store.get(
        "Service", f"digitalhub/{world.service_name(run)}"
    )
    assert found is not None
    return found


def pods(world: World) -> list[Pod]:
    return list(world.cluster.store.all("Pod"))


def start(world: World, run: Run, **fields: Any) -> None:
    """Starts the load `shop`, a request each 10 ms that take 1 ms unless `fields` say otherwise."""
    world.traffic.start(
        Load(
            **{
                "name": "shop",
                "service": world.service_name(run),
                "arrivals": Open(Constant(10 * MS)),
                "service_time": Constant(MS),
                "keep": "each",
                "rows": True,
                **fields,
            }
        )
    )


def books(world: World, limit: int = 1000 * SECOND) -> Result:
    """The load's books, once it is over."""
    until(world, lambda: world.traffic.over("shop"), limit)
    return world.traffic.results("shop")


def rows(world: World, *kinds: str) -> list[Row]:
    return [row for row in world.journal.rows if row.kind in kinds]


# -- who is chosen ---------------------------------------------------------------------------------


def test_the_ready_endpoints_may_be_chosen_and_a_service_that_is_not_there_has_none() -> None:
    world = make_world()
    run = served(world, 3)
    directory = Directory(world.cluster)
    name = world.service_name(run)
    assert set(directory.ready(name)) == {pod.name for pod in pods(world)}
    assert directory.ready(f"digitalhub/{name}") == directory.ready(name)
    assert directory.ready(f"other/{name}") == ()
    assert directory.ready("nothing") == ()


def test_what_may_be_chosen_is_what_kube_proxy_has_at_every_instant() -> None:
    world = make_world(rules=[CRASHING])
    run = deploy(world, replicas=3, service_ports=ports(PORT))
    directory = Directory(world.cluster)
    name = world.service_name(run)
    seen: set[int] = set()
    end = world.now + 60 * SECOND
    while world.kernel.peek() <= end:
        world.kernel.step()
        held: Service | None = world.cluster.store.get("Service", f"digitalhub/{name}")
        expected = [pod.name for pod in held.ready.values()] if held else []
        assert list(directory.ready(name)) == expected
        seen.add(len(expected))
    assert seen >= {0, 3}


def test_where_none_is_ready_those_that_terminate_and_still_serve_are_chosen() -> None:
    world = make_world(stop=Constant(5 * SECOND))
    run = served(world, 2)
    directory = Directory(world.cluster)
    name = world.service_name(run)
    before = directory.ready(name)
    deployment = world.cluster.store.all("Deployment")[0]
    world.platform.system.delete_deployment(deployment)
    until(world, lambda: not service(world, run).ready)
    assert set(directory.ready(name)) == set(before)
    assert all(directory.listens(pod) for pod in before)
    advance(world, 20 * SECOND)
    assert directory.ready(name) == ()


def test_no_request_goes_to_a_pod_after_its_endpoint_was_withdrawn() -> None:
    world = make_world(rules=[CRASHING], start=Exponential(3 * SECOND))
    run = served(world, 3)
    start(
        world,
        run,
        service_time=Exponential(20 * MS),
        arrivals=Open(Exponential(5 * MS)),
        count=9000,
    )
    books(world)
    subject = f"Service/{world.service_name(run)}"
    ready: set[str] = set()
    allowed: dict[str, frozenset[str]] = {}
    chosen = 0
    for row in world.journal.rows:
        if row.kind == "endpoint" and row.subject == subject:
            ready.discard(row.data["pod"])
            if row.data.get("ready"):
                ready.add(row.data["pod"])
        elif row.kind == "sent":
            allowed[row.data["id"]] = frozenset(ready)
        elif row.kind in ("answered", "failed"):
            pod = row.data["pod"]
            assert (pod in allowed[row.data["id"]]) if pod else not allowed[row.data["id"]]
            chosen += bool(pod)
    assert chosen > 5000
    assert len(set(allowed.values())) > 3, "no endpoint was withdrawn while the load ran"


# -- who listens -----------------------------------------------------------------------------------


def test_a_pod_listens_while_its_container_runs_on_a_node_that_is_up() -> None:
    world = make_world(rules=[CRASHING], start=Constant(5 * SECOND))
    served(world)
    directory = Directory(world.cluster)
    (pod,) = pods(world)
    assert pod.node is not None
    assert directory.listens(pod.name)
    pod.node.up = False
    assert not directory.listens(pod.name)
    pod.node.up = True
    until(world, lambda: bool(rows(world, "exit")))
    assert not directory.listens(pod.name)
    assert not directory.listens("nobody")
    until(world, lambda: directory.listens(pod.name))
    assert pod.restarts == 1


def test_the_end_of_a_container_is_told_once_and_only_of_those_that_were_asked_about() -> None:
    world = make_world(rules=[CRASHING], start=Constant(5 * SECOND))
    served(world, 2)
    directory = Directory(world.cluster)
    told: list[tuple[int, str]] = []
    directory.watch(lambda pod: told.append((world.now, pod)))
    asked = pods(world)[0].name
    assert directory.listens(asked)
    advance(world, 60 * SECOND)
    ends = [row.t for row in rows(world, "exit") if row.subject == f"Pod/{asked}"]
    assert len(ends) > 1
    assert told == [(ends[0], asked)]
    until(world, lambda: directory.listens(asked))
    advance(world, 60 * SECOND)
    assert [pod for _, pod in told] == [asked, asked]


def test_a_pod_that_is_gone_is_told() -> None:
    world = make_world()
    run = served(world)
    directory = Directory(world.cluster)
    told: list[str] = []
    directory.watch(told.append)
    (pod,) = pods(world)
    assert directory.listens(pod.name)
    world.command("stop", f"Run/{run.id}", lambda now: world.plane.runs.act(now, run, "stop"))
    advance(world, 60 * SECOND)
    assert told == [pod.name]


# -- a crash ---------------------------------------------------------------------------------------


def test_a_crash_resets_what_the_replica_was_serving_and_what_waited_there() -> None:
    world = make_world(rules=[CRASHING], start=Constant(5 * SECOND))
    run = served(world)
    start(
        world,
        run,
        arrivals=Open(Constant(SECOND)),
        service_time=Constant(60 * SECOND),
        concurrency=2,
        end=world.now + 30 * SECOND,
    )
    until(world, lambda: bool(rows(world, "exit")))
    result = world.traffic.results("shop")
    (exit_row,) = rows(world, "exit")
    before = [row for row in rows(world, "sent") if row.t < exit_row.t]
    resets = [row for row in rows(world, "failed") if row.data["reason"] == "reset"]
    assert len(before) > 10
    assert [row.data["id"] for row in resets] == [row.data["id"] for row in before]
    assert {row.t for row in resets} == {exit_row.t}
    assert result.outcomes == {"reset": len(before)}


def test_the_next_container_of_a_pod_starts_with_an_empty_queue() -> None:
    world = make_world(rules=[CRASHING], start=Constant(SECOND))
    run = served(world)
    start(world, run, arrivals=Closed(5, Constant(100 * MS)), service_time=Constant(60 * SECOND))
    until(world, lambda: len(rows(world, "exit")) == 1)
    until(world, lambda: bool(service(world, run).ready))
    again = world.now
    until(world, lambda: len(rows(world, "exit")) == 2)
    late = [row for row in rows(world, "failed") if row.t > again and row.data["reason"] == "reset"]
    assert len(late) == 5
    world.traffic.stop("shop")


def test_a_retry_makes_up_for_a_crash() -> None:
    def failed(retry: Retry | None) -> int:
        world = make_world(
            rules=[{"image": "*", "echo": True, "exit": {"after": "30s"}}],
            registry=Registry(latency=Uniform(SECOND, 20 * SECOND)),  # once for each node
        )
        run = served(world, 3)
        start(world, run, retry=retry, service_time=Constant(50 * MS), concurrency=20, count=3500)
        return books(world).failed

    assert failed(None) > failed(Retry(2, backoff=Constant(200 * MS))) == 0


# -- distances -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "expected"),
    [("a", {"a": 2, "b": 10}), ("b", {"a": 10, "b": 2}), ("", {"a": 2, "b": 2})],
)
def test_a_message_between_zones_takes_longer(part: str, expected: dict[str, int]) -> None:
    pools = (NodePool("a", 1, zone="a"), NodePool("b", 1, zone="b"))
    world = make_world(pools=pools, network=Network(MS, 4 * MS))
    run = served(world, 4)
    start(world, run, part=part, count=50, concurrency=50)
    books(world)
    zones = {pod.name: pod.node.zone for pod in pods(world) if pod.node is not None}
    assert set(zones.values()) == {"a", "b"}
    took = {(zones[row.data["pod"]], row.data["latency"]) for row in rows(world, "answered")}
    assert took == {(zone, (way + 1) * MS) for zone, way in expected.items()}


def test_a_node_that_is_down_says_nothing_any_more() -> None:
    world = make_world(pools=(NodePool("n", 1),))
    run = served(world)
    start(world, run, service_time=Constant(2 * SECOND), timeout=5 * SECOND, count=2, concurrency=2)
    advance(world, SECOND)
    world.cluster.nodes[0].up = False
    result = books(world)
    assert result.outcomes == {"partition": 2}
    assert [row.data["latency"] for row in rows(world, "failed")] == [5 * SECOND] * 2


# -- chance ----------------------------------------------------------------------------------------


def loaded(seed: int, *, load: bool = True) -> World:
    world = make_world(rules=[CRASHING], seed=seed, start=Exponential(3 * SECOND))
    run = served(world, 3)
    if load:
        start(world, run, arrivals=Open(Exponential(20 * MS)), retry=Retry(1), count=2000)
    world.run_until(lambda: False, 120 * SECOND)
    return world


def test_the_same_seed_is_the_same_journal_and_another_is_not() -> None:
    digests = [loaded(seed).journal.sha256 for seed in (5, 5, 6)]
    assert digests[0] == digests[1] != digests[2]


def test_a_load_changes_nothing_of_what_the_cluster_does() -> None:
    def others(world: World) -> list[tuple[int, str, str, Mapping[str, Any]]]:
        own = ("sent", "answered", "failed", "traffic")
        return [
            (row.t, row.kind, row.subject, row.data)
            for row in world.journal.rows
            if row.kind not in own
        ]

    busy = loaded(7)
    assert len(rows(busy, "answered")) > 1000
    assert others(busy) == others(loaded(7, load=False))


def test_every_duration_is_kept_where_it_was_asked_for() -> None:
    world = make_world()
    run = served(world)
    start(world, run, count=3)
    latency = books(world).latency
    assert isinstance(latency, Each)
    assert list(latency.values) == [MS] * 3
