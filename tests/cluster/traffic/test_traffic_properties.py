"""Traffic under anything: the books balance at every instant, and chance belongs to each load alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from traffic_fakes import SERVICE, Scene

from emulator.cluster.distributions import Constant, Distribution, Exponential, Uniform
from emulator.cluster.traffic import Closed, Disturbance, Open, Recorded, Retry
from emulator.domain.timefmt import MILLISECOND, SECOND

PODS = ("web-0", "web-1", "web-2")

DELAYS: st.SearchStrategy[Distribution] = st.sampled_from(
    [Constant(0), Constant(MILLISECOND), Uniform(0, 5 * MILLISECOND), Exponential(MILLISECOND)]
)
ARRIVALS = st.one_of(
    st.sampled_from([Open(Constant(MILLISECOND)), Open(Exponential(2 * MILLISECOND))]),
    st.lists(st.integers(0, 40 * MILLISECOND), max_size=20).map(
        lambda ts: Recorded((*sorted(ts),))
    ),
    st.builds(Closed, st.integers(1, 6), DELAYS),
)
LOADS = st.fixed_dictionaries(
    {
        "arrivals": ARRIVALS,
        "service_time": DELAYS,
        "concurrency": st.integers(1, 2),
        "queue_limit": st.none() | st.integers(0, 3),
        "gateway": DELAYS,
        "network": DELAYS,
        "loss": st.sampled_from([0, 100_000]),
        "timeout": st.none() | st.integers(1, 10 * MILLISECOND),
        "cancel": st.booleans(),
        "retry": st.none() | st.builds(Retry, st.integers(1, 3), backoff=DELAYS),
        "start": st.none() | st.integers(0, 5 * MILLISECOND),
        "end": st.none() | st.integers(0, 40 * MILLISECOND),
        "count": st.integers(0, 25),
        "keep": st.sampled_from(["each", "sketch"]),
    }
)
FAULTS = st.none() | st.builds(
    Disturbance,
    delay=st.sampled_from([0, MILLISECOND]),
    status=st.sampled_from([None, None, 404, 503]),
    hang=st.booleans(),
    body=st.sampled_from([0, MILLISECOND]),
    lost=st.booleans(),
)
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 50 * MILLISECOND),
        st.one_of(
            st.tuples(st.sampled_from(["stop", "die", "start"]), st.sampled_from(PODS)),
            st.tuples(st.just("distance"), st.sampled_from([None, 0, MILLISECOND])),
            st.tuples(st.just("disturbance"), FAULTS),
            st.tuples(st.just("end"), st.integers(0, 1)),
        ),
    ),
    max_size=12,
)


def strike(scene: Scene, what: str, argument: Any, names: list[str]) -> None:
    """Does one event to the cluster or to a load."""
    cluster = scene.cluster
    if what == "stop":
        cluster.stop(argument)
    elif what == "die":
        cluster.stop(argument, unlist=False)
    elif what == "start":
        cluster.start(argument)
    elif what == "end":
        scene.traffic.stop(names[argument % len(names)])
    else:
        setattr(cluster, what, argument)


class Books:
    """What the rows of invocations say, on their own."""

    def __init__(self, scene: Scene) -> None:
        self.open: dict[str, set[str]] = {}
        self.ended: Counter[tuple[str, str]] = Counter()
        self._seen: set[str] = set()
        scene.kernel.journal.listen(self._note)

    def _note(self, row: Any) -> None:
        if row.kind == "sent":
            load = row.data["id"].partition("/")[0]
            assert row.data["id"] not in self._seen, "sent twice"
            self._seen.add(row.data["id"])
            self.open.setdefault(load, set()).add(row.data["id"])
        elif row.kind in ("answered", "failed"):
            load = row.data["id"].partition("/")[0]
            self.open[load].remove(row.data["id"])  # KeyError: ended twice, or never sent
            self.ended[load, row.kind] += 1


@given(loads=st.lists(LOADS, min_size=1, max_size=2), events=EVENTS, seed=st.integers(0, 99))
def test_every_invocation_ends_exactly_once_and_the_books_balance_at_every_instant(
    loads: list[dict[str, Any]], events: list[tuple[int, tuple[str, Any]]], seed: int
) -> None:
    """Invariant 6: sent = answered + failed + in flight; and only ready endpoints are reached."""
    scene = Scene(*PODS, seed=seed)
    books = Books(scene)
    names = [f"load{n}" for n in range(len(loads))]
    for name, fields in zip(names, loads, strict=True):
        shared = {key: loads[0][key] for key in ("concurrency", "queue_limit")}
        scene.start(name=name, **{**fields, **shared})
    for time, (what, argument) in events:
        scene.at(time, strike, scene, what, argument, names)
    while scene.kernel.peek() != float("inf"):
        scene.kernel.step()
        for name in names:
            result = scene.traffic.results(name)
            assert result.sent == result.answered + result.failed + result.in_flight
            assert result.in_flight == len(books.open.get(name, ()))
            assert result.answered == books.ended[name, "answered"] == result.latency.count
            assert result.failed == books.ended[name, "failed"]
            assert sum(result.outcomes.values()) == result.answered + result.failed
    for name, fields in zip(names, loads, strict=True):
        result = scene.traffic.results(name)
        assert result.sent <= fields["count"]
        if fields["timeout"] is not None:
            assert result.over
            assert result.in_flight == 0
    for pod in PODS:
        scene.cluster.stop(pod)
    scene.kernel.advance(1000 * SECOND)
    for name in names:
        result = scene.traffic.results(name)
        assert (result.over, result.in_flight) == (True, 0), "a dead server kept a request"
    rows = [row.subject for row in scene.rows("traffic")]
    assert sorted(rows) == [f"Traffic/{name}" for name in names]


BUSY: dict[str, Any] = {
    "arrivals": Open(Exponential(10 * MILLISECOND)),
    "service_time": Exponential(15 * MILLISECOND),
    "network": Exponential(MILLISECOND),
    "timeout": 80 * MILLISECOND,
    "loss": 10_000,
    "retry": Retry(2, backoff=Exponential(5 * MILLISECOND)),
    "count": 300,
}


def storm(seed: int) -> Scene:
    """A busy load, and a replica that dies and comes back."""
    scene = Scene(*PODS, seed=seed)
    scene.start(**BUSY)
    scene.at(SECOND, scene.cluster.stop, "web-1")
    scene.at(2 * SECOND, scene.cluster.start, "web-1")
    scene.run()
    return scene


def story(scene: Scene, service: str) -> list[tuple[Any, ...]]:
    """The rows of a service, without numbers and causes."""
    return [
        (row.t, row.kind, row.data)
        for row in scene.kernel.journal.rows
        if row.subject == f"Service/{service}"
    ]


def test_the_same_seed_gives_the_same_journal() -> None:
    first, second, other = (storm(seed).kernel.journal.sha256 for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_the_storm_has_all_weathers() -> None:
    """The test before this one says little if nothing happens."""
    scene = storm(1)
    result = scene.traffic.results("shop")
    assert result.attempts > result.sent + 10
    assert result.answered > 100
    assert result.failed > 100
    assert {*scene.cluster.chosen} == {*PODS}


def test_a_load_on_another_service_changes_nothing_for_the_first() -> None:
    scene = Scene("web-0", plain=True)
    scene.start(**BUSY)
    scene.run()
    beside = Scene("web-0", plain=True)
    directory = beside.cluster
    directory.ready = lambda service: ["web-0" if service == SERVICE else "db-0"]  # type: ignore[method-assign]
    directory.listening.add("db-0")
    beside.start(**BUSY)
    beside.start(**{**BUSY, "name": "busy", "service": "db", "arrivals": Closed(9)})
    beside.run()
    assert story(beside, "db")
    assert story(beside, SERVICE) == story(scene, SERVICE)


def test_a_load_on_the_same_service_leaves_the_firsts_draws_alone() -> None:
    """Queues are shared, dice are not: same sendings, and the same endpoints where none has died."""
    alone, beside = (Scene(*PODS) for _ in range(2))
    quiet = {**BUSY, "timeout": None, "loss": 0, "retry": None}
    alone.start(**quiet)
    beside.start(**quiet)
    beside.start(**{**quiet, "name": "more"})
    facts = []
    for scene in (alone, beside):
        scene.run()
        mine = [row for row in scene.rows("sent", "answered") if row.data["id"][:4] == "shop"]
        sent = {row.data["id"]: row.t for row in mine if row.kind == "sent"}
        pods = {row.data["id"]: row.data["pod"] for row in mine if row.kind == "answered"}
        facts.append((sent, pods, scene.traffic.results("shop").service_time.total))
    assert facts[0] == facts[1]
    assert (
        beside.traffic.results("shop").waiting.total > alone.traffic.results("shop").waiting.total
    )


def test_retries_leave_the_draws_of_first_attempts_alone() -> None:
    once, twice = (Scene(*PODS) for _ in range(2))
    for scene, retry in ((once, None), (twice, Retry(1))):
        scene.cluster.disturbance = Disturbance(status=503)
        scene.start(arrivals=Open(Constant(SECOND)), count=50, retry=retry)
        scene.run()
    assert len(twice.cluster.chosen) == 100
    assert twice.cluster.chosen[::2] == once.cluster.chosen


def test_loads_of_other_names_draw_otherwise() -> None:
    one, other = (Scene(*PODS) for _ in range(2))
    plain = {**BUSY, "retry": None, "loss": 0, "network": Constant(0)}
    one.start(**plain)
    other.start(**{**plain, "name": "market"})
    one.run()
    other.run(name="market")
    assert [row.t for row in one.rows("sent")] != [row.t for row in other.rows("sent")]
    assert one.cluster.chosen != other.cluster.chosen
