"""Which free address or node port is chosen: chi-squared tests against Kubernetes' rule.

The rule (Kubernetes facts section 1): a start k is drawn evenly over the dynamic band, and the first
free one from there on is taken, wrapping inside the band; the static band, in the same way, only when
the dynamic one is full. So every start that is taken gives its chance to the next free one above: a
free one right after a run of r taken ones has weight r + 1, any other has weight 1, and the weights
sum up to the size of the band. They are written out by hand here; nothing of the code computes them.

Every choice has a stream of its own, as every Service has. Seeds are fixed, so an outcome never
changes; a correct allocator had a chance of 2 * TAIL to fail each test when it was written.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pytest

from emulator.cluster.allocators import AddressAllocator, PortAllocator
from emulator.cluster.streams import Stream, Streams

SEEDS = (1, 2)
DRAWS = 40_000  # 14.9 for the least likely cell; the customary least is 5

TAIL = 0.001
#: By degrees of freedom: chi-squared lies below the first, or above the second, with chance TAIL each.
#: Source: the distribution's tail in closed form (Abramowitz and Stegun 26.4.4 and 26.4.5), solved for
#: x, which a test below repeats; up to 100 degrees the second ones are those of the table in
#: NIST/SEMATECH's e-Handbook of Statistical Methods, 1.3.6.7.4, column 0.999.
CRITICAL = {
    5: (0.2102, 20.5150),
    9: (1.1519, 27.8772),
    15: (3.4827, 37.6973),
    29: (10.9861, 58.3012),
    85: (50.3203, 131.0412),
    118: (76.1550, 171.2171),
    237: (175.3732, 310.0126),
    2213: (2013.0982, 2424.2997),
    2681: (2460.4028, 2912.9954),
}


class Case(NamedTuple):
    """A band with some of it taken, and the weight of every one that may be chosen."""

    make: Callable[[], AddressAllocator | PortAllocator]
    taken: tuple[int, ...]
    weights: Mapping[int, int]
    size: int  # of the band


def even(first: int, last: int) -> dict[int, int]:
    """Weight 1 for everyone from `first` to `last`."""
    return dict.fromkeys(range(first, last + 1), 1)


def span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


def small() -> AddressAllocator:
    return AddressAllocator("10.0.0.0/27")  # static .1-.16, dynamic .17-.30


def middle() -> AddressAllocator:
    return AddressAllocator("10.0.0.0/24")  # static .1-.16, dynamic .17-.254


def ports() -> PortAllocator:
    return PortAllocator()  # static 30000-30085 (rangeOffset 86), dynamic 30086-32767


def half_full() -> Case:
    """119 of the 238 are taken, in runs of 1 to 10, each followed by as many free ones."""
    taken = [*span(250, 254), *span(17, 20)]  # one run of nine, around the end
    weights = even(21, 29) | {21: 10}
    at = 30
    for length in (*span(1, 10), *span(1, 10)):
        free = at + length
        taken += span(at, free - 1)
        weights |= even(free, free + length - 1) | {free: length + 1}
        at = free + length
    assert at == 250
    return Case(middle, tuple(taken), weights, 238)


CASES = {
    "an empty /24": Case(middle, (), even(17, 254), 238),
    "a /27 with runs": Case(
        small,
        (17, 18, 20, 24, 25, 26, 27, 30),
        {19: 4, 21: 2, 22: 1, 23: 1, 28: 5, 29: 1},  # 19 also gets what starts at 30
        14,
    ),
    "a half-full /24": half_full(),
    "the static band of a /24": Case(middle, span(17, 254), even(1, 16), 16),
    "the static band of a /24 with runs": Case(
        middle,
        (*span(17, 254), 1, 5, 6, 7, 8, 16),
        even(2, 4) | {2: 3, 9: 5} | even(10, 15),
        16,
    ),
    "empty node ports": Case(ports, (), even(30086, 32767), 2682),
    "node ports with runs": Case(
        ports,
        (*span(32700, 32767), *span(30086, 30385), *span(31000, 31099)),  # 68, 300 and 100
        even(30386, 30999) | even(31100, 32699) | {30386: 369, 31100: 101},
        2682,
    ),
    "the static node ports": Case(ports, span(30086, 32767), even(30000, 30085), 86),
}
UNEVEN = [name for name, case in CASES.items() if max(case.weights.values()) > 1]


def streams(seed: int, purpose: str) -> Iterator[Stream]:
    """As many streams as there are draws, one for each Service."""
    dice = Streams(seed)
    return (dice.stream(f"Service/demo/web-{number}", purpose) for number in range(DRAWS))


def choices(case: Case, seed: int) -> Counter[int]:
    """How often each was chosen, with nothing taken but the case's own."""
    allocator = case.make()
    if isinstance(allocator, PortAllocator):
        for port in case.taken:
            allocator.claim(port)
        return Counter(_ports_chosen(allocator, seed))
    for octet in case.taken:
        allocator.claim(f"10.0.0.{octet}")
    return Counter(_octets_chosen(allocator, seed))


def _ports_chosen(allocator: PortAllocator, seed: int) -> Iterator[int]:
    for stream in streams(seed, "node-port"):
        port = allocator.allocate(stream)
        allocator.release(port)
        yield port


def _octets_chosen(allocator: AddressAllocator, seed: int) -> Iterator[int]:
    for stream in streams(seed, "cluster-ip"):
        address = allocator.allocate(stream)
        allocator.release(address)
        yield int(address.rpartition(".")[2])


def chi_squared(seen: Counter[int], weights: Mapping[int, int]) -> float:
    """Pearson's statistic; infinite where something was chosen that cannot be."""
    if not seen.keys() <= weights.keys():
        return math.inf
    draw = seen.total() / sum(weights.values())
    return sum((seen[cell] - draw * w) ** 2 / (draw * w) for cell, w in weights.items())


def fits(seen: Counter[int], weights: Mapping[int, int]) -> bool:
    """Whether this looks like draws by these weights: neither too far from them nor too near."""
    low, high = CRITICAL[len(weights) - 1]
    return low < chi_squared(seen, weights) < high


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CASES)
def test_each_free_one_is_chosen_as_often_as_the_rule_says(name: str, seed: int) -> None:
    case = CASES[name]
    assert sum(case.weights.values()) == case.size
    assert not set(case.taken) & case.weights.keys()
    assert fits(choices(case, seed), case.weights)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_second_of_two_addresses_is_chosen_with_the_first_one_taken(seed: int) -> None:
    # a /29 has .1 to .6 and no static band: 1/6 for the first, then 2/6 for the one after it
    weights = {
        10 * first + second: 2 if second == first % 6 + 1 else 1
        for first in span(1, 6)
        for second in span(1, 6)
        if first != second
    }
    assert sum(weights.values()) == 36
    seen: Counter[int] = Counter()
    dice = streams(seed, "cluster-ip")
    for one, other in zip(dice, dice, strict=True):
        allocator = AddressAllocator("10.0.0.0/29")
        first, second = allocator.allocate(one)[-1], allocator.allocate(other)[-1]
        seen[int(first + second)] += 1
    assert fits(seen, weights)


# Wrong rules: the tests above can fail


@pytest.mark.parametrize("name", UNEVEN)
def test_an_even_choice_among_the_free_ones_is_rejected(name: str) -> None:
    weights = CASES[name].weights
    free = list(weights)
    seen = Counter(stream.choice(free) for stream in streams(1, "wrong"))
    assert not fits(seen, weights)


@pytest.mark.parametrize("name", UNEVEN)
def test_a_scan_downwards_is_rejected(name: str) -> None:
    weights = CASES[name].weights
    band = sorted((*weights, *CASES[name].taken))[: CASES[name].size]  # above it all is taken
    seen = Counter(_down(band, weights, stream) for stream in streams(1, "wrong"))
    assert not fits(seen, weights)


def _down(band: Sequence[int], free: Mapping[int, int], stream: Stream) -> int:
    at = stream.below(len(band))
    while band[at] not in free:
        at -= 1
    return band[at]


def test_a_start_anywhere_in_the_range_is_rejected() -> None:
    seen = Counter(1 + stream.below(254) for stream in streams(1, "wrong"))
    assert not fits(seen, CASES["an empty /24"].weights)


def test_one_after_the_other_is_rejected() -> None:
    seen = Counter(17 + number % 238 for number in range(DRAWS))
    assert not fits(seen, CASES["an empty /24"].weights)


# The critical values


def above(x: float, degrees: int) -> float:
    """The chance that chi-squared lies above x, in closed form."""
    half = x / 2
    odd = degrees % 2
    start = math.erfc(math.sqrt(half)) if odd else 0.0
    powers = [number + odd / 2 for number in range((degrees - odd) // 2)]
    return start + math.fsum(
        math.exp(power * math.log(half) - half - math.lgamma(power + 1)) for power in powers
    )


@pytest.mark.parametrize("degrees", CRITICAL)
def test_the_critical_values_leave_the_tail_that_they_say(degrees: int) -> None:
    low, high = CRITICAL[degrees]
    assert above(high, degrees) == pytest.approx(TAIL, rel=1e-3)
    assert 1 - above(low, degrees) == pytest.approx(TAIL, rel=1e-3)
