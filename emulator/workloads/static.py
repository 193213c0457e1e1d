"""The static answer: the same status, headers and body for every request.

Rules: the answer is made once, when the rule is read; a request costs a log line.
"""

from __future__ import annotations

from emulator.domain.workload import ContainerStart, Plan, Request, Response
from emulator.workloads.base import BaseProcess, Keeper


class StaticProcess(BaseProcess):
    """Answers every request with `response`."""

    def __init__(
        self,
        container: ContainerStart,
        keeper: Keeper,
        plan: Plan,
        ports: frozenset[int] | None,
        response: Response,
    ) -> None:
        super().__init__(container, keeper, plan, ports)
        self._response = response
        self._tail = f'" {response.status} {len(response.body)}\n'

    def answer(self, request: Request) -> Response:
        self.log.write(f'"{request.method} {request.target}{self._tail}')
        return self._response
