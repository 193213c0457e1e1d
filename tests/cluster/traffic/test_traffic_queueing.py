"""Traffic against queueing theory: waiting times, throughput, blocking, and the choice of endpoints.

Rules: a figure is estimated from independent replications (seeds 1 to n), each with its warm-up taken
off, and the exact answer has to lie within the 99 % interval of Student's t. The seeds are fixed, so a
test passes or fails for good. Each also shows that it can fail: with work that is a tenth longer (or
another wrong input) the exact answer lies outside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import comb, factorial, sqrt
from statistics import mean, stdev

import pytest
from traffic_fakes import Scene

from emulator.cluster.distributions import Constant, Distribution, Exponential
from emulator.cluster.traffic import Closed, Each, Open
from emulator.domain.timefmt import MILLISECOND, SECOND

#: Student's t, 99.5 % quantile (two-sided 99 %), by degrees of freedom.
#: Source: NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.6.7.2.
T_995 = {9: 3.250, 19: 2.861}
#: Chi-squared, 99 % quantile, 4 degrees of freedom. Source: the same, section 1.3.6.7.4.
CHI2_99_DF4 = 13.277

UNIT = 10 * MILLISECOND  # the mean work of a request


def within(exact: Fraction, estimates: list[float]) -> bool:
    """Whether the 99 % interval of the replications holds the exact value."""
    n = len(estimates)
    half = T_995[n - 1] * stdev(estimates) / sqrt(n)
    return abs(mean(estimates) - float(exact)) <= half


# -- waiting times ---------------------------------------------------------------------------------


def erlang_c(servers: int, offered: Fraction) -> Fraction:
    """The probability that a request of an M/M/c queue waits; `offered` is the load in servers."""
    last = offered**servers / factorial(servers) * servers / (servers - offered)
    return last / (sum(offered**n / factorial(n) for n in range(servers)) + last)


@dataclass(frozen=True)
class Queue:
    """An open queue: its servers, how busy each is, and its mean waiting time in units of work."""

    servers: int
    busy: Fraction
    exact: Fraction
    work: Callable[[int], Distribution]
    pods: int = 1

    def waits(self, replications: int, count: int, *, percent: int = 100) -> list[float]:
        """Mean waiting times, in units, of `percent` of the work; a tenth is the warm-up."""
        between = Exponential(int(UNIT / (self.busy * self.servers * self.pods)))
        means = []
        for seed in range(1, replications + 1):
            scene = Scene(*(f"web-{n}" for n in range(self.pods)), seed=seed, plain=True)
            scene.start(
                arrivals=Open(between),
                service_time=self.work(UNIT * percent // 100),
                concurrency=self.servers,
                count=count,
                keep="each",
                rows=False,
            )
            waiting = scene.run().waiting
            assert isinstance(waiting, Each)
            means.append(mean(waiting.values[count // 10 :]) / UNIT)
        return means


def mm(servers: int, busy: Fraction, pods: int = 1) -> Queue:
    """M/M/c: by Erlang's C formula."""
    offered = busy * servers
    exact = erlang_c(servers, offered) / (servers - offered)
    return Queue(servers, busy, exact, Exponential, pods)


def md(busy: Fraction) -> Queue:
    """M/D/1: by Pollaczek and Khinchine's formula."""
    return Queue(1, busy, busy / (2 * (1 - busy)), Constant)


QUEUES = {
    "M/M/1": mm(1, Fraction(1, 2)),
    "M/M/3": mm(3, Fraction(7, 10)),
    "M/D/1": md(Fraction(3, 5)),
    "four M/M/1 that share the arrivals by chance": mm(1, Fraction(1, 2), pods=4),
}
HEAVY = {
    "M/M/1": mm(1, Fraction(4, 5)),
    "M/M/5": mm(5, Fraction(4, 5)),
    "M/D/1": md(Fraction(4, 5)),
}


def test_erlang_c_with_one_server_is_its_load() -> None:
    assert erlang_c(1, Fraction(3, 7)) == Fraction(3, 7)
    assert mm(1, Fraction(1, 2)).exact == 1


@pytest.mark.parametrize("name", QUEUES)
def test_the_mean_waiting_time_is_the_exact_one(name: str) -> None:
    queue = QUEUES[name]
    assert within(queue.exact, queue.waits(10, 6_000))


@pytest.mark.parametrize("name", QUEUES)
def test_work_that_is_a_tenth_longer_shows(name: str) -> None:
    queue = QUEUES[name]
    assert not within(queue.exact, queue.waits(10, 6_000, percent=110))


@pytest.mark.slow  # a million requests each
@pytest.mark.parametrize("name", HEAVY)
def test_the_mean_waiting_time_is_the_exact_one_under_heavy_load(name: str) -> None:
    queue = HEAVY[name]
    assert within(queue.exact, queue.waits(20, 40_000))
    assert not within(queue.exact, queue.waits(20, 10_000, percent=110))


# -- closed, and with a limit ----------------------------------------------------------------------


def repaired(users: int, think: Fraction) -> Fraction:
    """Answers per unit of work of one server and `users`, who think so many units (M/M/1//N)."""
    weights = [factorial(users) / (factorial(users - n) * think**n) for n in range(users + 1)]
    return 1 - Fraction(weights[0]) / sum(map(Fraction, weights))


def throughput(users: int, think: int, seed: int) -> float:
    """Answers per unit, from the 200th to the 3200th unit."""
    scene = Scene(seed=seed, plain=True)
    scene.start(
        arrivals=Closed(users, Exponential(think * UNIT)),
        service_time=Exponential(UNIT),
        rows=False,
    )
    before = scene.run(200 * UNIT).answered
    return (scene.run(3_200 * UNIT).answered - before) / 3_000


def test_a_closed_system_answers_as_many_as_the_machine_repair_model() -> None:
    rates = [throughput(4, 5, seed) for seed in range(1, 11)]
    assert within(repaired(4, Fraction(5)), rates)
    assert not within(repaired(5, Fraction(5)), rates)


def test_a_closed_system_holds_no_more_than_its_users() -> None:
    scene = Scene()
    scene.start(arrivals=Closed(3, Exponential(UNIT)), service_time=Exponential(UNIT))
    for step in range(1, 300):
        assert scene.run(step * UNIT).in_flight <= 3


def test_a_full_queue_turns_away_as_many_as_the_exact_answer() -> None:
    """M/M/1/K: of arrivals at load r, (1 - r) r^K / (1 - r^(K + 1)) find all K places taken."""
    busy, places = Fraction(4, 5), 4
    shares = []
    for seed in range(1, 11):
        scene = Scene(seed=seed, plain=True)
        scene.start(
            arrivals=Open(Exponential(int(UNIT / busy))),
            service_time=Exponential(UNIT),
            queue_limit=places - 1,
            count=4_000,
            rows=False,
        )
        shares.append(scene.run().outcomes["503"] / 4_000)

    def blocked(places: int) -> Fraction:
        return (1 - busy) * busy**places / (1 - busy ** (places + 1))

    assert within(blocked(places), shares)
    assert not within(blocked(places + 1), shares)


# -- the choice of endpoints -----------------------------------------------------------------------


def chi_squared(counts: list[int], expected: float) -> float:
    return sum((count - expected) ** 2 / expected for count in counts)


def test_each_ready_endpoint_is_as_likely_as_the_others() -> None:
    """Whatever it is busy with, as with kube-proxy: nobody looks at queues."""
    pods = [f"web-{n}" for n in range(5)]
    scene = Scene(*pods)
    scene.start(arrivals=Open(Exponential(MILLISECOND)), count=10_000, rows=False)
    scene.run(15 * SECOND)
    counts = Counter(scene.cluster.chosen)
    assert sum(counts.values()) == 10_000
    observed = [counts[pod] for pod in pods]
    assert chi_squared(observed, 2_000) <= CHI2_99_DF4
    skewed = [observed[0] - 200, observed[1] + 200, *observed[2:]]
    assert chi_squared(skewed, 2_000) > CHI2_99_DF4


def test_choices_in_a_row_do_not_depend_on_each_other() -> None:
    """Pairs of choices among three: nine cells, of which a rule that takes turns would fill three."""
    scene = Scene("web-0", "web-1", "web-2")
    scene.start(arrivals=Open(Constant(SECOND)), count=9_001, rows=False)
    scene.run()
    pairs = Counter(zip(scene.cluster.chosen, scene.cluster.chosen[1:], strict=False))
    assert len(pairs) == comb(3, 1) ** 2
    assert all(abs(count - 1_000) < 4 * sqrt(1_000 * 8 / 9) for count in pairs.values())
