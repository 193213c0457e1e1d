"""Invariant 4: names, runs and URLs map one to one.

Rules: a Service's name is a DNS label, the other objects' are DNS subdomains; a run has one Service of
its own at most, whose name ends in the run's id in lower case, without what no label may have; the
ports of a Service are lawful, each number and protocol and each name once. A run that is RUNNING has a
port at least, and what its row says it shows (`service.url`, `service.urls`, where given) starts with
the service's own host and one of its ports; two live services never show the same URL.
Source: Kubernetes facts section 2; contract section 4.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from emulator.domain.journal import Row
from emulator.domain.lifecycle import State
from emulator.testing.invariants.base import (
    ENDED,
    Service,
    Violation,
    kind_of,
    name_of,
    read_service,
)

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_UNLAWFUL = re.compile(r"[^-a-z0-9]")
_MAX_SUBDOMAIN = 253
#: Kinds whose names are DNS labels; the rest have subdomains.
_LABELS = frozenset({"Service", "Namespace"})


class Names:
    """Invariant 4: one name, one run, one URL."""

    invariant = 4
    kinds: frozenset[str] | None = frozenset({"object", "run", "service"})

    def __init__(self) -> None:
        self._services: dict[str, Service] = {}  # by workload, aliases left out
        self._workloads: dict[str, str] = {}  # by the Service's name
        self._balancers: dict[str, str] = {}  # addresses, by the Service's name
        self._urls: dict[str, str] = {}  # runs, by URL
        self._shown: dict[str, list[str]] = {}  # URLs, by run

    def feed(self, row: Row) -> Iterable[Violation]:
        """An object that comes or goes, or a run that becomes RUNNING or ends."""
        if row.kind == "run":
            texts = self._run(row)
        elif row.kind == "service":
            self._balancers[name_of(row.subject)] = str(row.data.get("loadBalancerIP", ""))
            return ()
        elif row.data.get("op") == "ADDED":
            texts = self._added(row)
        else:
            self._gone(row)
            return ()
        return [Violation(self.invariant, row.n, f"{row.subject}: {text}") for text in texts]

    def finish(self, end_time: int) -> Iterable[Violation]:
        """Nothing is due."""
        return ()

    def _added(self, row: Row) -> Iterator[str]:
        kind, name = kind_of(row.subject), name_of(row.subject).rpartition("/")[2]
        if kind in _LABELS and not _LABEL.fullmatch(name):
            yield f"{name!r} is no DNS label"
        elif not _is_subdomain(name):
            yield f"{name!r} is no DNS subdomain"
        if kind == "Service":
            service = read_service(row)
            yield from _ports(service)
            if not service.alias and service.workload:
                yield from self._own(service)

    def _own(self, service: Service) -> Iterator[str]:
        run = service.workload
        held = self._services.get(run)
        if held is not None:
            yield f"Run/{run} has a Service already, {held.name}"
        if not service.name.endswith(f"-{_UNLAWFUL.sub('', run.lower())}"):
            yield f"the name does not tell its run, {run}"
        self._services[run] = service
        self._workloads[service.name] = run

    def _gone(self, row: Row) -> None:
        if kind_of(row.subject) != "Service":
            return
        name = name_of(row.subject)
        self._balancers.pop(name, None)
        run = self._workloads.pop(name, None)
        if run is not None:
            self._services.pop(run, None)

    def _run(self, row: Row) -> Iterator[str]:
        run, state = name_of(row.subject), row.data.get("state")
        if state in ENDED:
            for url in self._shown.pop(run, ()):
                self._urls.pop(url, None)
        service = self._services.get(run)
        if state != State.RUNNING or service is None:
            return
        if not service.ports:
            yield f"it is {State.RUNNING}, and its Service has no port"
        shown: dict[str, Any] = row.data.get("service") or {}
        for url in _urls(shown):
            yield from self._url(run, service, url)

    def _url(self, run: str, service: Service, url: str) -> Iterator[str]:
        own = f"{url.removeprefix('http://')}/".partition("/")[0]
        host, _, port = own.rpartition(":")
        hosts = {service.name, self._balancers.get(service.name) or service.name}
        if host not in hosts and not host.startswith(f"{service.name}."):
            yield f"the URL {url} does not start with the service's own host"
        elif port not in {str(each.get("port")) for each in service.ports}:
            yield f"the URL {url} has none of the service's ports"
        holder = self._urls.setdefault(url, run)
        if holder != run:
            yield f"the URL {url} is shown by Run/{holder}, too"
        elif url not in self._shown.setdefault(run, []):
            self._shown[run].append(url)


def _urls(shown: dict[str, Any]) -> list[str]:
    single = [shown["url"]] if shown.get("url") else []
    return [*single, *(url for url in shown.get("urls", ()) if url not in single)]


def _ports(service: Service) -> Iterator[str]:
    seen: set[object] = set()
    for port in service.ports:
        number = port.get("port")
        if not isinstance(number, int) or not 1 <= number <= 65535:
            yield f"{number!r} is no port"
        marks: list[object] = [(number, port.get("protocol", "TCP"))]
        marks += [port["name"]] if port.get("name") else []
        for mark in marks:
            if mark in seen:
                yield f"the port {mark!r} is there twice"
            seen.add(mark)


def _is_subdomain(name: str) -> bool:
    parts = name.split(".")
    return len(name) <= _MAX_SUBDOMAIN and all(_LABEL.fullmatch(part) for part in parts)
