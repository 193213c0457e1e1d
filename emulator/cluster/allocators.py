"""Cluster addresses and node ports, allocated as Kubernetes 1.36 does it.

Rules: pure, no I/O; the dice are the stream that a call is handed. A range has a static band at its
low end, meant for explicit claims, and a dynamic band above it. An allocation starts at a random
place of the dynamic band and takes the first free one, wrapping inside the band; where that band is
full it does the same in the static one. What is released is free again at once. A refusal that a
user can cause is an `AllocationError` with Kubernetes' sentence; a ValueError is the caller's own.
Source: kubernetes pkg/registry/core/service/{ipallocator,portallocator,allocator} of v1.36.
"""

from __future__ import annotations

from emulator.cluster.streams import Stream

_FREE = b"\0"


class AllocationError(Exception):
    """The allocator refuses; the text is Kubernetes' own."""


class RangeFull(AllocationError):
    """Both bands are full."""


class NotInRange(AllocationError):
    """The claimed one lies outside the range."""


class AlreadyAllocated(AllocationError):
    """The claimed one is taken."""


class RangeAllocator:
    """Kubernetes' algorithm over the offsets [0, size), of which [0, static) are the static band.

    `outside` and `taken` are the sentences of a refused claim. While it is `closed`, others hold all
    that is free: nothing is handed out, and what is released is theirs. Raises ValueError unless
    0 <= static < size.
    """

    __slots__ = (
        "_find",
        "_free_dynamic",
        "_free_static",
        "_map",
        "_outside",
        "_taken",
        "closed",
        "size",
        "static",
    )

    def __init__(self, size: int, static: int, outside: str, taken: str) -> None:
        if not 0 <= static < size:
            raise ValueError(f"static: give 0 <= static < size, got static={static}, size={size}")
        self.size = size
        self.static = static
        self.closed = False
        self._outside = outside
        self._taken = taken
        self._map = bytearray(size)  # a byte an offset, 1 is taken
        self._find = self._map.find  # the scan, at C speed
        self._free_static = static
        self._free_dynamic = size - static

    @property
    def free(self) -> int:
        return self._free_static + self._free_dynamic

    @property
    def used(self) -> int:
        return self.size - self._free_static - self._free_dynamic

    def __contains__(self, offset: int) -> bool:
        """Whether `offset` is allocated."""
        return 0 <= offset < self.size and self._map[offset] == 1

    def allocate(self, stream: Stream) -> int:
        """A free offset. Raises RangeFull."""
        if self.closed:
            raise RangeFull("range is full")
        static = self.static
        start = static + stream.below(self.size - static)
        if self._free_dynamic:
            found = self._find(_FREE, start)
            if found < 0:
                found = self._find(_FREE, static, start)
            self._free_dynamic -= 1
        else:
            found = self._allocate_static(stream)
        self._map[found] = 1
        return found

    def _allocate_static(self, stream: Stream) -> int:
        static = self.static
        start = stream.below(static) if static else 0
        if not self._free_static:
            raise RangeFull("range is full")
        found = self._find(_FREE, start, static)
        if found < 0:
            found = self._find(_FREE, 0, start)
        self._free_static -= 1
        return found

    def claim(self, offset: int) -> None:
        """Takes this one. Raises NotInRange, AlreadyAllocated."""
        if not 0 <= offset < self.size:
            raise NotInRange(self._outside)
        if self._map[offset] or self.closed:
            raise AlreadyAllocated(self._taken)
        self._map[offset] = 1
        if offset < self.static:
            self._free_static -= 1
        else:
            self._free_dynamic -= 1

    def release(self, offset: int) -> None:
        """Frees it. Raises ValueError for one that is not allocated: release each one once."""
        if not 0 <= offset < self.size or not self._map[offset]:
            raise ValueError(f"release: offset {offset} is not allocated, release each one once")
        self._map[offset] = 0
        if offset < self.static:
            self._free_static += 1
        else:
            self._free_dynamic += 1


class _Counted:
    """The counts of an allocator that hands out the offsets of a range under other names."""

    __slots__ = ("_range",)

    _range: RangeAllocator

    @property
    def size(self) -> int:
        """How many can be allocated at all."""
        return self._range.size

    @property
    def static(self) -> int:
        """How many of them, from the lowest on, are the static band."""
        return self._range.static

    @property
    def free(self) -> int:
        """How many are not allocated."""
        return self._range.free

    @property
    def used(self) -> int:
        """How many are allocated."""
        return self._range.used

    @property
    def closed(self) -> bool:
        """Whether others hold all that is free."""
        return self._range.closed

    @closed.setter
    def closed(self, value: bool) -> None:
        self._range.closed = value


class AddressAllocator(_Counted):
    """The ClusterIPs of one IPv4 network, `cidr` like `172.16.0.0/12`, from /8 to /29.

    Network and broadcast address are never handed out. The caller claims `.1` for the Service
    `default/kubernetes`, as Kubernetes does at its start. Addresses are canonical dotted quads.
    Raises ValueError for a network that Kubernetes, or this allocator, does not take.
    """

    __slots__ = ("_first", "network")

    def __init__(self, cidr: str) -> None:
        base, prefix = _parse_network(cidr)
        size = 1 << (32 - prefix)
        static = 0 if size <= 16 else min(max(16, size // 16), 256)
        self.network = cidr
        self._first = base + 1
        self._range = RangeAllocator(
            size - 2,
            static,
            "the provided network does not match the current range",
            "provided IP is already allocated",
        )

    @property
    def base(self) -> str:
        """The network's own address: what a rehearsed allocation answers."""
        return _format(self._first - 1)

    @property
    def first(self) -> str:
        """The lowest address that can be allocated."""
        return _format(self._first)

    @property
    def last(self) -> str:
        """The highest one."""
        return _format(self._first + self._range.size - 1)

    def in_range(self, address: str) -> bool:
        """Whether it could be allocated; False also for what is no IPv4 address."""
        value = _value(address)
        return value is not None and 0 <= value - self._first < self._range.size

    def __contains__(self, address: str) -> bool:
        """Whether it is allocated."""
        value = _value(address)
        return value is not None and value - self._first in self._range

    def allocate(self, stream: Stream) -> str:
        """A free address. Raises RangeFull."""
        return _format(self._first + self._range.allocate(stream))

    def claim(self, address: str) -> None:
        """Takes this one. Raises NotInRange, AlreadyAllocated; ValueError if it is no address."""
        self._range.claim(_parse(address) - self._first)

    def release(self, address: str) -> None:
        """Frees it. Raises ValueError for one that is not allocated: release each one once."""
        try:
            self._range.release(_parse(address) - self._first)
        except ValueError:
            raise ValueError(
                f"release: address {address!r} is not allocated, release each one once"
            ) from None


class PortAllocator(_Counted):
    """The node ports [base, base + size), Kubernetes' own range unless told otherwise.

    Raises ValueError unless the range is inside 1..65535.
    """

    __slots__ = ("base",)

    def __init__(self, base: int = 30000, size: int = 2768) -> None:
        if base < 1 or size < 1 or base + size > 65536:
            raise ValueError(
                f"node ports: base={base}, size={size} is not inside 1-65535, lower one of them"
                if base >= 1 and size >= 1
                else f"node ports: base and size must be at least 1, got base={base}, size={size}"
            )
        static = 0 if size <= 16 else min(max(16, size // 32), 128)
        self.base = base
        self._range = RangeAllocator(
            size,
            static,
            "provided port is not in the valid range."
            f" The range of valid ports is {base}-{base + size - 1}",
            "provided port is already allocated",
        )

    def in_range(self, port: int) -> bool:
        return 0 <= port - self.base < self._range.size

    def __contains__(self, port: int) -> bool:
        """Whether it is allocated."""
        return port - self.base in self._range

    def allocate(self, stream: Stream) -> int:
        """A free port. Raises RangeFull."""
        return self.base + self._range.allocate(stream)

    def claim(self, port: int) -> None:
        """Takes this one. Raises NotInRange, AlreadyAllocated."""
        self._range.claim(port - self.base)

    def release(self, port: int) -> None:
        """Frees it. Raises ValueError for one that is not allocated: release each one once."""
        try:
            self._range.release(port - self.base)
        except ValueError:
            raise ValueError(
                f"release: port {port} is not allocated, release each one once"
            ) from None


# Tables instead of str() and int(): faster, and only canonical octets are ever read.
_TEXTS = tuple(str(octet) for octet in range(256))
_OCTETS = {text: octet for octet, text in enumerate(_TEXTS)}


def _format(value: int) -> str:
    texts = _TEXTS
    return (
        f"{texts[value >> 24]}.{texts[value >> 16 & 255]}"
        f".{texts[value >> 8 & 255]}.{texts[value & 255]}"
    )


def _parse(address: str) -> int:
    """Raises ValueError for what is not a canonical dotted quad."""
    octets = _OCTETS
    try:
        a, b, c, d = address.split(".")
        return octets[a] << 24 | octets[b] << 16 | octets[c] << 8 | octets[d]
    except (KeyError, ValueError):
        raise ValueError(
            f"address: {address!r} is not an IPv4 address, write one like 172.16.0.10"
        ) from None


def _value(address: str) -> int | None:
    try:
        return _parse(address)
    except ValueError:
        return None


def _parse_network(cidr: str) -> tuple[int, int]:
    """Network address and prefix length. Raises ValueError, saying what to write."""
    address, _, tail = cidr.partition("/")
    if ":" in address:
        raise ValueError(
            f"cidr: {cidr!r} is an IPv6 network, only IPv4 is allocated: write one like"
            " 172.16.0.0/12"
        )
    base, prefix = _value(address), _OCTETS.get(tail, 33)
    if base is None or prefix > 32:
        raise ValueError(
            f"cidr: {cidr!r} is not an IPv4 network, write address/prefix like 172.16.0.0/12"
        )
    size = 1 << (32 - prefix)
    if base % size:
        mend = f"{_format(base - base % size)}/{prefix}"
        raise ValueError(f"cidr: {cidr!r} has host bits set, write {mend}")
    if size < 8:
        raise ValueError(
            "the service cluster IP range must be at least 8 IP addresses:"
            f" {cidr!r} has {size}, use a prefix of /29 or shorter"
        )
    if prefix < 8:
        raise ValueError(f"cidr: {cidr!r} is too large, use a prefix from /8 to /29")
    return base, prefix
