"""Containers that run at once and for ever: what KWOK's stage `pod-ready` without a delay makes."""

from __future__ import annotations

from emulator.domain.workload import ContainerStart, Notify, Plan, Process, Request, Response


class Instant:
    """Such a container; nobody asks it anything."""

    plan: Plan | None = Plan()

    def listens(self, port: int) -> bool:
        """It does."""
        return True

    def answer(self, request: Request) -> Response:
        """No test of the cluster alone calls a container."""
        raise AssertionError(f"a container was asked for {request.target}")

    def logs(self) -> str:
        """Silence."""
        return ""

    def stop(self) -> None:
        """Nothing to let go of."""


class InstantRuntime:
    """Starts them."""

    def start(self, container: ContainerStart, notify: Notify) -> Process:
        """A container that runs."""
        return Instant()
