"""What the tests of faults share: worlds with two zones, a service in them, and what a fault leaves.

Rules: `troubles` reads everything that a fault can change, so that equality of two of them means that
nothing of a fault is left.
"""

from __future__ import annotations

from typing import Any

from support import deploy, make_world, settle

from emulator.cluster.faults.engine import Faults
from emulator.cluster.settings import NodePool
from emulator.control.entities import Run
from emulator.domain.health import Health
from emulator.domain.journal import Row
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import MINUTE
from emulator.world import World

#: No wait for a back-off and no deadline is longer (invariant 10).
BOUND = 300 * 10**9 * 3 // 2 + 10 * MINUTE


def zones(**cluster: Any) -> World:
    """A world of two zones with two nodes each: a-1, a-2, b-1, b-2."""
    pools = tuple(NodePool(zone, 2, zone=zone) for zone in ("a", "b"))
    return make_world(**{"pools": pools, **cluster})


def service(world: World, name: str = "web", **spec: Any) -> Run:
    """A run of that id that is RUNNING and healthy."""
    run = settle(world, deploy(world, id=name, **spec))
    assert run.state is State.RUNNING
    world.run_until(lambda: healthy(run), world.now + MINUTE)
    assert healthy(run)
    return run


def healthy(run: Run) -> bool:
    """Whether every wanted replica is ready."""
    return run.current_health is Health.HEALTHY


def troubles(world: World) -> dict[str, object]:
    """Everything that a fault may have changed, as plain values."""
    system, faults = world.platform.system, world.faults
    registry = system.kubelet.disturb.registry
    services = system.services
    return {
        "lag": world.cluster.extra_lag,
        "registry": (registry.latency, registry.refusals, registry.slowed(10**9)),
        "starts": list(system.kubelet.disturb.starts),
        "ranges": (services._addresses.closed, services._node_ports.closed),
        "quotas": [each.name for each in world.cluster.store.all("ResourceQuota")],
        "nodes": [
            (node.name, node.up, node.ready, node.unschedulable, node.taints)
            for node in world.cluster.nodes
        ],
        "probes": [pod.name for pod in world.cluster.store.all("Pod") if pod.failing],
        "calls": (faults.calls._network, faults.calls._requests),
        "outages": (dict(faults.outages.told), dict(faults.outages.own)),
        "faults": [each.name for each in faults.all()],
        "waiting": faults.waiting,
        "on pods": list(faults._on_pods),
    }


def fault_rows(world: World) -> list[tuple[str, str, str]]:
    """Name, op and kind of every `fault` row."""
    return [
        (row.subject.removeprefix("Fault/"), row.data["op"], row.data["fault"])
        for row in world.journal.rows
        if row.kind == "fault"
    ]


def rows_of(world: World, kind: str, since: int = 0) -> list[Row]:
    """The journal's rows of a kind, from an instant on."""
    return [row for row in world.journal.rows if row.kind == kind and row.t >= since]


def struck_by(faults: Faults, name: str) -> list[str]:
    """The pods that a fault strikes, the oldest first."""
    (me,) = [each for each in faults.all() if each.name == name]
    return [pod.name for pod in faults.cluster.store.all("Pod") if faults.hits(me, pod)]
