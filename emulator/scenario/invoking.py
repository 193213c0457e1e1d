"""One live invocation of a scenario: a request to a run's service, and the answer.

Rules: it takes the gateway's own policy, from inside the perimeter; what user code answers stays out of
the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from emulator.control.entities import Run
from emulator.domain.timefmt import OFFLINE_EPOCH
from emulator.domain.workload import Request, Response
from emulator.gateway.egress import DENY
from emulator.gateway.policy import Asked, Forward, Refuse, decide
from emulator.scenario.result import Answer
from emulator.scenario.schema import Invoke
from emulator.world import World


def ask(world: World, run: Run, step: Invoke) -> Answer:
    """Sends the request of a step, now; whatever comes of it is an answer."""
    authority = _authority(world, run)
    asked = Asked(step.method, "http", authority, step.path)
    decision = decide(world, asked, DENY, lambda host, port: False)
    route = None
    began = world.kernel.now
    if isinstance(decision, Forward):
        route = decision.route
        headers = tuple((name.lower(), value) for name, value in step.headers.items())
        request = Request(
            step.method,
            step.path,
            (("host", authority), *headers),
            (step.body or "").encode(),
            decision.authority.host,
            decision.authority.port,
        )
        try:
            response = _answer(route.target(request))
        except ConnectionError as error:
            response = _refusal(502, f"{route.service} does not answer: {error}")
    elif isinstance(decision, Refuse):
        response = _refusal(decision.status, decision.message)
    else:
        response = _refusal(502, f"{authority} is no service")
    world.invoked(route, step.method, authority, response.status, began=began)
    return Answer(
        step.invoke,
        step.method,
        f"http://{authority}{step.path}",
        world.kernel.now,
        response.status,
        response.headers,
        response.body,
    )


def _authority(world: World, run: Run) -> str:
    service = run.current_status(OFFLINE_EPOCH).get("service", {})
    if url := service.get("url"):
        return str(url)
    ports = run.row.ports(run.spec)
    return f"{world.service_name(run)}:{ports[0].port if ports else 80}"


def _answer(made: Response | Awaitable[Response]) -> Response:
    if isinstance(made, Response):
        return made

    async def wait() -> Response:
        return await made

    return asyncio.run(wait())


def _refusal(status: int, message: str) -> Response:
    return Response(status, (("content-type", "text/plain"),), message.encode())
