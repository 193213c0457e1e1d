"""Loads: their bounds, their end, their rows, and what they have to be."""

from __future__ import annotations

from typing import Any

import pytest
from traffic_fakes import SERVICE, Scene

from emulator.cluster.distributions import Constant, Exponential
from emulator.cluster.traffic import Closed, Each, Load, Open, Recorded, Retry, Serving, Sketch
from emulator.domain.timefmt import MILLISECOND, SECOND

EVERY_SECOND = Open(Constant(SECOND))
SOON = Closed(2, Constant(SECOND))


def sendings(scene: Scene) -> list[int]:
    return [row.t // SECOND for row in scene.rows("sent")]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"count": 3}, [1, 2, 3]),
        ({"count": 0}, []),
        ({"end": 3 * SECOND}, [1, 2]),
        ({"end": 3 * SECOND + 1}, [1, 2, 3]),
        ({"start": 10 * SECOND, "end": 13 * SECOND, "count": 9}, [11, 12]),
        ({"start": 10 * SECOND, "arrivals": Recorded((0, SECOND, SECOND))}, [10, 11, 11]),
        ({"arrivals": Recorded((0, SECOND, 5 * SECOND)), "end": 5 * SECOND}, [0, 1]),
        ({"arrivals": Recorded(()), "start": SECOND}, []),
        ({"arrivals": SOON, "count": 3}, [1, 1, 2]),
        ({"arrivals": SOON, "end": 2 * SECOND}, [1, 1]),
        ({"arrivals": SOON, "end": 0}, []),
        ({"arrivals": SOON, "start": 4 * SECOND, "end": 6 * SECOND}, [5, 5]),
    ],
)
def test_start_end_and_count_bound_the_sendings(
    fields: dict[str, Any], expected: list[int]
) -> None:
    scene = Scene()
    scene.start(**fields)
    result = scene.run()
    assert sendings(scene) == expected
    assert (result.sent, result.over) == (len(expected), True)
    assert scene.kernel.peek() == float("inf"), "a load that is over leaves a timer behind"


def test_a_load_that_ends_leaves_one_row_when_nothing_is_in_flight_any_more() -> None:
    scene = Scene()
    scene.start(count=2, service_time=Constant(5 * SECOND))
    scene.run()
    (row,) = scene.rows("traffic")
    assert (row.subject, row.t) == ("Traffic/shop", 11 * SECOND)
    assert row.data == {
        "service": SERVICE,
        "sent": 2,
        "answered": 2,
        "failed": 0,
        "in_flight": 0,
        "attempts": 2,
        "outcomes": {"200": 2},
        "latency": row.data["latency"],
        "waiting": row.data["waiting"],
        "service_time": row.data["service_time"],
    }
    assert row.data["latency"]["mean"] == 7 * SECOND
    assert row.data["latency"]["max"] == 9 * SECOND
    assert list(row.data["latency"]) == ["count", "mean", "p50", "p90", "p99", "p99.9", "max"]


def test_stopping_says_what_is_in_flight_and_lets_it_end() -> None:
    scene = Scene()
    scene.start(arrivals=Recorded((0, 0, SECOND)), service_time=Constant(100 * MILLISECOND))
    scene.at(150 * MILLISECOND, scene.traffic.stop, "shop")
    result = scene.run()
    (row,) = scene.rows("traffic")
    assert (row.t, row.data["answered"], row.data["in_flight"]) == (150 * MILLISECOND, 1, 1)
    assert (result.sent, result.answered, result.in_flight) == (2, 2, 0)
    scene.traffic.stop("shop")
    assert len(scene.rows("traffic")) == 1


@pytest.mark.parametrize("arrivals", [EVERY_SECOND, SOON])
def test_stopping_leaves_no_timer(arrivals: Open | Closed) -> None:
    scene = Scene()
    scene.start(arrivals=arrivals)
    scene.run(SECOND // 2)
    scene.traffic.stop("shop")
    assert scene.kernel.peek() == float("inf")


def test_running_names_the_loads_that_are_not_over() -> None:
    scene = Scene()
    scene.start(name="long")
    scene.start(name="short", count=1)
    assert scene.traffic.running() == ["long", "short"]
    scene.run(2 * SECOND, name="short")
    assert scene.traffic.running() == ["long"]


def test_rows_of_invocations_are_only_written_when_asked_for() -> None:
    scene = Scene()
    scene.start(rows=False, count=5)
    scene.run()
    assert [row.kind for row in scene.kernel.journal.rows] == ["traffic"]


def test_rows_say_who_where_and_what_led_to_it() -> None:
    scene = Scene()
    start = scene.kernel.journal.record(0, "command", "Traffic/shop", verb="start")
    scene.start(arrivals=Recorded((0, 0)), queue_limit=0)
    scene.run()
    sent, other, failed, answered, traffic = scene.kernel.journal.rows[1:]
    assert [row.cause for row in (sent, other, traffic)] == [start] * 3
    assert (failed.cause, answered.cause) == (other.n, sent.n)
    assert sent.data == {"id": "shop/1", "pod": ""}
    assert failed.data == {"id": "shop/2", "pod": "web-0", "reason": "503", "latency": 0}
    assert answered.data == {
        "id": "shop/1",
        "pod": "web-0",
        "status": 200,
        "latency": 10 * MILLISECOND,
    }


def test_keep_chooses_what_is_kept() -> None:
    scene = Scene()
    scene.start(name="all", count=3, keep="each")
    scene.start(name="rough", count=3)
    rough = scene.run(name="rough")
    assert isinstance(rough.latency, Sketch)
    assert isinstance(scene.traffic.results("all").waiting, Each)


def test_a_result_does_not_change_any_more() -> None:
    scene = Scene()
    scene.start()
    early = scene.run(3 * SECOND + SECOND // 2)
    scene.run(20 * SECOND)
    assert (early.sent, early.latency.count, early.outcomes) == (3, 3, {"200": 3})


def test_a_name_belongs_to_its_load_for_good() -> None:
    scene = Scene()
    scene.start(count=0)
    with pytest.raises(ValueError, match="'shop' already"):
        scene.start()


def test_a_start_in_the_past_is_refused() -> None:
    scene = Scene()
    scene.kernel.advance(SECOND)
    with pytest.raises(ValueError, match="start: 999999999 is past"):
        scene.start(start=SECOND - 1)
    scene.start(start=SECOND)


def test_unknown_names_are_key_errors() -> None:
    scene = Scene()
    for call in (scene.traffic.stop, scene.traffic.results):
        with pytest.raises(KeyError):
            call("nobody")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("service", ""),
        ("loss", -1),
        ("loss", 1_000_001),
        ("timeout", 0),
        ("count", -1),
        ("concurrency", 0),
        ("queue_limit", -1),
        ("keep", "some"),
    ],
)
def test_a_load_that_cannot_be_is_refused(field: str, value: object) -> None:
    good: dict[str, Any] = {"name": "shop", "service": SERVICE, "arrivals": EVERY_SECOND}
    Load(**good)
    with pytest.raises(ValueError, match=field):
        Load(**{**good, field: value})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Open(Constant(0)),
        lambda: Recorded((-1, 2)),
        lambda: Recorded((3, 2)),
        lambda: Closed(0),
        lambda: Retry(0),
        lambda: Serving(Exponential(SECOND), concurrency=0),
    ],
)
def test_parts_of_a_load_that_cannot_be_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match=r"least|negative|order"):
        make()
