"""Faults that befall calls: in simulated traffic, and on the way from the gateway to a behaviour."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from faulty import service, troubles, zones
from support import PORT

from emulator.cluster.distributions import Constant
from emulator.cluster.faults import FaultError
from emulator.cluster.settings import Network
from emulator.cluster.traffic import Load, Open, Result
from emulator.cluster.traffic.requests import SILENCE
from emulator.control.entities import Run
from emulator.domain.timefmt import MILLISECOND, MINUTE, SECOND
from emulator.domain.workload import Request, Response
from emulator.platform import Route
from emulator.world import World

EVERY = Constant(100 * MILLISECOND)
WORK = 10 * MILLISECOND


def traffic(world: World, run: Run, count: int = 100, **more: Any) -> Result:
    """What becomes of a load of so many requests, ten a second, each with a second's patience."""
    number = sum(row.kind == "traffic" for row in world.journal.rows)
    load = Load(
        name=f"load-{number}",
        service=world.service_name(run),
        arrivals=Open(EVERY),
        count=count,
        keep="each",
        **{"service_time": Constant(WORK), "timeout": SECOND, "concurrency": 1000, **more},
    )
    world.traffic.start(load)
    world.run_until(lambda: not world.traffic.running(), world.now + 10 * MINUTE)
    return world.traffic.results(load.name)


def outcomes(world: World, run: Run, **more: Any) -> dict[str, int]:
    """The outcomes of a hundred requests."""
    found = traffic(world, run, **more)
    assert found.sent == found.answered + found.failed
    return found.outcomes


def call(world: World, run: Run) -> Response:
    """An invocation as the gateway makes it, offline. Raises ConnectionError."""
    route = world.route(world.service_name(run), PORT)
    assert isinstance(route, Route)
    request = Request("GET", "/", (("host", "x"),), b"", "x", PORT)
    made: Response | Awaitable[Response] = route.target(request)
    if isinstance(made, Response):
        return made

    async def wait() -> Response:
        return await made

    return asyncio.run(wait())


BITES: list[tuple[str, dict[str, Any], str]] = [
    ("network-loss", {}, "loss"),
    ("network-partition", {}, "partition"),
    ("upstream-5xx", {"status": 502}, "502"),
    ("hang", {}, "timeout"),
    ("slow-body", {"bandwidth": 1000, "size": 2000}, "timeout"),
    ("network-delay", {"delay": "2s"}, "timeout"),
]


@pytest.mark.parametrize(("kind", "asked", "outcome"), BITES)
def test_simulated_requests_are_struck_and_are_well_again(
    kind: str, asked: dict[str, Any], outcome: str
) -> None:
    world = zones()
    run = service(world, replicas=2)
    other = service(world, "other")
    before = troubles(world)
    assert outcomes(world, run) == {"200": 100}
    world.faults.start(kind, target="run/web", **asked)
    assert outcomes(world, run) == {outcome: 100}
    assert outcomes(world, other) == {"200": 100}
    world.faults.heal_all()
    assert outcomes(world, run) == {"200": 100}
    assert troubles(world) == before


def test_a_share_of_the_requests_is_struck() -> None:
    world = zones()
    run = service(world, replicas=2)
    world.faults.start("upstream-5xx", probability=0.3)
    found = outcomes(world, run)
    assert 15 <= found["503"] <= 45
    assert found["503"] + found["200"] == 100


def test_a_share_of_the_pods_is_cut_off() -> None:
    """A partition lies between clients and pods, so chance decides for each pod."""
    world = zones()
    run = service(world, replicas=8)
    world.faults.start("network-partition", probability=0.5)
    pods = world.cluster.store.all("Pod")
    cut = [world.faults.calls.delay("", pod.name) for pod in pods]
    assert 1 <= cut.count(None) <= 7
    assert cut == [world.faults.calls.delay("", pod.name) for pod in pods]
    assert set(outcomes(world, run)) == {"200", "partition"}


def test_a_fault_between_parts_is_for_the_clients_of_that_part() -> None:
    world = zones()
    run = service(world)
    world.faults.start("network-partition", part="edge")
    assert outcomes(world, run) == {"200": 100}
    assert outcomes(world, run, part="edge") == {"partition": 100}
    world.faults.heal_all()
    world.faults.start("network-delay", part="edge", delay="100ms")
    slow = traffic(world, run, part="edge").latency
    assert slow.summary()["max"] == WORK + 200 * MILLISECOND


def test_delays_add_up_on_top_of_the_distances_that_there_are() -> None:
    distance = 5 * MILLISECOND
    world = zones(network=Network(delay=distance))
    run = service(world)
    usual = traffic(world, run).latency.summary()["max"]
    assert usual == WORK + 2 * distance
    world.faults.start("network-delay", delay="30ms")
    world.faults.start("network-delay", delay="70ms")
    assert traffic(world, run).latency.summary()["max"] == usual + 200 * MILLISECOND
    world.faults.heal("network-delay")
    assert traffic(world, run).latency.summary()["max"] == usual + 140 * MILLISECOND


def test_of_several_slow_bodies_the_slowest_counts() -> None:
    world = zones()
    run = service(world)
    usual = traffic(world, run).latency.summary()["max"]
    world.faults.start("slow-body", bandwidth=100_000, size=10_000)
    world.faults.start("slow-body", bandwidth=20_000, size=10_000)
    assert traffic(world, run).latency.summary()["max"] == usual + 500 * MILLISECOND


def test_requests_under_a_fault_are_the_same_to_the_byte() -> None:
    def run() -> str:
        world = zones()
        web = service(world, replicas=3)
        world.faults.start("network-loss", probability=0.2)
        world.faults.start("upstream-5xx", probability=0.2)
        traffic(world, web, rows=True)
        return world.journal.sha256

    assert run() == run()


# -- live --------------------------------------------------------------------------------------


def test_a_live_call_is_answered_at_once_without_a_fault() -> None:
    world = zones()
    run = service(world)
    before = world.now
    assert call(world, run).status == 200
    world.faults.start("upstream-5xx", target="run/nobody")
    world.faults.start("network-delay", target="run/nobody")
    assert call(world, run).status == 200
    assert world.now == before


def test_a_live_call_gets_the_status_of_the_fault() -> None:
    world = zones()
    run = service(world)
    world.faults.start("upstream-5xx", "first", status=504)
    world.faults.start("upstream-5xx", "second", status=500)
    answer = call(world, run)
    assert (answer.status, answer.stand_in) == (504, True)
    assert dict(answer.headers)["content-length"] == str(len(answer.body))
    world.faults.heal("first")
    assert call(world, run).status == 500
    world.faults.heal_all()
    assert call(world, run).status == 200


def test_a_live_call_takes_the_time_of_its_delays() -> None:
    world = zones()
    run = service(world)
    world.faults.start("network-delay", delay="2s")
    before = world.now
    assert call(world, run).status == 200
    assert world.now == before + 4 * SECOND
    world.faults.heal_all()
    world.faults.start("slow-body", bandwidth=10)
    before = world.now
    answer = call(world, run)
    assert world.now == before + len(answer.body) * SECOND // 10


@pytest.mark.parametrize("kind", ["network-partition", "network-loss", "hang"])
def test_a_live_caller_that_hears_nothing_gives_up(kind: str) -> None:
    world = zones()
    run = service(world)
    world.faults.start(kind)
    before = world.now
    with pytest.raises(ConnectionError, match="has said nothing for 131 s"):
        call(world, run)
    assert world.now == before + SILENCE
    world.faults.heal_all()
    assert call(world, run).status == 200


def test_a_partition_that_comes_while_a_call_is_under_way_swallows_the_answer() -> None:
    world = zones()
    run = service(world)
    world.faults.start("network-delay", delay="10s")
    world.faults.start("network-partition", start=world.now + 15 * SECOND)
    assert call(world, run).status == 200
    with pytest.raises(ConnectionError):
        call(world, run)


def test_a_pod_that_goes_while_a_call_is_on_its_way_does_not_answer() -> None:
    world = zones()
    run = service(world)
    world.faults.start("network-delay", delay="10s")
    world.faults.start("node-down", start=world.now + 5 * SECOND)
    with pytest.raises(ConnectionError, match="does not answer"):
        call(world, run)


def test_a_call_fault_strikes_pods_only() -> None:
    world = zones()
    with pytest.raises(FaultError):
        world.faults.start("hang", target="node/nowhere")
    run = service(world)
    (pod,) = world.cluster.store.all("Pod")
    world.faults.start("upstream-5xx", target=f"node/{pod.node.name} run/web")
    assert call(world, run).status == 503
