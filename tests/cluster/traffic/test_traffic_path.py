"""The way of one request: what takes how long, and how it may end."""

from __future__ import annotations

from typing import Any

import pytest
from traffic_fakes import SERVICE, Scene

from emulator.cluster.distributions import Constant, Exponential, Uniform
from emulator.cluster.traffic import Closed, Disturbance, Each, Recorded, Retry, Serving
from emulator.cluster.traffic.requests import SILENCE
from emulator.domain.journal import Row
from emulator.domain.timefmt import MILLISECOND, SECOND

MS = MILLISECOND


def once(scene: Scene, **fields: Any) -> Row:
    """Sends one request at once; the row of its end, the only one."""
    scene.start(**{"arrivals": Recorded((0,)), **fields})
    scene.run(name=fields.get("name", "shop"))
    (row,) = scene.rows("answered", "failed")
    return row


def ends(scene: Scene) -> list[tuple[str, str, int]]:
    """Id, outcome and latency in ms of what has ended, in order."""
    return [
        (
            row.data["id"],
            row.data.get("reason") or str(row.data["status"]),
            row.data["latency"] // MS,
        )
        for row in scene.rows("answered", "failed")
    ]


# -- the way ---------------------------------------------------------------------------------------


def test_gateway_network_work_and_the_way_back_add_up() -> None:
    scene = Scene()
    scene.cluster.distance = 7 * MS
    row = once(scene, gateway=Constant(100 * MS), network=Constant(20 * MS))
    assert row.kind == "answered"
    assert row.data["latency"] == (100 + 20 + 7 + 10 + 20 + 7) * MS
    assert (row.data["pod"], row.data["status"]) == ("web-0", 200)


def test_the_way_back_has_dice_of_its_own() -> None:
    scene = Scene()
    scene.start(count=20, service_time=Constant(0), network=Uniform(0, SECOND // 2))
    scene.run()
    assert any(row.data["latency"] % 2 for row in scene.rows("answered")), "twice the way there"


@pytest.mark.parametrize(
    ("delays", "events"),
    [({}, 2), ({"gateway": Constant(MS), "network": Constant(MS)}, 4), ({"timeout": SECOND}, 2)],
)
def test_a_request_costs_few_events(delays: dict[str, Any], events: int) -> None:
    """Arrival and completion; one more for all on the way there, one for the way back."""
    scene = Scene(plain=True)
    scene.start(arrivals=Recorded((0, 60, 120)), **delays)
    steps = 0
    while scene.kernel.peek() != float("inf"):
        scene.kernel.step()
        steps += 1
    assert steps == 3 * events


def test_the_endpoint_is_chosen_at_the_services_address_not_when_it_is_sent() -> None:
    scene = Scene("old")
    scene.at(50 * MS, scene.cluster.stop, "old")
    scene.at(50 * MS, scene.cluster.start, "new")
    assert once(scene, gateway=Constant(90 * MS)).data["pod"] == "new"


def test_a_replica_serves_in_order_and_so_many_at_once() -> None:
    scene = Scene()
    scene.start(arrivals=Recorded((0, MS, 2 * MS, 3 * MS)), concurrency=2)
    result = scene.run()
    assert [latency for _, _, latency in ends(scene)] == [10, 10, 18, 18]
    assert (result.waiting.total, result.service_time.total) == (16 * MS, 40 * MS)


def test_a_full_queue_answers_503_at_once() -> None:
    scene = Scene()
    scene.start(arrivals=Recorded((0, 0, 0)), queue_limit=1)
    result = scene.run()
    assert ends(scene) == [("shop/3", "503", 0), ("shop/1", "200", 10), ("shop/2", "200", 20)]
    assert result.outcomes == {"200": 2, "503": 1}
    assert (result.answered, result.failed) == (2, 1)


def test_what_the_directory_says_of_serving_goes_before_what_the_load_says() -> None:
    scene = Scene()
    scene.cluster.behaviour = Serving(Constant(40 * MS), concurrency=2)
    scene.start(arrivals=Recorded((0, 0)), concurrency=1)
    scene.run()
    assert [latency for _, _, latency in ends(scene)] == [40, 40]


def test_loads_of_one_service_share_its_queues() -> None:
    scene = Scene()
    scene.start(name="one", arrivals=Recorded((0,)))
    scene.start(name="two", arrivals=Recorded((MS,)), service_time=Constant(MS))
    scene.run(name="one")
    assert ends(scene) == [("one/1", "200", 10), ("two/1", "200", 10)]


def test_loads_that_disagree_on_the_replicas_are_refused() -> None:
    scene = Scene()
    scene.start(name="one")
    with pytest.raises(ValueError, match="give both loads the same"):
        scene.start(name="two", concurrency=2)
    scene.traffic.stop("one")
    scene.start(name="two", concurrency=2)


# -- refused and reset -----------------------------------------------------------------------------


def test_without_a_ready_endpoint_a_request_is_refused_at_once() -> None:
    scene = Scene()
    scene.cluster.stop("web-0")
    row = once(scene)
    assert (row.kind, row.data["reason"], row.data["latency"]) == ("failed", "refused", 0)


def test_an_endpoint_that_is_listed_but_does_not_listen_refuses() -> None:
    scene = Scene()
    scene.cluster.stop("web-0", unlist=False)
    row = once(scene)
    assert (row.data["reason"], row.data["pod"]) == ("refused", "web-0")


def test_an_endpoint_that_has_stopped_listening_refuses_what_comes_later() -> None:
    scene = Scene()
    scene.start(arrivals=Recorded((0, 100 * MS, 200 * MS)))
    scene.at(50 * MS, lambda: scene.cluster.stop("web-0", unlist=False))
    scene.at(150 * MS, scene.cluster.start, "web-0")
    scene.run()
    assert ends(scene) == [("shop/1", "200", 10), ("shop/2", "refused", 0), ("shop/3", "200", 10)]


def test_a_pod_that_stops_while_the_request_is_on_its_way_refuses() -> None:
    scene = Scene()
    scene.cluster.distance = 5 * MS
    scene.at(MS, scene.cluster.stop, "web-0")
    row = once(scene)
    assert (row.data["reason"], row.data["latency"]) == ("refused", 5 * MS)


def test_a_replica_that_dies_resets_what_it_serves_and_what_waits() -> None:
    scene = Scene("web-0", "web-1")
    scene.start(arrivals=Recorded((0,) * 20), service_time=Constant(SECOND))
    scene.at(500 * MS, scene.cluster.stop, "web-0")
    result = scene.run()
    reset = [row for row in scene.rows("failed") if row.data["reason"] == "reset"]
    assert {(row.t, row.data["pod"]) for row in reset} == {(500 * MS, "web-0")}
    assert 2 <= len(reset) <= 18
    assert result.outcomes == {"200": 20 - len(reset), "reset": len(reset)}


def test_a_container_that_comes_back_starts_empty() -> None:
    scene = Scene()
    scene.start(arrivals=Recorded((0, 0, 300 * MS)), service_time=Constant(200 * MS))
    scene.at(100 * MS, scene.cluster.stop, "web-0")
    scene.at(200 * MS, scene.cluster.start, "web-0")
    scene.run()
    assert ends(scene) == [
        ("shop/1", "reset", 100),
        ("shop/2", "reset", 100),
        ("shop/3", "200", 200),
    ]


# -- the client gives up ---------------------------------------------------------------------------


@pytest.mark.parametrize(("cancel", "second"), [(False, 190), (True, 120)])
def test_a_server_goes_on_with_what_the_client_gave_up_unless_it_is_cancelled(
    cancel: bool, second: int
) -> None:
    scene = Scene()
    both = {"service_time": Constant(100 * MS), "cancel": cancel, "timeout": 30 * MS}
    scene.start(name="hasty", arrivals=Recorded((0,)), **both)
    scene.start(arrivals=Recorded((10 * MS,)), service_time=Constant(100 * MS))
    scene.run()
    assert ends(scene) == [
        ("hasty/1", "timeout", 30),
        ("shop/1", "200", second),
    ]


@pytest.mark.parametrize(
    ("cancel", "third"), [(True, ("shop/1", "200", 170)), (False, ("shop/1", "503", 0))]
)
def test_a_cancelled_request_leaves_its_place_in_the_queue(
    cancel: bool, third: tuple[str, str, int]
) -> None:
    scene = Scene()
    work: dict[str, Any] = {"service_time": Constant(100 * MS), "queue_limit": 1}
    scene.start(name="long", arrivals=Recorded((0,)), **work)
    scene.start(name="hasty", arrivals=Recorded((0,)), timeout=20 * MS, cancel=cancel, **work)
    scene.start(arrivals=Recorded((30 * MS,)), **work)
    scene.run()
    assert set(ends(scene)) == {("hasty/1", "timeout", 20), ("long/1", "200", 100), third}


def test_a_request_that_is_given_up_before_it_arrives_is_not_served_when_cancelled() -> None:
    for cancel, served in ((True, 0), (False, 1)):
        scene = Scene()
        row = once(scene, gateway=Constant(SECOND), timeout=MS, cancel=cancel)
        assert (row.data["reason"], row.data["pod"]) == ("timeout", "")
        assert scene.traffic.results("shop").service_time.count == served


def test_latency_is_of_the_answered_alone() -> None:
    scene = Scene()
    scene.start(arrivals=Recorded((0, 0)), timeout=15 * MS, keep="each")
    latency = scene.run().latency
    assert isinstance(latency, Each)
    assert list(latency.values) == [10 * MS]


# -- silence ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("timeout", "waited"), [(SECOND, SECOND), (None, SILENCE)])
def test_a_partition_leaves_the_client_in_silence(timeout: int | None, waited: int) -> None:
    scene = Scene()
    scene.cluster.distance = None
    row = once(scene, timeout=timeout)
    assert (row.data["reason"], row.data["latency"]) == ("partition", waited)
    assert scene.traffic.results("shop").service_time.count == 0


def test_a_partition_while_the_request_is_served_cuts_off_the_answer() -> None:
    scene = Scene()
    scene.at(5 * MS, setattr, scene.cluster, "distance", None)
    row = once(scene, timeout=SECOND)
    assert (row.data["reason"], row.data["latency"]) == ("partition", SECOND)
    assert scene.traffic.results("shop").service_time.count == 1


def test_what_is_always_lost_never_arrives() -> None:
    scene = Scene()
    row = once(scene, loss=1_000_000, timeout=SECOND)
    assert (row.data["reason"], row.data["latency"], row.data["pod"]) == ("loss", SECOND, "")
    assert scene.cluster.chosen == []


def test_requests_and_answers_get_lost_with_the_loads_probability() -> None:
    scene = Scene()
    scene.start(loss=200_000, timeout=SECOND, count=4_000, rows=False)
    result = scene.run()
    arrived = result.service_time.count
    assert abs(arrived - 3_200) < 4 * 25.3  # four standard deviations of 4000 tries at 0.8
    assert abs(result.outcomes["loss"] - 1_440) < 4 * 30.4  # and at 0.36: one of the two is lost
    assert result.outcomes["200"] + result.outcomes["loss"] == 4_000


# -- faults ----------------------------------------------------------------------------------------


def test_a_delay_by_fault_is_added_on_the_way() -> None:
    scene = Scene()
    scene.cluster.disturbance = Disturbance(delay=300 * MS)
    assert once(scene).data["latency"] == 310 * MS


@pytest.mark.parametrize(("status", "kind"), [(404, "answered"), (500, "failed"), (503, "failed")])
def test_a_status_by_fault_needs_no_server(status: int, kind: str) -> None:
    scene = Scene()
    scene.cluster.disturbance = Disturbance(status=status)
    row = once(scene)
    assert (row.kind, row.data["latency"]) == (kind, 0)
    assert scene.traffic.results("shop").outcomes == {str(status): 1}
    assert scene.traffic.results("shop").service_time.count == 0


def test_a_slow_body_keeps_its_server_busy() -> None:
    scene = Scene()
    scene.start(arrivals=Recorded((0, MS)))
    scene.cluster.disturbance = Disturbance(body=100 * MS)
    scene.at(1, setattr, scene.cluster, "disturbance", None)
    scene.run()
    assert [latency for _, _, latency in ends(scene)] == [110, 119]


def test_a_request_that_hangs_keeps_its_server_for_good() -> None:
    scene = Scene()
    scene.start(arrivals=Recorded((0, SECOND)))
    scene.cluster.disturbance = Disturbance(hang=True)
    result = scene.run()
    assert (result.sent, result.in_flight, result.over) == (2, 2, False)
    scene.cluster.stop("web-0")
    assert scene.traffic.results("shop").outcomes == {"reset": 2}


def test_a_request_lost_by_fault_ends_in_silence() -> None:
    scene = Scene()
    scene.cluster.disturbance = Disturbance(lost=True)
    assert once(scene, timeout=SECOND).data["reason"] == "loss"


@pytest.mark.parametrize("wrong", [{"delay": -1}, {"body": -1}, {"status": 99}, {"status": 600}])
def test_a_disturbance_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"give 200 to 599|negative"):
        Disturbance(**wrong)  # type: ignore[arg-type]  # a dictionary of one field


# -- retries ---------------------------------------------------------------------------------------


def test_a_retry_is_another_attempt_of_the_same_invocation() -> None:
    scene = Scene()
    scene.cluster.disturbance = Disturbance(status=503)
    scene.at(250 * MS, setattr, scene.cluster, "disturbance", None)
    row = once(scene, retry=Retry(5, backoff=Constant(100 * MS)))
    assert (row.kind, row.data["id"], row.data["latency"]) == ("answered", "shop/1", 310 * MS)
    assert row.cause == scene.rows("sent")[0].n
    result = scene.traffic.results("shop")
    assert (result.sent, result.attempts, result.outcomes) == (1, 4, {"200": 1})


def test_retries_are_bounded_and_the_last_outcome_counts() -> None:
    scene = Scene()
    scene.cluster.stop("web-0")
    row = once(scene, retry=Retry(3, backoff=Constant(SECOND)))
    assert (row.data["reason"], row.data["latency"]) == ("refused", 3 * SECOND)
    assert scene.traffic.results("shop").attempts == 4


def test_only_the_named_outcomes_are_retried() -> None:
    scene = Scene()
    scene.cluster.disturbance = Disturbance(status=500)
    once(scene, retry=Retry(3))
    assert scene.traffic.results("shop").attempts == 1


def test_the_timeout_is_for_each_attempt() -> None:
    scene = Scene("web-0", "web-1")
    row = once(
        scene,
        service_time=Constant(SECOND),
        timeout=300 * MS,
        retry=Retry(2, backoff=Constant(50 * MS)),
    )
    assert (row.data["reason"], row.data["latency"]) == ("timeout", (3 * 300 + 2 * 50) * MS)


def test_an_invocation_in_back_off_is_in_flight() -> None:
    scene = Scene()
    scene.cluster.stop("web-0")
    scene.start(arrivals=Recorded((0,)), retry=Retry(1, backoff=Constant(SECOND)))
    result = scene.run(SECOND // 2)
    assert (result.sent, result.failed, result.in_flight) == (1, 0, 1)
    assert scene.run().failed == 1


@pytest.mark.parametrize("on", ["nonsense", "", "5xx"])
def test_a_retry_on_what_is_no_outcome_is_refused(on: str) -> None:
    with pytest.raises(ValueError, match="is no status"):
        Retry(1, frozenset({on}))


# -- closed ----------------------------------------------------------------------------------------


def test_a_user_sends_again_when_the_last_one_has_ended_and_thought_is_over() -> None:
    scene = Scene()
    scene.start(arrivals=Closed(1, Constant(90 * MS)), count=3)
    scene.run()
    assert [row.t // MS for row in scene.rows("sent")] == [90, 190, 290]


def test_a_user_who_is_refused_without_thinking_does_not_stop_the_clock() -> None:
    scene = Scene()
    scene.cluster.stop("web-0")
    scene.start(arrivals=Closed(2), rows=False)
    assert scene.run(100 * MS).sent == 2 * 101


def test_users_draw_their_thoughts_apart() -> None:
    scene = Scene()
    scene.start(arrivals=Closed(8, Exponential(SECOND)), service_time=Uniform(1, 9), count=8)
    scene.run()
    assert len({row.t for row in scene.rows("sent")}) == 8
    assert {row.subject for row in scene.rows("sent")} == {f"Service/{SERVICE}"}
