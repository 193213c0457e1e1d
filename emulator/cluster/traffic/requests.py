"""Requests: the way of one attempt, from its client to a replica and back.

Rules: gateway and network first, as one delay; then the choice of an endpoint; then the way to that
pod; its queue, its server; the way back. What takes no time is done at once, without an event. Each
ready endpoint is as likely as the others, as with kube-proxy, whatever it is busy with. A message that
is lost, or meets a partition, leaves its client in silence: it ends when the client gives up, which is
after `SILENCE` where the load has no timeout, and its reason is what caused the silence. A reset and a
refusal reach the client at once. What comes after the client has its outcome changes nothing for it.
Source: the Linux kernel's ip-sysctl, tcp_syn_retries with four linear ones (6.5 on), for `SILENCE`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.cluster.traffic.load import LOSS, OK, PARTITION, REFUSED, TIMEOUT
from emulator.domain.timefmt import SECOND

if TYPE_CHECKING:
    from emulator.cluster.kernel import Timer
    from emulator.cluster.traffic.course import Course
    from emulator.cluster.traffic.replicas import Replica

#: When a client without a timeout gives up a peer that says nothing, as a connecting Linux does.
SILENCE = 131 * SECOND


class Request:
    """One attempt. An invocation is its attempts, which share `number`, `user`, `began` and `row`."""

    __slots__ = (
        "answer_lost",
        "back",
        "began",
        "course",
        "entered",
        "hangs",
        "limit",
        "lost",
        "number",
        "open",
        "outcome",
        "pick",
        "pod",
        "replica",
        "row",
        "stage",
        "status",
        "tries",
        "user",
        "work",
    )

    work: int  # how long a server takes, in ns; this and what follows are cast by the dice
    pick: int  # of 2 ** 64: which endpoint
    back: int  # what the answer takes
    lost: bool
    answer_lost: bool

    def __init__(self, course: Course, number: int, user: int, began: int, tries: int) -> None:
        self.course = course
        self.number = number
        self.user = user
        self.began = began
        self.tries = tries
        self.row = 0
        self.open = True  # whether the client still waits
        self.pod = ""
        self.replica: Replica | None = None
        self.entered = 0
        self.hangs = False
        self.status = ""  # what a fault answers at the pod's door
        self.outcome = TIMEOUT  # what the client will see when it gives up
        self.stage: Timer | None = None  # what happens to it next
        self.limit: Timer | None = None  # when the client gives up

    def reach(self) -> None:
        """The service's address: an endpoint is chosen."""
        course = self.course
        if self.lost:
            self._fall_silent(LOSS)
            return
        pods = course.directory.ready(course.load.service)
        if not pods:
            self.conclude(REFUSED)
            return
        self.pod = pods[self.pick * len(pods) >> 64]
        if course.plain:
            course.replicas.offer(self)
        else:
            self._travel()

    def _travel(self) -> None:
        """The way to the pod, with its distance and its faults."""
        course = self.course
        delay = 0
        if course.network is not None:
            distance = course.network.delay(course.load.part, self.pod)
            if distance is None:
                self._fall_silent(PARTITION)
                return
            delay = distance
        if course.disturb is not None:
            disturbance = course.disturb.disturb(course.load.service, self.pod)
            if disturbance is not None:
                if disturbance.lost:
                    self._fall_silent(LOSS)
                    return
                delay += disturbance.delay
                self.hangs = disturbance.hang
                self.work += disturbance.body
                self.status = "" if disturbance.status is None else str(disturbance.status)
        if delay:
            self.stage = course.kernel.call_in(delay, self._enter)
        else:
            self._enter()

    def _enter(self) -> None:
        if self.status:
            self.answer(self.status)
        else:
            self.course.replicas.offer(self)

    def served(self) -> None:
        """The server is done with it."""
        assert self.replica is not None
        self.replica.finish(self)
        self.course.service_time.add(self.work)
        self.answer(OK)

    def answer(self, status: str) -> None:
        """The pod answers: the answer goes on its way."""
        if not self.open:
            return
        course = self.course
        delay = self.back
        if self.answer_lost:
            self._fall_silent(LOSS)
            return
        if course.network is not None:
            distance = course.network.delay(course.load.part, self.pod)
            if distance is None:
                self._fall_silent(PARTITION)
                return
            delay += distance
        if delay:
            self.status = status
            self.stage = course.kernel.call_in(delay, self._heard)
        else:
            self.conclude(status)

    def _heard(self) -> None:
        self.conclude(self.status)

    def _fall_silent(self, reason: str) -> None:
        """Nothing will come: the client will give up, at its timeout or after SILENCE."""
        self.stage = None
        if self.open:
            self.outcome = reason
            if self.limit is None:
                self.limit = self.course.kernel.call_in(SILENCE, self.give_up)

    def give_up(self) -> None:
        """The client has waited long enough."""
        self.limit = None
        if self.course.load.cancel:
            if self.stage is not None:
                self.stage.cancel()
            if self.replica is not None:
                self.replica.drop(self)
        self.conclude(self.outcome)

    def break_off(self, reason: str) -> None:
        """The replica that had it is no more."""
        if self.stage is not None:
            self.stage.cancel()
        self.conclude(reason)

    def conclude(self, outcome: str) -> None:
        """The client has an outcome: the first one counts."""
        if not self.open:
            return
        self.open = False
        if self.limit is not None:
            self.limit.cancel()
        self.course.concluded(self, outcome)
