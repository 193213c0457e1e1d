"""Quotas: how much of a namespace's allowance is used, and who is refused for want of it.

Rules: use is kept by what the store tells, object by object, and never counted anew but when a quota
is set. A pod counts until it has ended or is gone. Whoever would exceed a quota, or asks for nothing of
what it limits (cpu and memory), is refused with 403; nothing is refused later for what is there
already. Source: apiserver's admission/plugin/resourcequota, pkg/quota/v1/evaluator/core.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.cluster.apiserver.quantities import canonical
from emulator.cluster.apiserver.status import Rejected, forbidden, over_quota, qualified
from emulator.cluster.context import Cluster
from emulator.cluster.objects import Pod, Service, Stored
from emulator.cluster.objects.pods import TERMINAL
from emulator.cluster.objects.policy import ResourceQuota
from emulator.cluster.store import DELETED, MODIFIED
from emulator.domain import quantity

#: What is counted: the group and the plural of each kind.
_RESOURCES = {
    "Pod": ("", "pods"),
    "Service": ("", "services"),
    "Deployment": ("apps", "deployments"),
}
#: What a pod must ask for where a quota limits it.
_REQUIRED = frozenset(
    ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
)
_BARE = frozenset(("cpu", "memory", "ephemeral-storage"))
_WITH_NODE_PORTS = frozenset(("LoadBalancer", "NodePort"))

Usage = dict[str, int]


class Quotas:
    """Every ResourceQuota of the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._quotas: dict[str, dict[str, ResourceQuota]] = {}
        self._held: dict[Stored, Usage] = {}
        for kind in _RESOURCES:
            cluster.store.on(kind, self._heard)
        for each in cluster.settings.quotas:
            self.set(each.name, each.hard, each.namespace)

    # -- setting ---------------------------------------------------------------------------------

    def set(self, name: str, hard: Mapping[str, str], namespace: str = "") -> ResourceQuota:
        """Makes a quota or changes it, now; what is there already counts. Raises ValueError."""
        cluster = self._cluster
        namespace = namespace or cluster.settings.namespace
        amounts = {key: quantity.read(_unit(key), text) for key, text in hard.items()}
        quotas = self._quotas.setdefault(namespace, {})
        quota = quotas.get(name)
        new = quota is None
        if quota is None:
            quota = quotas[name] = ResourceQuota(name, namespace, cluster.now)
        quota.hard = amounts
        quota.texts = {key: canonical(text) for key, text in hard.items()}
        self._recount(namespace)
        if new:
            cluster.store.add(quota, hard=quota.texts)
        else:
            quota.generation += 1
            cluster.store.changed(quota)
        return quota

    def remove(self, name: str, namespace: str = "") -> None:
        """Takes a quota away; idempotent."""
        namespace = namespace or self._cluster.settings.namespace
        quotas = self._quotas.get(namespace, {})
        quota = quotas.pop(name, None)
        if quota is None:
            return
        if not quotas:
            del self._quotas[namespace]
        self._recount(namespace)
        self._cluster.store.remove(quota)

    def _recount(self, namespace: str) -> None:
        quotas = self._quotas.get(namespace, {})
        for quota in quotas.values():
            quota.used = dict.fromkeys(quota.hard, 0)
            quota.binary = {}
        for kind in _RESOURCES:
            for obj in self._cluster.store.all(kind):
                if obj.namespace == namespace:
                    self._held.pop(obj, None)
                    self._account(obj, quotas, usage(obj) if quotas else {})

    # -- counting --------------------------------------------------------------------------------

    def _heard(self, op: str, obj: Stored) -> None:
        quotas = self._quotas.get(obj.namespace) if self._quotas else None
        if not quotas:
            return
        if op == DELETED:
            self._account(obj, quotas, {})
        elif op != MODIFIED or isinstance(obj, Service) or getattr(obj, "phase", "") in TERMINAL:
            self._account(obj, quotas, usage(obj))

    def _account(self, obj: Stored, quotas: dict[str, ResourceQuota], now: Usage) -> None:
        """An object uses `now`, whatever it has used before."""
        before = self._held.pop(obj, {})
        if now:
            self._held[obj] = now
        if now == before:
            return
        for quota in quotas.values():
            changed = False
            for key in quota.hard:
                more = now.get(key, 0) - before.get(key, 0)
                if more:
                    if not quota.used[key]:
                        quota.binary[key] = _is_binary(obj, key)
                    quota.used[key] += more
                    changed = True
            if changed:
                self._cluster.store.changed(quota)

    # -- admission -------------------------------------------------------------------------------

    def admit_pod(self, pod: Pod) -> None:
        """Raises Rejected (403) where a quota has no room for a pod."""
        self._admit(pod)

    def admit_service(self, service: Service) -> None:
        """Raises Rejected (403) where a quota has no room for a Service."""
        self._admit(service)

    def admit_service_update(self, service: Service, kind: str, ports: int) -> None:
        """Raises Rejected (403) where a quota has no room for what a Service would take more.

        It is to be of that type, with that many ports.
        """
        if not self._quotas:
            return
        held = usage(service)
        wanted = _usage_of_service(kind, ports)
        more = {key: amount - held.get(key, 0) for key, amount in wanted.items()}
        self._admit(service, {key: amount for key, amount in more.items() if amount > 0})

    def admit_deployment(self, deployment: Stored) -> None:
        """Raises Rejected (403) where a quota has no room for a Deployment."""
        self._admit(deployment)

    def _admit(self, obj: Stored, wanted: Usage | None = None) -> None:
        quotas = self._quotas.get(obj.namespace) if self._quotas else None
        if not quotas:
            return
        wanted = usage(obj) if wanted is None else wanted
        for quota in quotas.values():
            if isinstance(obj, Pod) and (missing := _missing(obj, quota, wanted)):
                text = f"failed quota: {quota.name}: {missing}"
                raise forbidden(*_RESOURCES[obj.kind], obj.name, text)
        for quota in quotas.values():
            over = sorted(
                key
                for key, most in quota.hard.items()
                if wanted.get(key) and quota.used[key] + wanted[key] > most
            )
            if over:
                raise _exceeded(obj, quota, wanted, over)


def usage(obj: Stored) -> Usage:
    """What an object counts as, by the names that a quota's `hard` may have."""
    if isinstance(obj, Pod):
        return _usage_of_pod(obj)
    if isinstance(obj, Service):
        return _usage_of_service(obj.type, len(obj.ports))
    return {f"count/{qualified(*_RESOURCES[obj.kind])}": 1}


def _usage_of_service(kind: str, ports: int) -> Usage:
    used = {"count/services": 1, "services": 1}
    if kind in _WITH_NODE_PORTS:
        used["services.nodeports"] = ports
    if kind == "LoadBalancer":
        used["services.loadbalancers"] = 1
    return used


def _usage_of_pod(pod: Pod) -> Usage:
    used = {"count/pods": 1}
    if pod.phase in TERMINAL:
        return used
    used["pods"] = 1
    for resource, amount in pod.requests.items():
        used[f"requests.{resource}"] = amount
        if resource in _BARE:
            used[resource] = amount
    for resource, amount in pod.template.limits.items():
        if resource in _BARE:
            used[f"limits.{resource}"] = amount
    return used


def _missing(pod: Pod, quota: ResourceQuota, wanted: Usage) -> str:
    missing = sorted(key for key in quota.hard if key in _REQUIRED and key not in wanted)
    if not missing:
        return ""
    return "must specify " + "; ".join(f"{key} for: {pod.template.container}" for key in missing)


def _exceeded(obj: Stored, quota: ResourceQuota, wanted: Usage, over: list[str]) -> Rejected:
    amounts = [
        (
            key,
            amount_text(key, wanted[key], _is_binary(obj, key)),
            amount_text(key, quota.used[key], quota.binary.get(key, False)),
            quota.texts[key],
        )
        for key in over
    ]
    return over_quota(*_RESOURCES[obj.kind], obj.name, quota.name, amounts)


def _unit(key: str) -> str:
    """The resource that a quota's key counts."""
    return "cpu" if key in ("cpu", "requests.cpu", "limits.cpu") else key


def amount_text(key: str, amount: int, binary: bool) -> str:
    """An amount as Kubernetes writes it."""
    if _unit(key) == "cpu":
        return canonical(f"{amount}m")
    if binary:
        return canonical(f"{amount // 1024}Ki") if amount and amount % 1024 == 0 else str(amount)
    return canonical(str(amount))


def _is_binary(obj: Stored, key: str) -> bool:
    """Whether an object's maker wrote an amount with a binary suffix."""
    if not isinstance(obj, Pod):
        return False
    source, _, resource = key.partition(".")
    if not resource:
        source, resource = "requests", key
    resources: Mapping[str, Any] = obj.template.spec["containers"][0].get("resources") or {}
    text = (resources.get(source) or {}).get(resource)
    if text is None:  # requests that are not written are the limits
        text = (resources.get("limits") or {}).get(resource, "")
    return str(text).endswith("i")
