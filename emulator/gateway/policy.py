"""Who may reach what through the forward proxy, decided without any I/O.

Rules: one table (`decide`) says for every request whether it goes to a service, to the outside, or
nowhere; a refusal has the status and the sentence that the caller reads. The emulator's own port is
never reached through the proxy. What a name outside resolves to is decided by `outside_refusal`,
over addresses that somebody else has looked up.

| the request names                      | answer                                             |
|----------------------------------------|----------------------------------------------------|
| CONNECT                                | 405: set HTTP_PROXY only                           |
| `https:` or another scheme             | 400: write http://                                 |
| no plain host and port                 | 400                                                |
| the emulator itself                    | 403: call it directly, past the proxy              |
| a service with a ready endpoint        | the service                                        |
| a service without                      | 503, the contextual message, Retry-After if known  |
| a stopped or deleted service           | 502, saying so                                     |
| another name or address of the platform| 502: unknown                                       |
| a host outside that egress forbids     | 403                                                |
| a host outside that does not resolve   | 502                                                |
| this machine, link-local, metadata     | 403                                                |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from emulator.domain.errors import Refused
from emulator.gateway.authority import Authority, parse_authority
from emulator.gateway.egress import Address, Egress, address_refusal
from emulator.platform import NoRoute, Route


class Directory(Protocol):
    """What the policy asks about the platform. Hosts come in lower case, without a trailing dot."""

    def route(self, host: str, port: int) -> Route | NoRoute: ...

    def is_platform_name(self, host: str, port: int) -> bool:
        """Whether the name or address belongs to the platform, served or not."""

    def why(self, workload: str) -> tuple[str, int | None]:
        """The contextual message, and the seconds to retry after when known."""

    def ended(self, host: str) -> str:
        """Why a name that once was a service is none any more, "" if it never was one."""


#: Whether host and port are the emulator's own listening address.
Own = Callable[[str, int], bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """A proxied request's first line: `scheme` is "" for CONNECT, `target` path and query."""

    method: str
    scheme: str
    authority: str
    target: str


@dataclass(frozen=True, slots=True)
class Forward:
    """To a ready endpoint of a service."""

    route: Route
    authority: Authority


@dataclass(frozen=True, slots=True)
class Outside:
    """To a host that is none of the platform's, once its addresses are looked up and allowed."""

    authority: Authority


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nowhere. `headers` go with the answer (Retry-After, Allow)."""

    status: int
    message: str
    headers: tuple[tuple[str, str], ...] = ()


_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_CONNECT = Refuse(
    405,
    "CONNECT is not served: the proxy carries plain http only. Set HTTP_PROXY for http:// URLs, "
    "and leave HTTPS_PROXY unset.",
    (("Allow", _METHODS),),
)
_SELF = (
    "the emulator's own API is not reached through its proxy: call it directly, past the proxy "
    "(set NO_PROXY=127.0.0.1,localhost, or the host you call it by)."
)


def decide(
    directory: Directory, asked: Asked, egress: Egress, own: Own
) -> Forward | Refuse | Outside:
    """Where a request on the forward proxy goes: the first lines of the module's table."""
    if asked.method == "CONNECT":
        return _CONNECT
    if asked.scheme != "http":
        return Refuse(
            400,
            f"the URL's scheme {asked.scheme!r} is not proxied: write http://{asked.authority}, "
            "and leave HTTPS_PROXY unset.",
        )
    try:
        authority = parse_authority(asked.authority)
    except Refused as refused:
        return Refuse(refused.status, refused.message)
    host, port = authority.host, authority.port
    if own(host, port):
        return Refuse(403, f"{authority} is the emulator itself: {_SELF}")
    route = directory.route(host, port)
    if isinstance(route, Route):
        return Forward(route, authority)
    return _unrouted(directory, route, authority) or _egress(egress, authority)


def _unrouted(directory: Directory, found: NoRoute, authority: Authority) -> Refuse | None:
    """The platform's refusal, None when the host is none of the platform's."""
    if found.workload:
        return _unready(directory, found)
    if found.service:
        ports = ", ".join(map(str, found.ports)) or "none"
        return Refuse(
            502,
            f"{found.service} has no port {authority.port}: the ports of the service are {ports}",
        )
    if ended := directory.ended(authority.host):
        return Refuse(502, f"{authority} is not served any more: {ended}")
    if directory.is_platform_name(authority.host, authority.port):
        return Refuse(
            502,
            f"{authority} is unknown to the platform: no service has this name or address and "
            "port. Read status.service.url of the run.",
        )
    return None


def _unready(directory: Directory, found: NoRoute) -> Refuse:
    message, seconds = directory.why(found.workload)
    name = found.service or found.workload
    retry = () if seconds is None else (("Retry-After", str(max(0, seconds))),)
    return Refuse(503, f"{name} has no ready endpoint{': ' if message else '.'}{message}", retry)


def _egress(egress: Egress, authority: Authority) -> Refuse | Outside:
    if egress.allows(authority.host):
        return Outside(authority)
    return Refuse(
        403,
        f"{authority.host} is outside the platform and egress ({egress}) does not allow it: "
        f"start with --egress allow or --egress {authority.host}.",
    )


def outside_refusal(
    directory: Directory,
    authority: Authority,
    addresses: Sequence[Address],
    own: Own,
    local: Callable[[Address], bool],
) -> Refuse | None:
    """The table's last lines, over all addresses that the host resolves to; None: it may go."""
    if not addresses:
        return unresolved(authority, "it has no address")
    for address in addresses:
        if own(address.compressed, authority.port):
            return Refuse(403, f"{authority} resolves to the emulator itself: {_SELF}")
        if reason := address_refusal(address, local):
            return Refuse(
                403,
                f"{authority} resolves to {address.compressed}, {reason}: the proxy calls the "
                "platform's services and the outside, never this machine.",
            )
        if directory.is_platform_name(address.compressed, authority.port):
            return Refuse(
                403,
                f"{authority} resolves to {address.compressed}, an address of the platform: "
                "call the service by its own name or address.",
            )
    return None


def unresolved(authority: Authority, reason: str) -> Refuse:
    """A host outside that no address is found for."""
    return Refuse(502, f"{authority.host} is no service and cannot be resolved: {reason}.")
