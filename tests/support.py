"""Offline worlds for the tests: made in one line, deployed to in one line, driven without a clock.

Rules: a world here is the real one (`emulator.world.World`), without sockets and without wall time;
a test drives it by commands, as a client would, and by `settle`, `until` and `advance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from emulator.cluster.settings import ClusterSettings, Image, NodePool, Registry
from emulator.control.entities import Run, Type
from emulator.control.settings import ControlSettings
from emulator.domain.errors import Refused
from emulator.domain.journal import Row
from emulator.domain.lifecycle import State
from emulator.domain.names import FunctionRef, TaskRef
from emulator.domain.quirks import PROFILES, Profile
from emulator.domain.timefmt import HOUR
from emulator.testing.state import leftovers as leftovers
from emulator.workloads.rules import parse_rules
from emulator.world import World, WorldSettings

BOTH = ("documented", "core-0.15")
IMAGE = "ghcr.io/acme/service:1"
PORT = 8080

#: The image that no registry has.
MISSING = "ghcr.io/acme/missing:1"
REGISTRY = Registry(images=(Image(MISSING, error="not found"),))


def make_world(
    profile: str | Profile = "documented",
    seed: int = 0,
    rules: Iterable[Mapping[str, Any]] = (),
    *,
    deadline: int = 600,
    **cluster: Any,
) -> World:
    """A world at its beginning.

    `rules` are written as a user writes them, `deadline` is the progress deadline in seconds, and
    `cluster` are fields of ClusterSettings.
    """
    return World(
        WorldSettings(
            seed=seed,
            control=ControlSettings(
                profile=PROFILES[profile] if isinstance(profile, str) else profile,
                deadline=deadline,
            ),
            cluster=ClusterSettings(**{"registry": REGISTRY, **cluster}),
            rules=parse_rules(list(rules)),
        )
    )


def one_node(**size: Any) -> tuple[NodePool, ...]:
    """The pools of a cluster with a single node."""
    return (NodePool("node", 1, **size),)


def ports(*numbers: int) -> list[dict[str, int]]:
    """`service_ports` in which each port leads to the same port of the container."""
    return [{"port": number, "target_port": number} for number in numbers]


class Deployment:
    """A project, a function and its task, made once; `run` makes a run of them."""

    def __init__(
        self,
        world: World,
        *,
        project: str = "demo",
        function: str = "service",
        image: str = IMAGE,
        task: Mapping[str, Any] | None = None,
        **spec: Any,
    ) -> None:
        """`spec` are further fields of the function's spec, `task` those of the task's."""
        self.world = world
        self.project = project
        catalogue = world.plane.catalogue
        if not world.plane.repository.has(Type.PROJECT, project):
            world.command(
                "create", project, lambda now: catalogue.create_project(now, {"name": project})
            )
        body = {"name": function, "kind": "container", "spec": {"image": image, **spec}}
        made = world.command(
            "create", function, lambda now: catalogue.create_function(now, project, body)
        )
        self.function = str(FunctionRef("container", project, function, made.id))
        asked = {"kind": "container+serve", "spec": {**(task or {}), "function": self.function}}
        self.task = str(
            TaskRef(
                "container+serve",
                project,
                world.command(
                    "create", "task", lambda now: catalogue.create_task(now, project, asked)
                ).id,
            )
        )

    def run(self, id: str | None = None, **spec: Any) -> Run:
        """A new run, on its way. Without `service_ports` it gets one port. Raises Refused."""
        body: dict[str, Any] = {
            "kind": "container+serve:run",
            "spec": {
                "task": self.task,
                "function": self.function,
                "service_ports": ports(PORT),
                **spec,
            },
        }
        if id is not None:
            body["id"] = id
        return self.world.command(
            "create",
            f"Run/{id}",
            lambda now: self.world.plane.intake.create(now, self.project, body),
        )


def deploy(
    world: World,
    *,
    id: str | None = None,
    image: str = IMAGE,
    command: str | None = None,
    project: str = "demo",
    function: str | None = None,
    **spec: Any,
) -> Run:
    """A new run of a function of its own; `spec` are fields of the run's spec."""
    count = sum(1 for _ in world.plane.repository.all(Type.FUNCTION))
    extra: dict[str, Any] = {"command": command} if command else {}
    deployment = Deployment(
        world, project=project, function=function or f"service-{count}", image=image, **extra
    )
    return deployment.run(id, **spec)


def settle(world: World, run: Run, limit: int = 2 * HOUR) -> Run:
    """Goes on until the run is on its way no more, or `limit` nanoseconds from now."""
    world.run_until(lambda: not run.in_transition, world.now + limit)
    return run


def until(world: World, condition: Callable[[], bool], limit: int = 2 * HOUR) -> None:
    """Goes on until `condition` holds; fails the test when it does not within `limit`."""
    assert world.run_until(condition, world.now + limit), "it did not come to that"


def advance(world: World, duration: int) -> None:
    """Lets `duration` nanoseconds pass."""
    world.kernel.advance(world.now + duration)


def act(world: World, run: Run, action: str) -> None:
    """An action of a client. Raises Refused."""
    world.command(action, f"Run/{run.id}", lambda now: world.plane.runs.act(now, run, action))


def delete(world: World, run: Run) -> None:
    """The client's DELETE of a run."""
    world.command("delete", f"Run/{run.id}", lambda now: world.plane.runs.delete(now, run))


def put(world: World, run: Run, body: Mapping[str, Any]) -> None:
    """The client's PUT of a run. Raises Refused."""
    world.command(
        "update",
        f"Run/{run.id}",
        lambda now: world.plane.intake.update(now, run.project, run.id, dict(body)),
    )


def status(run: Run) -> dict[str, Any]:
    """`status` as the wire carries it."""
    return run.current_status(0)


def state(run: Run) -> State:
    """The run's state, read anew (a type checker takes an attribute for unchanged)."""
    return run.state


def refusal(command: Callable[[], object]) -> Refused | None:
    """What a command is refused with; None where it is done."""
    try:
        command()
    except Refused as refused:
        return refused
    return None


def path(run: Run) -> list[str]:
    """The states of `status.transitions`, the oldest first."""
    return [each["status"] for each in reversed(status(run).get("transitions", []))]


def exists(world: World, run: Run) -> bool:
    """Whether the control plane still knows the run."""
    return world.plane.repository.find_run(run.id) is run


def of_run(world: World, run: Run, kind: str) -> list[Row]:
    """The journal's rows of a kind whose subject is the run."""
    return [
        row for row in world.journal.rows if row.kind == kind and row.subject == f"Run/{run.id}"
    ]


def events(world: World, *reasons: str) -> list[Row]:
    """The journal's events with these reasons, of everything; all of them without."""
    return [
        row
        for row in world.journal.rows
        if row.kind == "event" and (not reasons or row.data["reason"] in reasons)
    ]


def reached(world: World, run: Run, state: State) -> int:
    """When the run came to a state first. Raises StopIteration where it never did."""
    return next(row.t for row in of_run(world, run, "run") if row.data["state"] == state.value)
