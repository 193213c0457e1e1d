"""The emulator's own API under `/_emulator`: health, time, services, shutdown.

Rules: it is for people and tests beside the platform's API, never a part of it; it answers in seconds
and plain words, and refuses in the same error form.
"""

from __future__ import annotations

import os
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulator import __version__
from emulator.api.hub import Hub, Json, body
from emulator.control.entities import Run
from emulator.domain.errors import bad_request, not_found
from emulator.domain.health import Health
from emulator.domain.lifecycle import LIVE, State
from emulator.domain.names import parse_function_ref
from emulator.domain.specs import explain
from emulator.domain.timefmt import SECOND, iso, parse_duration
from emulator.pacing import Mode, Pacer

_LONGEST_WAIT = parse_duration("24h")


class Until(BaseModel):
    """A condition to move time to: a run in a state."""

    model_config = ConfigDict(extra="forbid")

    run: str
    state: State


class TimeChange(BaseModel):
    """What to do with time: a mode, a step by a duration, or a run to a condition."""

    model_config = ConfigDict(extra="forbid")

    mode: str | int | float | None = Field(default=None, examples=["auto", "paused", 10])
    advance: str | None = Field(default=None, examples=["10s", "5m"])
    until: Until | None = None
    limit: str = "1h"


_TIME_BODY = {
    "requestBody": {"content": {"application/json": {"schema": TimeChange.model_json_schema()}}}
}


def router(hub: Hub) -> APIRouter:
    """The routes of this resource."""
    routes = APIRouter(prefix="/_emulator", tags=["emulator"])
    world = hub.world

    def pacer() -> Pacer:
        assert world.pacer is not None
        return world.pacer

    def time_now() -> dict[str, Any]:
        now = pacer().present
        return {
            "mode": pacer().mode.name,
            "rate": pacer().mode.rate,
            "now": now / SECOND,
            "now_ns": now,
            "iso": iso(hub.epoch + now),
            "next_event": None if (peek := world.kernel.peek()) == float("inf") else peek / SECOND,
        }

    @routes.get("/health")
    async def health() -> Json:
        counts = dict.fromkeys((each.value for each in Health), 0)
        for run in world.plane.repository.runs():
            if run.state in LIVE:
                counts[run.current_health.value] += 1
        return Json(
            {
                "status": "ok",
                "version": __version__,
                "platform": "simulated",
                "profile": world.settings.control.profile.name,
                "seed": world.settings.seed,
                "endpoint": hub.endpoint,
                "time": time_now(),
                "services": counts,
                "pid": os.getpid(),
            }
        )

    @routes.get("/time")
    async def read_time() -> Json:
        return Json(time_now())

    @routes.post("/time", openapi_extra=_TIME_BODY)
    async def change_time(request: Request) -> Json:
        try:
            change = TimeChange.model_validate(await body(request))
        except ValidationError as error:
            raise bad_request(explain(error, "time")) from None
        try:
            mode = Mode.parse(str(change.mode)) if change.mode is not None else None
            step = parse_duration(change.advance) if change.advance is not None else 0
            limit = parse_duration(change.limit)
        except ValueError as error:
            raise bad_request(str(error)) from None
        if max(step, limit) > _LONGEST_WAIT:
            raise bad_request("advance and limit: at most 24h at once")
        if mode is not None:
            pacer().set_mode(mode)
        if step:
            pacer().advance(pacer().present + step)
        if change.until is not None:
            _advance_until(hub, pacer(), change.until, limit)
        return Json(time_now())

    @routes.get("/services")
    async def services(all: bool = False) -> Json:
        found = [
            describe(hub, run)
            for run in world.plane.repository.runs()
            if not run.local and (all or run.state in LIVE)
        ]
        return Json(found)

    @routes.get("/services/{text:path}")
    async def find(text: str) -> Json:
        found = world.find_runs(text)
        if not found:
            raise not_found(f"run {text!r}: give an id, its beginning, a name or a function")
        return Json([describe(hub, run) for run in found])

    @routes.post("/shutdown")
    async def shutdown() -> Json:
        hub.stop()
        return Json({"status": "stopping"})

    return routes


def _advance_until(hub: Hub, pacer: Pacer, until: Until, limit: int) -> None:
    run = hub.world.plane.repository.run(until.run)
    end = pacer.present + limit
    pacer.advance_while(lambda: run.state is not until.state, end)
    if run.state is not until.state:
        raise bad_request(
            f"run {run.id} is {run.state}, not {until.state}, after {limit // SECOND} s of simulated "
            "time: give a longer limit, or another state"
        )


def describe(hub: Hub, run: Run) -> dict[str, Any]:
    """A service for people: state, health, message, address, replicas, restarts, age."""
    status = run.current_status(hub.epoch)
    seen = run.seen
    deployment = seen.deployment if seen is not None and run.state in LIVE else None
    service = status.get("service", {})
    function = parse_function_ref(run.spec.get("function"))
    last = max(seen.events, key=lambda event: event.time) if seen and seen.events else None
    return {
        "id": run.id,
        "name": run.name,
        "project": run.project,
        "function": function.name if function else None,
        "kind": run.kind,
        "state": run.state.value,
        "health": run.current_health.value,
        "message": run.message,
        "url": service.get("url"),
        "service": service.get("name") or (seen.service.name if seen and seen.service else None),
        "clusterIP": service.get("clusterIP"),
        "ports": service.get("ports", []),
        "aliases": [each.name for each in seen.aliases] if seen else [],
        "desired": deployment.desired if deployment else None,
        "ready": deployment.ready if deployment else None,
        "restarts": sum(each.restarts for pod in seen.pods for each in pod.containers)
        if seen
        else 0,
        "created": iso(hub.epoch + run.created),
        "age": max(hub.world.now - run.created, 0) / SECOND,
        "last_event": {"reason": last.reason, "note": last.note} if last else None,
    }
