"""Faults over the emulator's own API: `/_emulator/faults`.

Rules: a fault is asked for by its kind, target, times and attributes as people write them, and begins
now or `after` a while. A run is named as everywhere; one that is not there is refused, for a word
mistyped would strike nobody. What is shown is what there is now: a fault that is over is gone.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emulator.api.hub import Hub, Json, body
from emulator.cluster.faults import KINDS, FaultError, Target, describe, make, read_target
from emulator.cluster.faults.active import Active
from emulator.control.entities import Type
from emulator.domain.errors import Refused, bad_request
from emulator.domain.specs import explain
from emulator.domain.timefmt import SECOND, parse_duration
from emulator.world import World


class StartFault(BaseModel):
    """A fault to start: its kind, whom it strikes, when, how long, and its attributes."""

    model_config = ConfigDict(extra="forbid")

    fault: str = Field(examples=["crash-loop"])
    name: str = ""
    target: str | dict[str, str] = Field(default="cluster", examples=["run/web", "node/node-1"])
    after: str | None = Field(default=None, examples=["10s"])
    duration: str | None = Field(default=None, alias="for", examples=["2m"])
    attributes: dict[str, Any] = Field(default_factory=dict)


_BODY = {
    "requestBody": {"content": {"application/json": {"schema": StartFault.model_json_schema()}}}
}


def router(hub: Hub) -> APIRouter:
    """The routes of this resource."""
    routes = APIRouter(prefix="/_emulator/faults", tags=["emulator"])
    world = hub.world
    faults = world.faults

    @routes.get("")
    async def read() -> Json:
        return Json([show(each) for each in faults.all()])

    @routes.get("/kinds")
    async def kinds() -> Json:
        return Json([describe(kind) for kind in KINDS.values()])

    @routes.post("", openapi_extra=_BODY)
    async def start(request: Request) -> Json:
        try:
            asked = StartFault.model_validate(await body(request))
        except ValidationError as error:
            raise bad_request(explain(error, "fault")) from None
        try:
            name = _start(world, asked)
        except FaultError as error:
            raise bad_request(str(error)) from None
        return Json(next(show(each) for each in faults.all() if each.name == name))

    @routes.delete("")
    async def heal_all() -> Json:
        names = [each.name for each in faults.all()]
        faults.heal_all()
        return Json({"healed": names})

    @routes.delete("/{name}")
    async def heal(name: str) -> Json:
        try:
            faults.heal(name)
        except FaultError as error:
            raise Refused(404, str(error)) from None
        return Json({"healed": [name]})

    return routes


def show(active: Active) -> dict[str, Any]:
    """A fault for people; instants and durations in seconds of simulated time."""
    fault = active.fault
    start = fault.start if active.began is None else active.began
    duration = fault.duration
    return {
        "name": active.name,
        "fault": fault.kind,
        "target": fault.target.text,
        "state": "waiting" if active.began is None else "active",
        "start": None if start is None else start / SECOND,
        "for": None if duration is None else duration / SECOND,
        "attributes": fault.attributes(),
    }


def _start(world: World, asked: StartFault) -> str:
    """Raises FaultError."""
    if world.pacer is not None:
        world.pacer.sync()
    target = _known(world, read_target(asked.target))
    after = _span("after", asked.after)
    fault = make(
        asked.fault,
        target=target,
        start=None if after is None else world.now + after,
        duration=_span("for", asked.duration),
        attributes=asked.attributes,
    )
    return world.faults.start(fault, asked.name)


def _span(field: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError:
        mend = "write a number with a unit, like 10s or 2m"
        raise FaultError(field, text, "is not a duration", mend) from None


def _known(world: World, target: Target) -> Target:
    """The target with its run's id. Raises FaultError for a run or a function that is not there."""
    if target.function:
        known = {each.name for each in world.plane.repository.all(Type.FUNCTION)}
        if target.function not in known:
            raise FaultError("target", target.function, "is no function", "name one that is there")
    if not target.run:
        return target
    found = world.find_runs(target.run)
    if len(found) != 1:
        what = f"names {len(found)} runs" if found else "is no run"
        raise FaultError("target", target.run, what, "give an id, its beginning or a name")
    return dataclasses.replace(target, run=found[0].id)
