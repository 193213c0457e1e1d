"""What a process inside the perimeter may call outside the platform: the rules, without any I/O.

Rules: a host is allowed by `Egress`, and then every address that its name resolves to is looked at
by `address_refusal`; one bad address refuses the name. Never allowed, whatever the setting:
loopback, link-local, unspecified, multicast, broadcast and metadata addresses, also where an IPv6
address carries such an IPv4 one inside (mapped, compatible, 6to4, NAT64, Teredo), and addresses of
this machine. Private addresses are allowed: a pod may reach them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

Address = IPv4Address | IPv6Address

_THIS_NETWORK = IPv4Network("0.0.0.0/8")  # RFC 791: "this" host; Linux answers 0.0.0.0 by loopback
_BROADCAST = IPv4Address("255.255.255.255")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")
#: Metadata services that are not link-local: AWS, Google, Alibaba, Azure's host, Oracle's old one.
_METADATA = (
    IPv6Network("fd00:ec2::/32"),
    IPv6Network("fd20:ce::254/128"),
    IPv4Network("100.100.100.200/32"),
    IPv4Network("168.63.129.16/32"),
    IPv4Network("192.0.0.192/32"),
)
_METADATA_LINK_LOCAL = IPv4Address("169.254.169.254")
_PATTERN = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Egress:
    """Which hosts outside the platform may be called: all (`patterns` None) or those that match.

    A pattern is a host, or `*.` and a domain: every name below the domain, not the domain itself.
    """

    patterns: tuple[str, ...] | None

    def allows(self, host: str) -> bool:
        """`host` in lower case, without a trailing dot or brackets."""
        if self.patterns is None:
            return True
        return any(
            host.endswith(pattern[1:]) and len(host) >= len(pattern)
            if pattern.startswith("*.")
            else host == pattern
            for pattern in self.patterns
        )

    def __str__(self) -> str:
        if self.patterns is None:
            return "allow"
        return ",".join(self.patterns) or "deny"


ALLOW = Egress(None)
DENY = Egress(())


def parse_egress(text: str) -> Egress:
    """Reads `deny`, `allow` or hosts joined by commas (`a.com,*.b.org`, addresses without port).

    Raises ValueError naming the item and the mend.
    """
    word = text.strip().lower()
    if word in ("allow", "deny"):
        return ALLOW if word == "allow" else DENY
    return Egress(tuple(_pattern(item.strip().lower(), text) for item in word.split(",")))


def _pattern(item: str, text: str) -> str:
    try:
        return ip_address(item.strip("[]")).compressed
    except ValueError:
        pass
    pattern = item.removesuffix(".")
    if pattern in ("allow", "deny") or not _PATTERN.fullmatch(pattern):
        raise ValueError(
            f"egress: {item!r} in {text!r} is no host: use deny, allow, or hosts joined by commas, "
            "each a name (a.com), a domain's names (*.b.org) or an address, without scheme or port"
        )
    return pattern


def address_refusal(address: Address, local: Callable[[Address], bool]) -> str:
    """Why this address may not be called (`a loopback address`), "" when it may.

    `local` says whether an address belongs to an interface of this machine; it is asked last.
    """
    spellings = list(_spellings(address))
    for spelling in spellings:
        if reason := _kind_refused(spelling):
            return reason
    if any(local(spelling) for spelling in spellings):
        return "an address of the emulator's own machine"
    return ""


def _spellings(address: Address) -> Iterator[Address]:
    """The address, and every IPv4 address that it carries inside."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _COMPATIBLE or any(address in network for network in _NAT64):
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def _kind_refused(address: Address) -> str:
    if any(address in network for network in _METADATA) or address == _METADATA_LINK_LOCAL:
        return "a metadata service's address"
    if address.is_loopback:
        return "a loopback address"
    if address.is_link_local:
        return "a link-local address"
    if address.is_unspecified or (isinstance(address, IPv4Address) and address in _THIS_NETWORK):
        return "an unspecified address"
    if address.is_multicast:
        return "a multicast address"
    if address == _BROADCAST:
        return "the broadcast address"
    return ""
