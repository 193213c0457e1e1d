"""Random streams: the dice of the simulated platform.

Rules: a stream belongs to one entity and one purpose, and what it yields depends on (seed,
replication, entity, purpose) and on its own earlier draws, never on other streams, on the order in
which streams are made, on `hash()` or on the platform. Only integers come out. What is written here
as the encoding is part of the journal's format: a change of it changes every recorded run.

The encoding. A text is its UTF-8 bytes (lone surrogates kept), an integer its shortest signed
little-endian two's complement with room for the sign (so any int is a seed, 0 is one zero byte).
Each of seed, replication, entity, purpose is written as its length in 8 bytes, little-endian, then
its bytes; the key is the 32-byte BLAKE2b of the four. Block i (0, 1, ...) of the stream is the
64-byte BLAKE2b, keyed with that key, of i in 8 bytes, little-endian. The blocks are read as 64-bit
little-endian words, in order, and every draw takes whole words.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_WORD = 64
_WORD_MASK = (1 << _WORD) - 1
_END = 1 << 512  # above the 512 bits of a block: what is left of the pool once all are taken is 1


def _field(data: bytes) -> bytes:
    return len(data).to_bytes(8, "little") + data


def _integer(value: int) -> bytes:
    magnitude = value if value >= 0 else ~value
    return value.to_bytes(magnitude.bit_length() // 8 + 1, "little", signed=True)


class Streams:
    """The streams of one world: `seed` is any integer, `replication` tells repetitions apart."""

    __slots__ = ("_root", "replication", "seed")

    def __init__(self, seed: int, replication: int = 0) -> None:
        self.seed = seed
        self.replication = replication
        self._root = blake2b(_field(_integer(seed)) + _field(_integer(replication)), digest_size=32)

    def stream(self, entity: str, purpose: str) -> Stream:
        """A new stream, at its beginning; asking again for the same names gives the same draws."""
        who = entity.encode("utf-8", "surrogatepass")
        why = purpose.encode("utf-8", "surrogatepass")
        key = self._root.copy()
        key.update(len(who).to_bytes(8, "little") + who + len(why).to_bytes(8, "little") + why)
        return Stream(key.digest())


class Stream:
    """An endless row of random bits. `key` is 1 to 64 bytes; use `Streams.stream` to get one."""

    __slots__ = ("_counter", "_key", "_pool")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._counter = 0
        self._pool = 1  # the words not yet taken, the next one lowest, under the end mark

    def _refill(self) -> int:
        """The next block as a pool; the caller keeps what it leaves of it."""
        counter = self._counter
        self._counter = counter + 1
        block = blake2b(counter.to_bytes(8, "little"), key=self._key).digest()
        return int.from_bytes(block, "little") | _END

    def bits(self, n: int) -> int:
        """An integer of `n` random bits, n >= 1: the low bits of ceil(n / 64) words, lowest first.

        Raises ValueError for n < 1.
        """
        if n < 1:
            raise ValueError(f"bits: n must be at least 1, got {n}")
        value = shift = 0
        pool = self._pool
        while shift < n:
            if pool == 1:
                pool = self._refill()
            value |= (pool & _WORD_MASK) << shift
            pool >>= _WORD
            shift += _WORD
        self._pool = pool
        return value & ((1 << n) - 1)

    def below(self, n: int) -> int:
        """An integer of [0, n), each as likely as the others. Raises ValueError for n < 1.

        Takes one word per try up to n = 2**64, even where n = 1; a try fails with less than 1/2.
        """
        if n < 1:
            raise ValueError(f"below: n must be at least 1, got {n}")
        mask = (1 << (n - 1).bit_length()) - 1
        if mask > _WORD_MASK:
            return self._below_wide(n)
        pool = self._pool
        while True:
            if pool == 1:
                pool = self._refill()
            value = pool & mask
            pool >>= _WORD
            if value < n:
                self._pool = pool
                return value

    def _below_wide(self, n: int) -> int:
        width = (n - 1).bit_length()
        while (value := self.bits(width)) >= n:
            pass
        return value

    def between(self, lo: int, hi: int) -> int:
        """An integer of [lo, hi). Raises ValueError where that is empty."""
        if hi <= lo:
            raise ValueError(f"between: hi must be greater than lo, got lo={lo}, hi={hi}")
        return lo + self.below(hi - lo)

    def choice(self, seq: Sequence[T]) -> T:
        """One item of `seq`, which must have an order of its own. Raises ValueError if empty."""
        if not seq:
            raise ValueError("choice: the sequence is empty, give at least one item")
        return seq[self.below(len(seq))]

    def hex(self, n_digits: int) -> str:
        """`n_digits` lower-case hexadecimal digits, n_digits >= 1. Raises ValueError."""
        if n_digits < 1:
            raise ValueError(f"hex: n_digits must be at least 1, got {n_digits}")
        return f"{self.bits(4 * n_digits):0{n_digits}x}"

    def chance(self, numerator: int, denominator: int) -> bool:
        """True with probability numerator / denominator; always takes a draw.

        Raises ValueError unless 0 <= numerator <= denominator and denominator >= 1.
        """
        if not 0 <= numerator <= denominator or denominator < 1:
            raise ValueError(
                f"chance: {numerator}/{denominator} is not a probability,"
                " give 0 <= numerator <= denominator and denominator >= 1"
            )
        return self.below(denominator) < numerator
