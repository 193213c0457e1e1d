"""The runtime: starts, for each container, the behaviour of its image.

Rules: the first of the user's rules that matches the image decides, then the catalogue; whatever was
started is stopped by `close` at the latest; what stopping leaves to do in the background is waited for
by `aclose`. All of it happens on the event loop's thread, or without a loop in an offline run.
"""

from __future__ import annotations

from collections.abc import Iterable

from emulator.domain.workload import ContainerStart, Notify, StartFailed
from emulator.workloads import catalogue
from emulator.workloads.asgi import AsgiProcess
from emulator.workloads.base import BaseProcess, Keeper
from emulator.workloads.behaviours import (
    Asgi,
    Command,
    Echo,
    PullError,
    Rule,
    Static,
    Upstream,
)
from emulator.workloads.command import CommandProcess
from emulator.workloads.echo import EchoProcess
from emulator.workloads.static import StaticProcess
from emulator.workloads.upstream import UpstreamProcess


class BehaviourRuntime:
    """A ContainerRuntime of behaviours."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._keeper = Keeper()
        self._closed = False

    def start(self, container: ContainerStart, notify: Notify) -> BaseProcess:
        """Raises StartFailed where the behaviour cannot be had, and after `close`."""
        if self._closed:
            raise StartFailed(f"{container.image!r} cannot start: the platform is closing")
        rule = next((rule for rule in self._rules if rule.matches(container.image)), None)
        if rule is None:
            return catalogue.start(container, self._keeper)
        return self._begin(rule, container, notify)

    def _begin(self, rule: Rule, container: ContainerStart, notify: Notify) -> BaseProcess:
        keeper, plan, ports = self._keeper, rule.plan, rule.ports
        match rule.behaviour:
            case Static(response):
                return StaticProcess(container, keeper, plan, ports, response)
            case Asgi(target):
                return AsgiProcess(container, keeper, plan, ports, target)
            case Upstream(url):
                return UpstreamProcess(container, keeper, plan, ports, url)
            case Command(argv):
                return CommandProcess(container, keeper, ports, argv, notify)
            case PullError(text):
                raise StartFailed(f"{container.image!r} was never pulled: {text}")
            case Echo():
                return EchoProcess(container, keeper, plan, ports)

    def close(self) -> None:
        """Stops everything that still lives, and starts nothing more; idempotent."""
        self._closed = True
        for process in list(self._keeper.living):
            process.stop()

    async def aclose(self) -> None:
        """`close`, and then waits until nothing is left: no process, connection or task."""
        self.close()
        await self._keeper.drain()
