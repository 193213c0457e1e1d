"""Who a request on the forward proxy is for: the authority of a URL, read strictly.

Rules: pure. One reading of a host everywhere: lower case, no trailing dot, IPv6 without brackets
and compressed. What is not plainly a host and a port is refused with 400 and the mend: credentials
in the URL, a bare IPv6 address, a zone, a port out of range, a host that is not ASCII. Whether the
host is a strange spelling of an address (`127.1`, `0x7f000001`) is not asked here: the check of
egress looks at what a name resolves to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address

from emulator.domain.errors import bad_request

DEFAULT_PORT = 80

_HOST = re.compile(
    r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_MAX_HOST = 253
_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Authority:
    """`host` as the module's rules say, `port` 1 to 65535, `text` as the client wrote it."""

    host: str
    port: int
    text: str

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@lru_cache(1024)  # a client calls the same few services again and again
def parse_authority(text: str, default_port: int = DEFAULT_PORT) -> Authority:
    """Reads `host`, `host:port` or `[ipv6]:port`. Raises Refused (400) naming what is wrong."""
    if not text.isascii():
        raise bad_request(
            f"the host {text!r} in the URL is not ASCII: write it in its ASCII form (xn--...)"
        )
    if "@" in text:
        raise bad_request(
            "the URL holds a user or password before '@': send them as an Authorization header"
        )
    host, port = _bracketed(text) if text.startswith("[") else _plain(text)
    return Authority(host, _port(port, default_port), text)


def _bracketed(text: str) -> tuple[str, str]:
    inside, closed, rest = text[1:].partition("]")
    try:
        # A zone (%eth0) means something on one machine only.
        address = None if "%" in inside else IPv6Address(inside)
    except ValueError:
        address = None
    if address is None or not closed or (rest and not rest.startswith(":")):
        raise bad_request(
            f"the host {text!r} in the URL is no IPv6 address: write [address] or [address]:port"
        )
    return address.compressed, rest[1:]


def _plain(text: str) -> tuple[str, str]:
    host, _, port = text.partition(":")
    if ":" in port:
        raise bad_request(
            f"the authority {text!r} in the URL holds more than one ':': write host:port, "
            "and an IPv6 address in brackets"
        )
    name = host.lower().removesuffix(".")
    if not name:
        raise bad_request(f"the URL names no host ({text!r}): write http://host:port/path")
    if len(name) > _MAX_HOST or not _HOST.fullmatch(name):
        raise bad_request(
            f"the host {host!r} in the URL is no host name: use labels of 1 to 63 characters "
            "out of a-z, 0-9, '-' and '_', joined by '.'"
        )
    return name, port


def _port(text: str, default: int) -> int:
    if not text:
        return default
    if not _PORT.fullmatch(text) or not 0 < int(text) < 65536:
        raise bad_request(f"the port {text!r} in the URL is no port: use 1 to 65535")
    return int(text)
