"""Random streams: the same bits for ever, each stream on its own, each draw fair."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.streams import Stream, Streams


def chi_squared(counts: Counter[int], cells: int) -> tuple[float, float, float]:
    """The statistic against the uniform distribution, and its 0.1 % and 99.9 % quantiles.

    The quantiles are Wilson and Hilferty's approximation.
    """
    expected = counts.total() / cells
    statistic = sum((counts[cell] - expected) ** 2 for cell in range(cells)) / expected
    spread = 2 / (9 * (cells - 1))
    low, high = ((cells - 1) * max(1 - spread + z * spread**0.5, 0) ** 3 for z in (-3.0902, 3.0902))
    return statistic, low, high


def words(seed: int, replication: int, entity: str, purpose: str, blocks: int) -> list[int]:
    """The words of a stream, by the module's description of the encoding."""

    def integer(value: int) -> bytes:
        length = 1
        while not -(1 << (8 * length - 1)) <= value < 1 << (8 * length - 1):
            length += 1
        return (value % (1 << 8 * length)).to_bytes(length, "little")

    parts = [integer(seed), integer(replication), entity.encode(), purpose.encode()]
    plain = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    key = hashlib.blake2b(plain, digest_size=32).digest()
    data = b"".join(
        hashlib.blake2b(i.to_bytes(8, "little"), key=key).digest() for i in range(blocks)
    )
    return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]


@pytest.mark.parametrize(
    ("seed", "replication", "first", "second"),
    [
        (2026, 0, 9924958023176089672, 1731433609306470141),
        (2026, 1, 10310010298784292141, 5652025381814029370),
        (0, 0, 8520487810994383238, 7219278065593376262),
        (-1, 0, 10747372965630448211, 4024049325071730116),
        (2**64, 0, 12447237275708375512, 682252389873378812),
        (-(2**200), -3, 15952812153074024128, 12280592828050224411),
    ],
)
def test_the_words_of_a_stream_are_pinned(
    seed: int, replication: int, first: int, second: int
) -> None:
    stream = Streams(seed, replication).stream("web", "start")
    assert [stream.bits(64), stream.bits(64)] == [first, second]


def test_every_kind_of_draw_is_pinned() -> None:
    stream = Streams(2026).stream("web", "start")
    assert stream.bits(1) == 0
    assert stream.bits(13) == 5885
    assert stream.bits(64) == 14210491242363021120
    assert stream.bits(100) == 0xC9455064E4A7583588D5DFF88
    assert [stream.below(n) for n in (1, 6, 1000)] == [0, 0, 861]
    assert stream.below(2**64) == 3420105485262509712
    assert stream.below(2**64 + 1) == 4317379807018535064
    assert stream.below(10**30) == 0x3185CB7CDE5F8F077C881F7C8
    assert stream.between(-5, 5) == -2
    assert stream.choice("abcdef") == "f"
    assert [stream.hex(n) for n in (1, 5)] == ["9", "08e33"]
    assert stream.hex(32) == "dda027770c191764d524d9afc3853218"
    draws = [stream.chance(1, 3) for _ in range(6)]
    assert draws == [True, False, False, False, True, False]


@given(
    seed=st.integers(),
    replication=st.integers(),
    entity=st.text(max_size=12),
    purpose=st.text(max_size=12),
)
def test_the_encoding_is_the_described_one(
    seed: int, replication: int, entity: str, purpose: str
) -> None:
    stream = Streams(seed, replication).stream(entity, purpose)
    assert [stream.bits(64) for _ in range(24)] == words(seed, replication, entity, purpose, 3)


def test_names_that_run_together_have_streams_of_their_own() -> None:
    streams = Streams(1)
    names = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("a\0b", "c"), ("a", "b\0c")]
    assert len({streams.stream(*name).bits(64) for name in names}) == len(names)


def test_seeds_and_replications_have_streams_of_their_own() -> None:
    seeds = [0, 1, -1, 127, 128, -128, -129, 255, 256, 1 << 64]
    pairs = [(seed, replication) for seed in seeds for replication in (*seeds[:3], 256)]
    assert len({Streams(*pair).stream("web", "start").bits(64) for pair in pairs}) == len(pairs)


def test_a_name_may_hold_a_lone_surrogate() -> None:
    assert Streams(2026).stream("\ud800é", "start").bits(64) == 1532262601126228448


def test_streams_do_not_depend_on_the_order_of_calls() -> None:
    names = [(f"pod-{i}", purpose) for i in range(5) for purpose in ("start", "pull")]
    forward = Streams(7)
    alone = {name: forward.stream(*name).bits(64) for name in names}
    backward = Streams(7)
    open_streams = {name: backward.stream(*name) for name in reversed(names)}
    mixed: dict[tuple[str, str], list[int]] = {name: [] for name in names}
    for _ in range(20):
        for name in names:
            mixed[name].append(open_streams[name].bits(64))
    for name in names:
        assert mixed[name][0] == alone[name]
        again = Streams(7).stream(*name)
        assert mixed[name] == [again.bits(64) for _ in range(20)]


def test_streams_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from emulator.cluster.streams import Streams\n"
        "streams = Streams(2026)\n"
        "for name in ('web', 'db', 'cache'):\n"
        "    stream = streams.stream(name, 'start')\n"
        "    print([stream.below(1000) for _ in range(20)])\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    opened = [Streams(2026).stream(name, "start") for name in ("web", "db", "cache")]
    here = "".join(f"{[stream.below(1000) for _ in range(20)]}\n" for stream in opened)
    assert printed == {here}


@pytest.mark.parametrize("n", [2, 3, 5, 6, 10, 97, 129])
def test_below_is_uniform(n: int) -> None:
    stream = Streams(11).stream("die", str(n))
    counts = Counter(stream.below(n) for _ in range(20_000))
    statistic, low, high = chi_squared(counts, n)
    assert set(counts) == set(range(n))
    assert statistic < high
    assert n < 10 or statistic > low


@pytest.mark.parametrize("shift", [62, 70])
def test_below_is_unbiased_where_a_remainder_would_not_be(shift: int) -> None:
    stream = Streams(12).stream("die", str(shift))
    counts = Counter(stream.below(3 << shift) >> shift for _ in range(6_000))
    statistic, _, high = chi_squared(counts, 3)
    assert statistic < high


@pytest.mark.parametrize("place", [0, 28, 60, 96])
def test_bits_are_uniform_at_every_place(place: int) -> None:
    stream = Streams(13).stream("bits", str(place))
    counts = Counter(stream.bits(100) >> place & 15 for _ in range(8_000))
    statistic, low, high = chi_squared(counts, 16)
    assert low < statistic < high


def test_chance_is_as_likely_as_it_says() -> None:
    stream = Streams(14).stream("coin", "toss")
    heads = sum(stream.chance(3, 10) for _ in range(10_000))
    assert abs(heads - 3_000) < 4 * 46  # four standard deviations
    assert not any(stream.chance(0, 7) for _ in range(100))
    assert all(stream.chance(7, 7) for _ in range(100))


@given(seed=st.integers(), n=st.integers(1, 1 << 130), lo=st.integers())
def test_draws_stay_in_their_range(seed: int, n: int, lo: int) -> None:
    stream = Streams(seed).stream("any", "draw")
    assert 0 <= stream.below(n) < n
    assert lo <= stream.between(lo, lo + n) < lo + n
    width = n.bit_length()
    assert 0 <= stream.bits(width) < 1 << width
    digits = stream.hex(width)
    assert len(digits) == width
    assert set(digits) <= set("0123456789abcdef")


@pytest.mark.parametrize("n", [1, 2, 256, 2**32, 2**64])
def test_below_a_power_of_two_takes_one_word(n: int) -> None:
    stream, twin = (Streams(3).stream("web", "start") for _ in range(2))
    stream.below(n)
    twin.bits(64)
    assert stream.bits(64) == twin.bits(64)


@pytest.mark.parametrize(
    ("draw", "text"),
    [
        (lambda s: s.bits(0), "bits: n must be at least 1, got 0"),
        (lambda s: s.below(0), "below: n must be at least 1, got 0"),
        (lambda s: s.below(-1), "below: n must be at least 1, got -1"),
        (lambda s: s.between(3, 3), "hi must be greater than lo, got lo=3, hi=3"),
        (lambda s: s.choice([]), "the sequence is empty"),
        (lambda s: s.hex(0), "n_digits must be at least 1, got 0"),
        (lambda s: s.chance(2, 1), "2/1 is not a probability"),
        (lambda s: s.chance(0, 0), "0/0 is not a probability"),
        (lambda s: s.chance(-1, 2), "-1/2 is not a probability"),
    ],
)
def test_a_draw_that_cannot_be_says_why(draw: Callable[[Stream], object], text: str) -> None:
    stream, twin = (Streams(3).stream("web", "start") for _ in range(2))
    with pytest.raises(ValueError, match=text):
        draw(stream)
    assert stream.bits(64) == twin.bits(64)
