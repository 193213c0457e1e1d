"""What the query and the headers ask of a verb: who writes, from where to watch, how to delete.

Rules: an option is read here or by `requests.Request`, and refused as the real server refuses it.
"""

from __future__ import annotations

from typing import Any, cast

from emulator.cluster.apiserver import causes, status
from emulator.cluster.apiserver.resources import Resource
from emulator.kubeapi.requests import Request
from emulator.kubeapi.tables import Include

Json = dict[str, Any]

_INCLUDE = ("", "Metadata", "Object", "None")


def include(request: Request) -> Include:
    """What a table's row carries of its object. Raises Rejected (400)."""
    text = request.option("includeObject")
    if text not in _INCLUDE:
        raise status.bad_request(f"unrecognized includeObject value: {causes.show(text)}")
    return cast("Include", text or "Metadata")


def manager(request: Request) -> str:
    """Who writes: as it says, else the first word of its User-Agent."""
    agent = request.header("user-agent").partition("/")[0][:128]
    return request.option("fieldManager") or agent or "unknown"


def begin_after(request: Request, row: Resource) -> int | None:
    """The version after which a watch begins; None: the present objects first. Raises Rejected (422)."""
    text = request.option("resourceVersion")
    if text.isdecimal() or not text:
        return int(text or 0) or None
    detail = f'strconv.ParseUint: parsing "{text}": invalid syntax'
    raise status.invalid(row.group, row.kind, "", [causes.invalid("resourceVersion", text, detail)])


def deletion(request: Request) -> Json:
    """The options of a deletion: the query's, and the body's over them. Raises Rejected."""
    options: Json = {}
    grace = request.number("gracePeriodSeconds")
    if grace is not None:
        options["gracePeriodSeconds"] = grace
    if policy := request.option("propagationPolicy"):
        options["propagationPolicy"] = policy
    if request.dry_run("DeleteOptions"):
        options["dryRun"] = ["All"]
    if request.body.strip():
        body = request.value()
        if not isinstance(body, dict):
            raise status.bad_request("the body is no DeleteOptions")
        options |= body
    return options
