"""How fast cluster addresses are allocated, against two allocators that people would write.

Run: `python benchmarks/allocator.py [SECONDS]` (time per figure, default 0.5). Each figure is the
best of five rounds in operations per second of CPU time (the machine may be shared), one allocation
and one release counting as two. All take their draws from one stream and hand out offsets (`core`);
`address` is the whole AddressAllocator with its texts, where a /12 at 99 % keeps a million of them
and the processor's caches miss. `set` draws until it hits a free offset; `fisher-yates` keeps an
array of the free offsets and swaps. Neither peer has bands, and an array cannot claim one address
without a second one. "99 %" is filled by the allocator itself (so that what is taken lies in the
clusters that a linear scan makes) and then churned: release one that is held, allocate one. Compare
within one run, by ratio.
"""

from __future__ import annotations

import sys
import time
from array import array
from collections.abc import Callable
from typing import Protocol, TypeVar

from emulator.cluster.allocators import AddressAllocator, RangeAllocator
from emulator.cluster.streams import Stream, Streams

T = TypeVar("T")

BATCH = 500
ROUNDS = 5


class Offsets(Protocol):
    """What is measured."""

    def allocate(self, stream: Stream) -> int: ...

    def release(self, offset: int) -> None: ...


class RetrySet:
    """A set of what is taken, and draws until one is not in it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken: set[int] = set()

    def allocate(self, stream: Stream) -> int:
        while (offset := stream.below(self.size)) in self.taken:
            pass
        self.taken.add(offset)
        return offset

    def release(self, offset: int) -> None:
        self.taken.remove(offset)


class FisherYates:
    """An array of the free offsets; an allocation swaps a random one to its end and pops it."""

    def __init__(self, size: int) -> None:
        self.free = array("I", range(size))

    def allocate(self, stream: Stream) -> int:
        free = self.free
        at = stream.below(len(free))
        last = free.pop()
        if at == len(free):
            return last
        offset = free[at]
        free[at] = last
        return offset

    def release(self, offset: int) -> None:
        self.free.append(offset)


def churn(
    allocate: Callable[[Stream], T],
    release: Callable[[T], None],
    stream: Stream,
    fill: int,
    seconds: float,
) -> float:
    """Operations per second of release and allocation with `fill` held."""
    held = [allocate(stream) for _ in range(fill)] or [allocate(stream)]
    rates = []
    at = 0
    for _ in range(ROUNDS):
        done = 0
        begin = time.process_time()
        while (spent := time.process_time() - begin) < seconds / ROUNDS:
            for _ in range(BATCH):
                release(held[at])
                held[at] = allocate(stream)
                at = at + 1 if at + 1 < len(held) else 0
            done += BATCH
        rates.append(2 * done / spent)
    return max(rates)


def measure(prefix: int, full: bool, seconds: float) -> dict[str, float]:
    """Operations per second by allocator."""
    size = (1 << (32 - prefix)) - 2
    fill = size * 99 // 100 if full else 0
    address = AddressAllocator(f"10.0.0.0/{prefix}")
    offsets: dict[str, Offsets] = {
        "core": RangeAllocator(size, address.static, "outside", "taken"),
        "set": RetrySet(size),
        "fisher-yates": FisherYates(size),
    }
    stream = Streams(2026).stream("benchmark", "allocator")
    rates = {
        name: churn(one.allocate, one.release, stream, fill, seconds)
        for name, one in offsets.items()
    }
    rates["address"] = churn(address.allocate, address.release, stream, fill, seconds)
    return rates


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
    print("thousands of operations per CPU second; the ratios are core / peer")
    print(
        f"{'range':>12} {'address':>8} {'core':>8} {'set':>8} {'f.-yates':>8}  vs set  vs f.-yates"
    )
    for prefix in (24, 16, 12):
        for full in (False, True):
            rates = measure(prefix, full, seconds)
            core = rates["core"]
            label = f"/{prefix} {'99 %' if full else 'empty'}"
            print(
                f"{label:>12} {rates['address'] / 1e3:8.0f} {core / 1e3:8.0f}"
                f" {rates['set'] / 1e3:8.0f} {rates['fisher-yates'] / 1e3:8.0f}"
                f"  {core / rates['set']:6.2f}  {core / rates['fisher-yates']:11.2f}"
            )


if __name__ == "__main__":
    main()
