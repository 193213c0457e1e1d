"""Addresses and node ports: Kubernetes' algorithm, against its facts and against a naive model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from emulator.cluster.allocators import (
    AddressAllocator,
    AllocationError,
    AlreadyAllocated,
    NotInRange,
    PortAllocator,
    RangeAllocator,
    RangeFull,
)
from emulator.cluster.streams import Stream, Streams

OUTSIDE_NETWORK = "the provided network does not match the current range"
OUTSIDE_PORTS = "provided port is not in the valid range. The range of valid ports is 30000-32767"


class Scripted(Stream):
    """A stream whose draws are told: (bound, value) pairs, each checked against what is asked."""

    def __init__(self, draws: Sequence[tuple[int, int]]) -> None:
        super().__init__(b"scripted")
        self.draws = list(draws)

    def below(self, n: int) -> int:
        bound, value = self.draws.pop(0)
        assert n == bound
        return value


def stream(purpose: str, seed: int = 5) -> Stream:
    return Streams(seed).stream("allocator", purpose)


# Kubernetes' facts


@pytest.mark.parametrize(
    ("cidr", "usable", "static", "first", "last_static", "first_dynamic", "last"),
    [
        ("10.96.0.0/29", 6, 0, "10.96.0.1", None, "10.96.0.1", "10.96.0.6"),
        ("10.96.0.0/28", 14, 0, "10.96.0.1", None, "10.96.0.1", "10.96.0.14"),
        ("10.96.0.0/27", 30, 16, "10.96.0.1", "10.96.0.16", "10.96.0.17", "10.96.0.30"),
        ("10.96.0.0/24", 254, 16, "10.96.0.1", "10.96.0.16", "10.96.0.17", "10.96.0.254"),
        ("10.96.0.0/22", 1022, 64, "10.96.0.1", "10.96.0.64", "10.96.0.65", "10.96.3.254"),
        ("10.96.0.0/20", 4094, 256, "10.96.0.1", "10.96.1.0", "10.96.1.1", "10.96.15.254"),
        ("10.96.0.0/16", 65534, 256, "10.96.0.1", "10.96.1.0", "10.96.1.1", "10.96.255.254"),
        ("172.16.0.0/12", 1048574, 256, "172.16.0.1", "172.16.1.0", "172.16.1.1", "172.31.255.254"),
        ("10.0.0.0/8", 16777214, 256, "10.0.0.1", "10.0.1.0", "10.0.1.1", "10.255.255.254"),
    ],
)
def test_the_bands_are_kubernetes(
    cidr: str,
    usable: int,
    static: int,
    first: str,
    last_static: str | None,
    first_dynamic: str,
    last: str,
) -> None:
    addresses = AddressAllocator(cidr)
    assert (addresses.network, addresses.size, addresses.static) == (cidr, usable, static)
    assert (addresses.first, addresses.last) == (first, last)
    assert (addresses.free, addresses.used) == (usable, 0)
    dynamic = usable - static
    assert addresses.allocate(Scripted([(dynamic, 0)])) == first_dynamic
    assert addresses.allocate(Scripted([(dynamic, dynamic - 1)])) == last
    if last_static is not None:
        assert addresses.in_range(last_static)
        addresses.claim(last_static)
        assert addresses.free == usable - 3


def test_a_27_is_used_up_as_recorded() -> None:
    """The order in which a real API server of 1.36.2 handed out a /27, with the draws behind it."""
    upper = [26, 29, 24, 23, 25, 27, 28, 30, 17, 18, 19, 22, 21, 20]
    lower = [4, 2, 8, 3, 7, 5, 9, 6, 12, 10, 11, 13, 14, 15, 16]
    addresses = AddressAllocator("10.96.92.0/27")
    addresses.claim("10.96.92.1")
    for last in upper:
        dice = Scripted([(14, last - 17)])
        assert addresses.allocate(dice) == f"10.96.92.{last}"
    for last in lower:
        dice = Scripted([(14, 0), (16, last - 1)])
        assert addresses.allocate(dice) == f"10.96.92.{last}"
    assert (addresses.used, addresses.free) == (30, 0)
    with pytest.raises(RangeFull, match=r"^range is full$"):
        addresses.allocate(Scripted([(14, 3), (16, 3)]))
    addresses.release("10.96.92.23")
    assert addresses.allocate(stream("again")) == "10.96.92.23"


@pytest.mark.parametrize("seed", range(20))
def test_the_static_band_waits_until_the_dynamic_one_is_full(seed: int) -> None:
    addresses, dice = AddressAllocator("10.96.92.0/27"), stream("order", seed)
    addresses.claim("10.96.92.1")
    given = [int(addresses.allocate(dice).rpartition(".")[2]) for _ in range(29)]
    assert sorted(given[:14]) == list(range(17, 31))
    assert sorted(given[14:]) == list(range(2, 17))
    with pytest.raises(RangeFull):
        addresses.allocate(dice)


def test_a_small_range_has_no_static_band() -> None:
    addresses, dice = AddressAllocator("10.0.0.8/29"), stream("small")
    addresses.claim("10.0.0.9")
    given = {addresses.allocate(dice) for _ in range(5)}
    assert given == {f"10.0.0.{last}" for last in range(10, 15)}
    with pytest.raises(RangeFull, match=r"^range is full$"):
        addresses.allocate(dice)


def test_the_scan_wraps_inside_its_band() -> None:
    addresses = AddressAllocator("10.96.0.0/27")
    for last in (28, 29, 30, 17):
        addresses.claim(f"10.96.0.{last}")
    assert addresses.allocate(Scripted([(14, 28 - 17)])) == "10.96.0.18"
    for last in (*range(19, 28), 14, 15, 16):
        addresses.claim(f"10.96.0.{last}")
    assert addresses.allocate(Scripted([(14, 5), (16, 14 - 1)])) == "10.96.0.1"


def test_node_ports_have_kubernetes_bands() -> None:
    ports = PortAllocator()
    assert (ports.base, ports.size, ports.static, ports.free) == (30000, 2768, 86, 2768)
    assert ports.allocate(Scripted([(2682, 0)])) == 30086
    assert ports.allocate(Scripted([(2682, 2681)])) == 32767
    assert ports.allocate(Scripted([(2682, 2681)])) == 30087
    for port in range(30088, 32767):
        ports.claim(port)
    assert ports.allocate(Scripted([(2682, 7), (86, 85)])) == 30085
    assert ports.allocate(Scripted([(2682, 7), (86, 85)])) == 30000
    dice = stream("ports")
    assert {ports.allocate(dice) for _ in range(84)} == set(range(30001, 30085))
    with pytest.raises(RangeFull, match=r"^range is full$"):
        ports.allocate(dice)


@pytest.mark.parametrize(
    ("size", "static"), [(1, 0), (16, 0), (17, 16), (512, 16), (576, 18), (4096, 128), (9999, 128)]
)
def test_the_static_band_of_other_port_ranges(size: int, static: int) -> None:
    assert PortAllocator(20000, size).static == static


def test_golden_allocations_are_pinned() -> None:
    dice = Streams(2026).stream("web", "cluster-ip")
    addresses, ports = AddressAllocator("172.16.0.0/12"), PortAllocator()
    assert [addresses.allocate(dice) for _ in range(4)] == [
        "172.27.105.139",
        "172.28.207.205",
        "172.22.209.158",
        "172.21.17.231",
    ]
    assert [ports.allocate(dice) for _ in range(4)] == [31984, 32587, 32579, 30103]


def uniform_within(counts: Counter[int], cells: int, low: float, high: float) -> bool:
    expected = counts.total() / cells
    statistic = sum((counts[cell] - expected) ** 2 for cell in range(cells)) / expected
    return low < statistic < high


def test_the_first_choice_of_an_address_is_uniform() -> None:
    """Chi-squared with 13 degrees of freedom: 0.1 % lies below 2.6, 0.1 % above 34.5."""
    streams, addresses, counts = Streams(21), AddressAllocator("10.96.0.0/27"), Counter[int]()
    for i in range(2_800):
        address = addresses.allocate(streams.stream(f"service-{i}", "cluster-ip"))
        counts[int(address.rpartition(".")[2]) - 17] += 1
        addresses.release(address)
    assert set(counts) == set(range(14))
    assert uniform_within(counts, 14, 2.6, 34.5)


def test_the_first_choice_of_a_port_is_uniform() -> None:
    """Chi-squared over 18 cells of 149 ports, 17 degrees of freedom: 4.4 and 40.8."""
    streams, ports, counts = Streams(22), PortAllocator(), Counter[int]()
    for i in range(3_600):
        port = ports.allocate(streams.stream(f"service-{i}", "node-port"))
        counts[(port - 30086) // 149] += 1
        ports.release(port)
    assert set(counts) == set(range(18))
    assert uniform_within(counts, 18, 4.4, 40.8)


# Refusals


@pytest.mark.parametrize(
    "address", ["10.96.0.0", "10.96.0.31", "10.95.255.255", "10.96.0.32", "0.0.0.0", "10.97.0.5"]
)
def test_network_broadcast_and_others_are_out_of_range(address: str) -> None:
    addresses = AddressAllocator("10.96.0.0/27")
    assert not addresses.in_range(address)
    assert address not in addresses
    with pytest.raises(NotInRange, match=f"^{OUTSIDE_NETWORK}$"):
        addresses.claim(address)
    with pytest.raises(ValueError, match=f"address '{address}' is not allocated"):
        addresses.release(address)
    assert addresses.free == 30


@pytest.mark.parametrize("port", [29999, 32768, 0, -1, 65536])
def test_ports_outside_are_out_of_range(port: int) -> None:
    ports = PortAllocator()
    assert not ports.in_range(port)
    assert port not in ports
    with pytest.raises(NotInRange, match=f"^{re.escape(OUTSIDE_PORTS)}$"):
        ports.claim(port)
    with pytest.raises(ValueError, match=f"port {port} is not allocated"):
        ports.release(port)


def test_what_is_taken_cannot_be_claimed_until_it_is_released() -> None:
    addresses, ports = AddressAllocator("10.96.0.0/24"), PortAllocator()
    addresses.claim("10.96.0.1")
    ports.claim(30007)
    with pytest.raises(AlreadyAllocated, match=r"^provided IP is already allocated$"):
        addresses.claim("10.96.0.1")
    with pytest.raises(AlreadyAllocated, match=r"^provided port is already allocated$"):
        ports.claim(30007)
    assert "10.96.0.1" in addresses
    assert 30007 in ports
    addresses.release("10.96.0.1")
    ports.release(30007)
    with pytest.raises(ValueError, match=r"'10\.96\.0\.1' is not allocated, release each one once"):
        addresses.release("10.96.0.1")
    with pytest.raises(ValueError, match="30007 is not allocated, release each one once"):
        ports.release(30007)
    addresses.claim("10.96.0.1")
    ports.claim(30007)
    assert (addresses.used, ports.used) == (1, 1)


def test_every_refusal_is_an_allocation_error() -> None:
    assert all(
        issubclass(one, AllocationError) for one in (RangeFull, NotInRange, AlreadyAllocated)
    )
    assert not issubclass(AllocationError, ValueError)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.96.0",
        "10.96.0.1.2",
        "10.96.0.256",
        "10.96.0.01",
        "10.96.0.-1",
        "a.b.c.d",
        "::1",
        " 10.96.0.1",
        "10.96.0.1\n",
        "10.96.0.٣",
    ],
)
def test_what_is_no_address_is_told_so(text: str) -> None:
    addresses = AddressAllocator("10.96.0.0/24")
    assert not addresses.in_range(text)
    assert text not in addresses
    with pytest.raises(
        ValueError, match=f"address: {re.escape(repr(text))} is not an IPv4 address"
    ):
        addresses.claim(text)
    with pytest.raises(ValueError, match="is not allocated"):
        addresses.release(text)


@pytest.mark.parametrize(
    ("cidr", "text"),
    [
        (
            "10.0.0.0/30",
            "the service cluster IP range must be at least 8 IP addresses:"
            " '10.0.0.0/30' has 4, use a prefix of /29 or shorter",
        ),
        ("10.0.0.1/32", "the service cluster IP range must be at least 8 IP addresses: "),
        ("172.16.5.0/12", "cidr: '172.16.5.0/12' has host bits set, write 172.16.0.0/12"),
        ("10.0.0.0/7", "cidr: '10.0.0.0/7' is too large, use a prefix from /8 to /29"),
        ("0.0.0.0/0", "cidr: '0.0.0.0/0' is too large, use a prefix from /8 to /29"),
        ("fd00::/64", "cidr: 'fd00::/64' is an IPv6 network, only IPv4 is allocated"),
        ("10.0.0.0", "cidr: '10.0.0.0' is not an IPv4 network, write address/prefix like"),
        ("10.0.0.0/33", "cidr: '10.0.0.0/33' is not an IPv4 network"),
        ("10.0.0.0/024", "cidr: '10.0.0.0/024' is not an IPv4 network"),
        ("10.0.0.0/255.0.0.0", "cidr: '10.0.0.0/255.0.0.0' is not an IPv4 network"),
        ("10.0.0/24", "cidr: '10.0.0/24' is not an IPv4 network"),
        ("", "cidr: '' is not an IPv4 network"),
    ],
)
def test_a_bad_network_says_value_and_mend(cidr: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        AddressAllocator(cidr)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: PortAllocator(0, 10), "base and size must be at least 1, got base=0, size=10"),
        (lambda: PortAllocator(30000, 0), "at least 1, got base=30000, size=0"),
        (lambda: PortAllocator(65000, 1000), "base=65000, size=1000 is not inside 1-65535"),
        (lambda: RangeAllocator(4, 4, "", ""), "got static=4, size=4"),
        (lambda: RangeAllocator(4, -1, "", ""), "got static=-1, size=4"),
    ],
)
def test_a_bad_range_says_value_and_mend(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_the_last_port_may_be_the_last_of_all() -> None:
    ports = PortAllocator(65535, 1)
    assert ports.allocate(stream("last")) == 65535


# Against a naive model


class Model:
    """The algorithm, word for word, over a list and a set."""

    def __init__(self, size: int, static: int) -> None:
        self.static_band = list(range(static))
        self.dynamic_band = list(range(static, size))
        self.taken: set[int] = set()

    def allocate(self, dice: Stream) -> int | None:
        for band in (self.dynamic_band, self.static_band):
            if band:
                start = dice.below(len(band))
                for offset in band[start:] + band[:start]:
                    if offset not in self.taken:
                        self.taken.add(offset)
                        return offset
        return None


class AllocatorMachine(RuleBasedStateMachine):
    """Both are told the same and draw the same; `name` gives an offset's address or port."""

    real: AddressAllocator | PortAllocator

    def make(self, size: int) -> int:
        """Makes `real` with about `size`, answers its true size."""
        raise NotImplementedError

    def name(self, offset: int) -> str | int:
        raise NotImplementedError

    @initialize(size=st.integers(1, 64), seed=st.integers(0, 2**32))
    def begin(self, size: int, seed: int) -> None:
        self.size = self.make(size)
        self.model = Model(self.size, self.real.static)
        self.dice, self.twin = stream("machine", seed), stream("machine", seed)

    def _call(self, method: str, offset: int) -> None:
        getattr(self.real, method)(self.name(offset))

    @rule(times=st.integers(1, 12))
    def allocate(self, times: int) -> None:
        for _ in range(times):
            expected = self.model.allocate(self.twin)
            if expected is None:
                with pytest.raises(RangeFull):
                    self.real.allocate(self.dice)
            else:
                assert self.real.allocate(self.dice) == self.name(expected)

    @rule(offset=st.integers(-2, 66))
    def claim(self, offset: int) -> None:
        if not 0 <= offset < self.size:
            with pytest.raises(NotInRange):
                self._call("claim", offset)
        elif offset in self.model.taken:
            with pytest.raises(AlreadyAllocated):
                self._call("claim", offset)
        else:
            self._call("claim", offset)
            self.model.taken.add(offset)

    @precondition(lambda self: self.model.taken)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.model.taken)))
        self._call("release", offset)
        self.model.taken.remove(offset)

    @rule(offset=st.integers(-2, 66))
    def release_what_is_free(self, offset: int) -> None:
        if offset not in self.model.taken:
            with pytest.raises(ValueError, match="is not allocated"):
                self._call("release", offset)

    @invariant()
    def tell_the_same(self) -> None:
        taken = self.model.taken
        assert (self.real.used, self.real.free) == (len(taken), self.size - len(taken))
        for offset in range(-1, self.size + 1):
            name = self.name(offset)
            if isinstance(self.real, AddressAllocator):
                assert isinstance(name, str)
                assert self.real.in_range(name) == (0 <= offset < self.size)
                assert (name in self.real) == (offset in taken)
            else:
                assert isinstance(name, int)
                assert self.real.in_range(name) == (0 <= offset < self.size)
                assert (name in self.real) == (offset in taken)


class AddressMachine(AllocatorMachine):
    def make(self, size: int) -> int:
        prefix = 29 - (size > 6) - (size > 14) - (size > 30)
        self.real = AddressAllocator(f"10.1.255.192/{prefix}")
        return (1 << (32 - prefix)) - 2

    def name(self, offset: int) -> str:
        value = 255 * 256 + 193 + offset
        return f"10.{1 + (value >> 16)}.{value >> 8 & 255}.{value & 255}"


class PortMachine(AllocatorMachine):
    def make(self, size: int) -> int:
        self.real = PortAllocator(30000, size)
        return size

    def name(self, offset: int) -> int:
        return 30000 + offset


FEW = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestAddressesAgainstTheModel = AddressMachine.TestCase
TestAddressesAgainstTheModel.settings = FEW
TestPortsAgainstTheModel = PortMachine.TestCase
TestPortsAgainstTheModel.settings = FEW
