"""Dice: what chance decides about a request, cast when it is sent.

Rules: a stream for each load and purpose, in the order of sending, so that the n-th invocation of a
load has the same dice whatever becomes of the others and whoever else calls. Later attempts have
streams of their own. The choice of an endpoint takes one word of its stream, however many there are.
A constant draws nothing.
"""

from __future__ import annotations

from emulator.cluster.distributions import Constant, Distribution
from emulator.cluster.streams import Stream, Streams
from emulator.cluster.traffic.load import MILLION, Load
from emulator.cluster.traffic.requests import Request


class Dice:
    """The dice of a load's first attempts, or (`again`) of its later ones."""

    __slots__ = (
        "_answer_loss",
        "_answers",
        "_endpoints",
        "_fixed",
        "_loss",
        "_loss_share",
        "_network",
        "_random",
        "_service",
        "_service_time",
    )

    def __init__(
        self, streams: Streams, load: Load, service_time: Distribution, *, again: bool = False
    ) -> None:
        def stream(purpose: str) -> Stream:
            return streams.stream(f"Traffic/{load.name}", purpose + (" again" if again else ""))

        self._service_time = service_time
        self._service = stream("service time")
        self._endpoints = stream("endpoint")
        ways = [(load.gateway, stream("gateway")), (load.network, stream("network"))]
        self._fixed = sum(of.ns for of, _ in ways if isinstance(of, Constant))
        self._random = [way for way in ways if not isinstance(way[0], Constant)]
        self._network = load.network
        self._answers = stream("answer network")
        self._loss_share = load.loss
        self._loss = stream("loss")
        self._answer_loss = stream("answer loss")

    def cast(self, request: Request) -> int:
        """Casts them all; returns what the request takes to the service's address, in ns."""
        request.work = self._service_time.sample(self._service)
        request.pick = self._endpoints.bits(64)
        request.back = self._network.sample(self._answers)
        share = self._loss_share
        if share:
            request.lost = self._loss.chance(share, MILLION)
            request.answer_lost = self._answer_loss.chance(share, MILLION)
        else:
            request.lost = request.answer_lost = False
        delay = self._fixed
        for distribution, stream in self._random:
            delay += distribution.sample(stream)
        return delay
