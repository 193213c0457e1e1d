"""Which headers pass a proxy, in both directions.

Rules: pure, over lists of (name, value) byte pairs with names in lower case; order and repetition
stay. Dropped are the hop-by-hop fields of RFC 9110 section 7.6.1, those that Connection names
and Proxy-*. Connection cannot name away the fields that frame or address the message. `Via` is
not added: a service sees what a caller inside a cluster would have sent.
"""

from __future__ import annotations

from collections.abc import Iterable

from emulator.domain.workload import Response

Headers = list[tuple[bytes, bytes]]

EMULATOR = b"x-emulator"
_HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
_NEVER_NAMED = frozenset((b"host", b"content-length", b"authorization"))
_BODILESS = frozenset((204, 304))


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """What passes on; names come and go in lower case."""
    pairs = [(name.lower(), value) for name, value in headers]
    dropped = set(_HOP_BY_HOP)
    for name, value in pairs:
        if name == b"connection":
            dropped |= {token.strip().lower() for token in value.split(b",")} - _NEVER_NAMED
    return [
        (name, value)
        for name, value in pairs
        if name not in dropped and not name.startswith(b"proxy-")
    ]


def to_service(
    headers: Iterable[tuple[bytes, bytes]], authority: str, extra: dict[str, str]
) -> Headers:
    """A request's headers for a service: Host is the URL's authority (RFC 9112 section 3.2.2).

    `Expect` has been answered by the emulator already. `extra` replaces what has the same name.
    """
    added = [(name.lower().encode("latin-1"), v.encode("latin-1")) for name, v in extra.items()]
    replaced = {b"host", b"expect"} | {name for name, _ in added}
    kept = [pair for pair in end_to_end(headers) if pair[0] not in replaced]
    host = [] if any(name == b"host" for name, _ in added) else [(b"host", authority.encode())]
    return host + kept + added


def without_body(method: str, status: int) -> bool:
    """Whether an answer carries no body (RFC 9110 sections 9.3.2, 15.3.5, 15.4.5)."""
    return method == "HEAD" or status in _BODILESS


def from_upstream(headers: Iterable[tuple[bytes, bytes]], status: int, banner: str) -> Headers:
    """An upstream's headers for the caller. A 304's length describes a body that is not there."""
    dropped = {EMULATOR, b"content-length"} if status in _BODILESS else {EMULATOR}
    kept = [pair for pair in end_to_end(headers) if pair[0] not in dropped]
    return [*kept, (EMULATOR, banner.encode("latin-1"))]


def from_behaviour(response: Response, method: str, banner: str) -> Headers:
    """A behaviour's headers for the caller, framed anew.

    Raises ValueError where a name or value cannot be written as a header.
    """
    pairs = [(_name(name), _value(name, value)) for name, value in response.headers]
    kept = [pair for pair in end_to_end(pairs) if pair[0] not in (EMULATOR, b"content-length")]
    if response.status not in _BODILESS:
        length = str(len(response.body)).encode()
        if method == "HEAD" and not response.body:
            lengths = [value for name, value in pairs if name == b"content-length"]
            length = lengths[0] if lengths and lengths[0].isdigit() else length
        kept.append((b"content-length", length))
    return [*kept, (EMULATOR, banner.encode("latin-1"))]


_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def _name(name: str) -> bytes:
    encoded = name.lower().encode("ascii", "replace")
    if not encoded or not _TOKEN.issuperset(encoded):
        raise ValueError(f"the header name {name!r} is not valid")
    return encoded


def _value(name: str, value: str) -> bytes:
    try:
        encoded = value.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"the header {name!r} holds characters outside Latin-1") from None
    if any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in encoded):
        raise ValueError(f"the header {name!r} holds control characters")
    return encoded
