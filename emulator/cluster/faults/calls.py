"""Calls under faults: what befalls an invocation, simulated or live.

Rules: the faults of the network and of the upstream are asked for each call and keep nothing but their
dice. Simulated traffic asks through its own ports (`Disturb`, `Network`); a live call passes `call`,
which lets the delays pass as simulated time. Whoever is cut off, or lost, or hangs hears nothing, and
gives up after `SILENCE`, as simulated clients without a timeout do; the caller then sees a failed
connection. The body of a live answer comes late and then at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

from emulator.cluster.faults.active import Active
from emulator.cluster.faults.base import Fault
from emulator.cluster.objects import Pod
from emulator.cluster.traffic.ports import Disturbance, Network
from emulator.cluster.traffic.requests import SILENCE
from emulator.domain.timefmt import SECOND
from emulator.domain.workload import Response

if TYPE_CHECKING:
    from emulator.cluster.faults.engine import Faults

Answer = Callable[[], Response | Awaitable[Response]]
#: Lets simulated time come to an instant, at once where that is past.
Until = Callable[[int], Awaitable[None]]


class CallFault(Fault):
    """A fault that befalls calls."""

    #: Whether it lies between the parts of the world; else it befalls the request.
    of_network: ClassVar[bool] = False

    def begin(self, faults: Faults, me: Active) -> None:
        """The next call is struck."""
        faults.calls.settle()

    def end(self, faults: Faults, me: Active) -> None:
        """The next call is not."""
        faults.calls.settle()

    def further(self, part: str) -> int | None:
        """What a message takes longer between a part and a struck pod; None: it never arrives."""
        return 0

    def befall(self, request: Befallen) -> None:
        """Adds what becomes of a request."""


class Befallen:
    """What becomes of one request, as the faults add to it; durations in nanoseconds."""

    __slots__ = ("bandwidth", "body", "hang", "lost", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.hang = False
        self.lost = False
        self.body = 0  # of an answer whose size is nobody's to know
        self.bandwidth: int | None = None  # bytes a second


class Calls:
    """What befalls the calls of one cluster: `Disturb` and `Network` of its traffic.

    `base` is the network without faults, if it has any distances.
    """

    def __init__(self, faults: Faults, until: Until | None) -> None:
        self._faults = faults
        self._until = until
        self._network: list[tuple[Active, CallFault]] = []
        self._requests: list[tuple[Active, CallFault]] = []
        self.base: Network | None = None

    def settle(self) -> None:
        """Which faults befall calls from now on."""
        active = self._faults.of(CallFault)
        self._network = [each for each in active if each[1].of_network]
        self._requests = [each for each in active if not each[1].of_network]

    # -- simulated -------------------------------------------------------------------------------

    def delay(self, part: str, pod: str) -> int | None:
        """What a message between a part and a pod takes now, in ns; None where they are cut off."""
        distance = self.base.delay(part, pod) if self.base is not None else 0
        if not self._network or distance is None:
            return distance
        found = self._pod(pod)
        return distance if found is None else self._distance(part, found, distance)

    def disturb(self, service: str, pod: str) -> Disturbance | None:
        """What befalls the request that has just chosen the pod."""
        if not self._requests:
            return None
        found = self._pod(pod)
        request = self._befallen(found) if found is not None else None
        if request is None:
            return None
        return Disturbance(
            status=request.status, hang=request.hang, body=request.body, lost=request.lost
        )

    def _pod(self, name: str) -> Pod | None:
        home = self._faults.cluster.settings.namespace
        key = name if "/" in name else f"{home}/{name}"
        found: Pod | None = self._faults.cluster.store.get("Pod", key)
        return found

    def _distance(self, part: str, pod: Pod, distance: int) -> int | None:
        for active, fault in self._network:
            if self._faults.hits(active, pod):
                more = fault.further(part)
                if more is None:
                    return None
                distance += more
        return distance

    def _befallen(self, pod: Pod) -> Befallen | None:
        request: Befallen | None = None
        for active, fault in self._requests:
            if fault.target.has_pod(pod, self._faults.names_of) and active.chance(pod.key):
                request = request or Befallen()
                fault.befall(request)
        return request

    # -- live ------------------------------------------------------------------------------------

    def call(self, pod: Pod, answer: Answer) -> Response | Awaitable[Response]:
        """A call from the gateway, which is in no part, to a pod that answers with `answer`.

        Raises ConnectionError where the caller hears nothing.
        """
        distance = self._distance("", pod, 0) if self._network else 0
        request = self._befallen(pod) if self._requests else None
        if distance == 0 and request is None:
            return answer()
        return self._troubled(pod, answer, distance, request)

    async def _troubled(
        self, pod: Pod, answer: Answer, distance: int | None, request: Befallen | None
    ) -> Response:
        present = self._faults.present
        request = request or Befallen()
        clock = present()  # the call's own: where time leaps, its parts still follow each other
        if distance is None or request.lost or request.hang:
            raise await self._silence(pod, clock)
        clock = await self._reach(clock + distance)
        before = present()
        if request.status is not None:
            response = _failed(request.status, pod)
        else:
            made = answer()
            response = made if isinstance(made, Response) else await made
        clock += present() - before
        if request.bandwidth is not None:
            clock = await self._reach(clock + len(response.body) * SECOND // request.bandwidth)
        back = self._distance("", pod, 0)
        if back is None:
            raise await self._silence(pod, clock)
        await self._reach(clock + back)
        return response

    async def _silence(self, pod: Pod, clock: int) -> ConnectionError:
        """What the caller sees who has waited in vain."""
        await self._reach(clock + SILENCE)
        return ConnectionError(f"{pod.name} has said nothing for {SILENCE // SECOND} s")

    async def _reach(self, clock: int) -> int:
        if self._until is not None and clock > self._faults.present():
            await self._until(clock)
        return clock


def _failed(status: int, pod: Pod) -> Response:
    body = f"a fault has {pod.name} answer {status}\n".encode()
    length = str(len(body))
    return Response(
        status, (("content-type", "text/plain; charset=utf-8"), ("content-length", length)), body
    )
