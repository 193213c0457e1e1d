"""The upstream: every request goes on to a real server, wherever it runs.

Rules: the container's life is scripted, its answers are real, so it lives on the live platform only;
one HTTP client per container, closed when it stops.
"""

from __future__ import annotations

from emulator.domain.workload import ContainerStart, Plan, Request, Response, StartFailed
from emulator.workloads.base import BaseProcess, Keeper, running_loop
from emulator.workloads.forward import Forwarder


class UpstreamProcess(BaseProcess):
    """Forwards to `url` (`http://host:port/base`). Raises StartFailed in an offline run."""

    def __init__(
        self,
        container: ContainerStart,
        keeper: Keeper,
        plan: Plan,
        ports: frozenset[int] | None,
        url: str,
    ) -> None:
        if running_loop() is None:
            raise StartFailed(
                f"upstream {url!r} (image {container.image!r}) needs the live platform: run it with "
                "`dhemu up`, or let static, echo or asgi answer for this image offline"
            )
        super().__init__(container, keeper, plan, ports)
        self._forwarder = Forwarder(url, keeper, name=f"upstream {url}", keep_host=False)

    async def answer(self, request: Request) -> Response:
        response = await self._forwarder.answer(request)
        self.log.write(
            f'"{request.method} {request.target}" {response.status} {len(response.body)}\n'
        )
        return response

    def release(self) -> None:
        self._forwarder.close()
