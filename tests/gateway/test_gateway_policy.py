"""Who may reach what: authorities, egress, and the table of the forward proxy, without any I/O."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from gateway_served import Book, route
from hypothesis import given
from hypothesis import strategies as st

from emulator.domain.errors import Refused
from emulator.gateway.authority import parse_authority
from emulator.gateway.egress import (
    ALLOW,
    DENY,
    Address,
    address_refusal,
    parse_egress,
)
from emulator.gateway.policy import Asked, Forward, Outside, Refuse, decide, outside_refusal
from emulator.platform import NoRoute

LABELS = st.from_regex(r"\A[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,8}[a-zA-Z0-9_])?\Z")
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PORTS = st.integers(1, 65535)


def nowhere(address: Address) -> bool:
    return False


@given(HOSTS, PORTS, st.booleans())
def test_one_reading_of_a_host_however_it_is_written(host: str, port: int, dot: bool) -> None:
    read = parse_authority(f"{host}{'.' if dot else ''}:{port}")
    assert (read.host, read.port) == (host.lower(), port)
    assert parse_authority(str(read)).host == read.host
    assert parse_authority(host).port == 80


@given(st.ip_addresses(v=6), PORTS)
def test_an_ipv6_address_in_brackets(address: IPv6Address, port: int) -> None:
    read = parse_authority(f"[{address.exploded.upper()}]:{port}")
    assert (read.host, read.port) == (address.compressed, port)
    assert parse_authority(str(read)) == parse_authority(f"[{address.compressed}]:{port}")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(Refused):
        read = parse_authority(text)
        assert 0 < read.port < 65536
        assert read.host == read.host.lower()
        assert read.host
        assert not set(read.host) & set("@/?#%\\ []")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no host"),
        (":80", "names no host"),
        (".", "names no host"),
        ("user@a", "Authorization"),
        ("user:word@a:80", "Authorization"),
        ("a:0", "port '0'"),
        ("a:65536", "port '65536'"),
        ("a:99999999999", "port"),
        ("a:+80", "port '+80'"),
        ("a:8 0", "port"),
        ("a:b", "port 'b'"),
        ("::1", "brackets"),
        ("::1:80", "brackets"),
        ("[::1", "IPv6"),
        ("[::1]80", "IPv6"),
        ("[127.0.0.1]", "IPv6"),
        ("[fe80::1%eth0]", "IPv6"),
        ("[]", "IPv6"),
        ("münchen.de", "ASCII"),
        ("a..b", "labels"),
        ("-a", "labels"),
        ("a" * 64, "labels"),
        (".".join(["abcdefgh"] * 32), "labels"),
        ("a%2e", "labels"),
        ("a\\b", "labels"),
    ],
)
def test_what_is_no_authority(text: str, words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)) as caught:
        parse_authority(text)
    assert caught.value.status == 400


def test_an_empty_port_is_the_default() -> None:
    assert parse_authority("a:").port == 80


# -- egress ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "host", "allowed"),
    [
        ("allow", "a.com", True),
        ("deny", "a.com", False),
        (" Deny ", "a.com", False),
        ("a.com", "a.com", True),
        ("a.com", "b.a.com", False),
        ("a.com", "xa.com", False),
        ("A.com., *.B.org", "a.com", True),
        ("a.com,*.b.org", "x.b.org", True),
        ("a.com,*.b.org", "x.y.b.org", True),
        ("a.com,*.b.org", "b.org", False),
        ("a.com,*.b.org", ".b.org", False),
        ("a.com,*.b.org", "xb.org", False),
        ("10.0.0.1,[2001:DB8::0:1]", "2001:db8::1", True),
        ("10.0.0.1", "10.0.0.10", False),
    ],
)
def test_egress(setting: str, host: str, allowed: bool) -> None:
    assert parse_egress(setting).allows(host) is allowed


@pytest.mark.parametrize(
    "setting", ["", "a.com,", "a.com:80", "http://a.com", "*", "a.*.com", "deny,a.com", "ä.de"]
)
def test_egress_that_is_none(setting: str) -> None:
    with pytest.raises(ValueError, match=r"egress: .* is no host: use deny, allow, or hosts"):
        parse_egress(setting)


@given(
    st.lists(
        HOSTS.map(str.lower).filter(lambda h: h not in ("allow", "deny")), min_size=1, max_size=3
    )
)
def test_egress_is_read_back_from_its_text(hosts: list[str]) -> None:
    egress = parse_egress(",".join(hosts))
    assert parse_egress(str(egress)) == egress
    assert parse_egress(str(ALLOW)) == ALLOW
    assert parse_egress(str(DENY)) == DENY


def carried(address: IPv4Address) -> list[Address]:
    """An IPv4 address, and every IPv6 address that carries it."""
    number = int(address)
    return [
        address,
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address(number),
        IPv6Address((0x2002 << 112) | (number << 80)),
        IPv6Address((0x0064FF9B << 96) | number),
        IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)),
    ]


FORBIDDEN = st.one_of(
    *(
        st.ip_addresses(network=network)
        for network in (
            "127.0.0.0/8",
            "0.0.0.0/8",
            "169.254.0.0/16",
            "224.0.0.0/4",
            "255.255.255.255/32",
            "100.100.100.200/32",
            "168.63.129.16/32",
        )
    )
)


@given(FORBIDDEN.flatmap(lambda address: st.sampled_from(carried(IPv4Address(address)))))
def test_this_machine_is_never_called_in_whatever_form(address: Address) -> None:
    assert address_refusal(address, nowhere)


@given(
    st.one_of(
        *(
            st.ip_addresses(network=network)
            for network in ("fe80::/10", "ff00::/8", "::1/128", "::/128", "fd00:ec2::254/128")
        )
    )
)
def test_nor_by_an_ipv6_address(address: IPv6Address) -> None:
    assert address_refusal(address, nowhere)


@given(st.ip_addresses(v=4).flatmap(lambda a: st.sampled_from(carried(IPv4Address(a)))))
def test_an_interface_of_this_machine_is_never_called(address: Address) -> None:
    assert address_refusal(address, lambda asked: True)


@pytest.mark.parametrize("text", ["93.184.216.34", "10.0.0.5", "192.168.1.1", "2606:4700::1111"])
def test_the_outside_may_be_called(text: str) -> None:
    assert address_refusal(ip_address(text), nowhere) == ""


# -- the table ---------------------------------------------------------------------------------


def own(host: str, port: int) -> bool:
    return (host, port) in (("127.0.0.1", 8080), ("10.9.9.9", 8080))


def asked(authority: str, method: str = "GET", scheme: str = "http") -> Asked:
    return Asked(method, scheme, authority, "/")


@pytest.fixture
def book() -> Book:
    made = Book()
    made.routes["s-up", 5678] = route(print)
    made.routes["s-up", 80] = route(print)
    made.routes["s-wait", 5678] = NoRoute("w-wait", "s-wait")
    made.routes["s-mute", 5678] = NoRoute("w-mute", "")
    made.messages["w-wait"] = ("ImagePullBackOff: no such image", 7)
    made.messages["w-mute"] = ("", None)
    made.gone["s-old"] = "it was stopped."
    return made


ROWS = {
    "connect": (asked("s-up:5678", method="CONNECT"), 405, "HTTPS_PROXY"),
    "https": (asked("s-up:5678", scheme="https"), 400, "http://s-up:5678"),
    "another scheme": (asked("s-up:5678", scheme="ftp"), 400, "'ftp'"),
    "no authority": (asked("u@s-up:5678"), 400, "Authorization"),
    "the emulator": (asked("127.0.0.1:8080"), 403, "NO_PROXY"),
    "unready": (asked("s-wait:5678"), 503, "ImagePullBackOff: no such image"),
    "unready, no message": (asked("s-mute:5678"), 503, "w-mute has no ready endpoint."),
    "stopped": (asked("S-OLD.:5678"), 502, "it was stopped."),
    "wrong port": (asked("s-up:1"), 502, "unknown to the platform"),
    "unknown service": (asked("x.ns.svc"), 502, "unknown to the platform"),
    "free address": (asked("172.16.9.9:5678"), 502, "unknown to the platform"),
    "egress": (asked("a.com"), 403, "--egress"),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_refusal_of_the_table(row: str, book: Book) -> None:
    request, status, words = ROWS[row]
    refusal = decide(book, request, DENY, own)
    assert isinstance(refusal, Refuse)
    assert refusal.status == status
    assert words in refusal.message


def test_retry_after_where_it_is_known(book: Book) -> None:
    known, unknown = (decide(book, asked(a), DENY, own) for a in ("s-wait:5678", "s-mute:5678"))
    assert isinstance(known, Refuse)
    assert isinstance(unknown, Refuse)
    assert known.headers == (("Retry-After", "7"),)
    assert unknown.headers == ()


@pytest.mark.parametrize("text", ["s-up:5678", "S-Up:5678", "s-up.:5678", "s-up", "s-up:"])
def test_a_service_however_it_is_written(text: str, book: Book) -> None:
    found = decide(book, asked(text), DENY, own)
    assert isinstance(found, Forward)
    assert found.authority.text == text


def test_the_outside_when_egress_allows(book: Book) -> None:
    assert isinstance(decide(book, asked("a.com"), ALLOW, own), Outside)


@pytest.mark.parametrize(
    ("addresses", "status", "words"),
    [
        (["93.184.216.34"], 0, ""),
        ([], 502, "no address"),
        (["93.184.216.34", "127.0.0.2"], 403, "a loopback address"),
        (["::ffff:127.0.0.1"], 403, "a loopback address"),
        (["169.254.169.254"], 403, "metadata"),
        (["10.1.1.1"], 403, "own machine"),
        (["10.9.9.9"], 403, "the emulator itself"),
        (["172.16.3.4"], 403, "an address of the platform"),
    ],
)
def test_what_a_name_outside_resolves_to(
    addresses: list[str], status: int, words: str, book: Book
) -> None:
    refusal = outside_refusal(
        book,
        parse_authority("a.com:8080"),
        [ip_address(address) for address in addresses],
        own,
        lambda address: address == IPv4Address("10.1.1.1"),
    )
    assert (refusal.status if refusal else 0) == status
    assert words in (refusal.message if refusal else "")
