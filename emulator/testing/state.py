"""What holds of a world itself and no row of its journal shows: accounts, allocators, what is told.

Rules: `wrong` holds at every instant between two events, `settled` once every fault has ended a while
ago, `leftovers` is empty once the last run is gone for good. They read the world and change nothing.
The number before a sentence is that of the invariant that it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.cluster.objects.pods import TERMINAL
from emulator.cluster.quota import usage
from emulator.control.entities import Run
from emulator.domain.lifecycle import State
from emulator.domain.quirks import Quirk
from emulator.platform import NoRoute
from emulator.world import World

Found = Iterator[tuple[int, str]]

#: The kinds of objects that a run makes, directly or not.
OF_RUNS = ("Deployment", "ReplicaSet", "Pod", "Service", "EndpointSlice")
#: States in which a run has, or had, no service to show.
_BEFORE = frozenset({State.CREATED, State.BUILT, State.READY, State.PENDING, State.STOPPED})


#: What was looked at of a run's status: it is built anew only where some of it has changed.
Known = dict[str, tuple[object, ...]]


def wrong(world: World, known: Known | None = None) -> Found:
    """Everything that is not as it must be, now.

    Who asks again and again hands in the same `known`, and a run at rest costs little.
    """
    yield from _accounts(world)
    yield from _allocators(world)
    yield from _quotas(world)
    yield from _shown(world, {} if known is None else known)
    yield from _routes(world)
    yield from _aliases(world)


def _accounts(world: World) -> Found:
    """A node's account is the sum of what its pods ask for."""
    held: dict[str, dict[str, int]] = {}
    there: dict[str, set[str]] = {}
    for pod in world.cluster.store.all("Pod"):
        if pod.node is None:
            continue
        there.setdefault(pod.node.name, set()).add(pod.key)
        if pod.phase not in TERMINAL:
            used = held.setdefault(pod.node.name, {"pods": 0})
            used["pods"] += 1
            for name, amount in pod.requests.items():
                used[name] = used.get(name, 0) + amount
    for node in world.cluster.nodes:
        wanted = held.get(node.name, {})
        for name, amount in node.used.items():
            if amount != wanted.get(name, 0):
                text = f"Node/{node.name} accounts for {amount} of {name}, and its pods ask for"
                yield 7, f"{text} {wanted.get(name, 0)}"
        if set(node.pods) != (pods := there.get(node.name, set())):
            text = f"Node/{node.name} knows the pods {sorted(node.pods)}, and has {sorted(pods)}"
            yield 7, text


def _allocators(world: World) -> Found:
    """What is allocated is what live objects hold."""
    services = world.cluster.store.all("Service")
    system = world.platform.system
    wanted = {
        "cluster addresses": sum(1 for each in services if each.cluster_ip not in ("", "None")),
        "node ports": sum(1 for each in services for port in each.ports if port.node_port),
        "balancer addresses": sum(1 for each in services if each.ip),
        "pod addresses": sum(1 for each in world.cluster.store.all("Pod") if each.ip),
    }
    given = {**system.services.allocated, "pod addresses": system.kubelet.addresses.used}
    for name, amount in wanted.items():
        if given[name] != amount:
            yield 3, f"{given[name]} {name} are allocated, and {amount} are in use"


def _quotas(world: World) -> Found:
    """A quota's use is the sum of what its namespace holds."""
    store = world.cluster.store
    quotas = store.all("ResourceQuota")
    if not quotas:
        return
    counted: dict[str, dict[str, int]] = {}
    for kind in ("Pod", "Service", "Deployment"):
        for obj in store.all(kind):
            used = counted.setdefault(obj.namespace, {})
            for name, amount in usage(obj).items():
                used[name] = used.get(name, 0) + amount
    for quota in quotas:
        wanted = counted.get(quota.namespace, {})
        for name, amount in quota.used.items():
            if amount != wanted.get(name, 0):
                text = f"ResourceQuota/{quota.name} says that {amount} of {name} is used"
                yield 7, f"{text}, and it is {wanted.get(name, 0)}"


def _shown(world: World, known: Known) -> Found:
    """A run's `status.service` is there when it must be, and is the Service."""
    if world.settings.control.profile.has(Quirk.PUT_OVERWRITES_STATUS):
        return
    for run in world.plane.repository.runs():
        if run.local:
            continue
        group = world.cluster.groups.get(run.id)
        service = group.service if group is not None else None
        told = (run.state, run.serving, run.seen, service and service.version)
        if known.get(run.id) != told:
            known[run.id] = told
            for text in _status(world, run):
                yield 2, f"Run/{run.id} is {run.state}, and {text}"


def _status(world: World, run: Run) -> Iterator[str]:
    status = run.current_status(0)
    shown = status.get("service")
    if status["state"] != run.state:
        yield f"shows {status['state']}"
    if run.state is State.RUNNING and shown is None:
        yield "shows no service"
    if run.state in _BEFORE and shown is not None:
        yield "shows a service"
    if run.state is State.RUNNING and shown is not None:
        home = world.settings.cluster.namespace
        held = world.cluster.store.get("Service", f"{home}/{shown['name']}")
        if held is None:
            yield f"shows the service {shown['name']}, which is not there"
        elif shown["clusterIP"] != held.cluster_ip:
            yield f"shows the address {shown['clusterIP']}, and it is {held.cluster_ip}"


def _routes(world: World) -> Found:
    """A name leads to one of its endpoints, and to nobody where it has none that serves."""
    for service in world.cluster.store.all("Service"):
        serving = {each.pod.name for each in service.endpoints.values() if each.serving}
        ready = {each.pod.name for each in service.endpoints.values() if each.ready}
        if {pod.name for pod in service.ready.values()} != ready:
            yield 5, f"Service/{service.name} chooses among others than its ready endpoints"
        if not service.ports or len(serving) > 1:
            continue  # who is one of several is drawn, and a draw is not to be spent here
        found = world.route(service.name, service.ports[0].port)
        if isinstance(found, NoRoute) == bool(serving):
            text = "leads nowhere" if serving else f"leads to {getattr(found, 'pod', '')}"
            yield 5, f"Service/{service.name} {text}, and {sorted(serving) or 'nobody'} serves"


def settled(world: World) -> Found:
    """What the end of the last fault must have given back."""
    cluster, services = world.cluster, world.platform.system.services
    for node in cluster.nodes:
        own = {(key, effect) for key, _, effect in node.pool.taints}
        taints = sorted({(each.key, each.effect) for each in node.taints} - own)
        if not node.up or node.ready != "True" or node.unschedulable or taints:
            how = f"up {node.up}, Ready {node.ready}, cordoned {node.unschedulable}"
            yield 10, f"no fault is left, and Node/{node.name} is not as it was: {how}, {taints}"
    if cluster.extra_lag or services.closed:
        yield 10, f"no fault is left: lag {cluster.extra_lag}, closed ranges {services.closed}"
    set_up = {each.name for each in cluster.settings.quotas}
    for quota in cluster.store.all("ResourceQuota"):
        if quota.name not in set_up:
            yield 10, f"no fault is left, and ResourceQuota/{quota.name} is still there"
    for pod in cluster.store.all("Pod"):
        if pod.failing:
            yield 10, f"no fault is left, and Pod/{pod.name} has probes that fail"


def leftovers(world: World) -> dict[str, object]:
    """What a world still holds that belongs to some run; empty when nothing is left behind."""
    cluster, plane, system = world.cluster, world.plane, world.platform.system
    allocated = dict(system.services.allocated)
    found: dict[str, object] = {
        "runs": [run.id for run in plane.repository.runs()],
        "workloads": list(cluster.groups),
        "objects": [f"{kind}/{each.key}" for kind in OF_RUNS for each in cluster.store.all(kind)],
        "addresses": list(cluster.addresses),
        "used on nodes": {
            f"{node.name}/{name}": amount
            for node in cluster.nodes
            for name, amount in node.used.items()
            if amount
        },
        "pods on nodes": [pod for node in cluster.nodes for pod in node.pods],
        "runs on their way": [run.id for run in plane.moving()],
        "wake-ups": plane.next_wake(),
        "timers": None if world.kernel.peek() == float("inf") else world.kernel.peek(),
        **allocated,
        "pod addresses": system.kubelet.addresses.used,
        "pods that wait": list(system.scheduler.waiting),
        # what has no public face: the processes that the runtime holds, and who owns an alias
        "processes": len(world.behaviours._keeper.living),
        "aliases": list(plane.runs._aliases._owner),
    }
    return {name: held for name, held in found.items() if held}


def _aliases(world: World) -> Found:
    """By the promise an alias is the newest run's that is RUNNING among those that ask for it."""
    if world.settings.control.profile.has(Quirk.ALIAS_TAKEOVER_EARLY):
        return
    newest: dict[str, Run] = {}
    for run in world.plane.repository.runs():
        if run.state is State.RUNNING:
            for name in run.alias_names:
                held = newest.get(name)
                if held is None or (held.created, held.order) < (run.created, run.order):
                    newest[name] = run
    owners = world.plane.runs._aliases._owner
    for name, run in newest.items():
        owner = owners.get(name)
        if owner is not None and owner is not run:
            yield 5, f"the alias {name} is Run/{owner.id}'s, and Run/{run.id} is RUNNING and newer"
