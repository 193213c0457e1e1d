"""Objects of the store as Kubernetes writes them: JSON, made when somebody asks.

Rules: one function a kind; what a maker wrote (`manifest`) is shown as it was stored, and the status is
computed from the object. Times are seconds of the world's epoch in RFC 3339. A uid is drawn from the
object's kind, key and time of making, so it is the same however often it is asked for.
Source: Kubernetes facts sections 2, 3, 4, 6 and 7, and the recordings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from emulator.cluster.apiserver import defaults, policies, render_others, resources
from emulator.cluster.context import Cluster
from emulator.cluster.objects import (
    Conditioned,
    Deployment,
    Pod,
    ReplicaSet,
    Service,
    Stored,
)
from emulator.domain.kube import ContainerState
from emulator.domain.timefmt import iso_seconds

Json = dict[str, Any]

#: What a deletion in the foreground leaves waiting for what it owns, and how that shows.
_OWNERS = frozenset({"Deployment", "ReplicaSet"})
_FOREGROUND = "foregroundDeletion"

#: The kinds whose owners the controllers settle.
_OWNED = frozenset({"Pod", "ReplicaSet"})


class Renderer:
    """Renders the objects of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._kinds: dict[str, Callable[[Any], Json]] = {
            "Deployment": self._deployment,
            "EndpointSlice": partial(render_others.endpoint_slice, self),
            "Event": partial(render_others.event, self),
            "Namespace": self._namespace,
            "Node": partial(render_others.node, self),
            "Pod": self._pod,
            "ReplicaSet": self._replica_set,
            "Service": self._service,
        }

    def __call__(self, obj: Stored) -> Json:
        """The object as a client sees it; the caller may keep it, not change it."""
        render = self._kinds.get(obj.kind)
        return self._kept(obj) if render is None else render(obj)

    def uid(self, obj: Stored) -> str:
        """The object's uid."""
        return self._cluster.uid(obj)

    def time(self, instant: int) -> str:
        """An instant of the simulation as Kubernetes writes it."""
        return iso_seconds(self._cluster.settings.epoch + instant)

    # -- what all have ---------------------------------------------------------------------------

    def metadata(self, obj: Stored, *, generation: bool = False) -> Json:
        """What is in every object's `metadata`."""
        manifest = obj.manifest
        meta: Json = dict(manifest["metadata"]) if manifest is not None else {}
        meta["name"] = obj.name
        if obj.namespace:
            meta["namespace"] = obj.namespace
        meta["uid"] = self.uid(obj)
        meta["resourceVersion"] = str(obj.version)
        if generation:
            meta["generation"] = obj.generation
        meta["creationTimestamp"] = self.time(obj.created)
        if obj.deleted_at is not None:
            meta["deletionTimestamp"] = self.time(obj.deleted_at)
            if obj.grace is not None:
                meta["deletionGracePeriodSeconds"] = obj.grace
            if obj.grace is not None and not obj.removed and obj.kind in _OWNERS:
                known = [each for each in meta.get("finalizers", ()) if each != _FOREGROUND]
                meta["finalizers"] = [*known, _FOREGROUND]
        if obj.labels:
            meta["labels"] = dict(obj.labels)
        owner = obj.owner
        if owner is None and obj.kind in _OWNED:
            meta.pop("ownerReferences", None)  # what a client sent back of a former owner
        if owner is not None:
            meta["ownerReferences"] = [
                {
                    "apiVersion": "v1" if owner.kind == "Service" else "apps/v1",
                    "kind": owner.kind,
                    "name": owner.name,
                    "uid": self.uid(owner),
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ]
        return meta

    def conditions(self, obj: Conditioned, *, updates: bool = False) -> list[Json]:
        """An object's conditions; `updates` adds the times of their last update."""
        shown = []
        for each in obj.conditions.values():
            entry: Json = {"type": each.type, "status": each.status}
            if updates:
                at = each.since
                if isinstance(obj, Deployment) and each.type == "Progressing":
                    at = max(at, obj.progressed)
                entry["lastUpdateTime"] = self.time(at)
            entry["lastTransitionTime"] = self.time(each.since)
            if each.reason:
                entry["reason"] = each.reason
            if each.message:
                entry["message"] = each.message
            shown.append(entry)
        return shown

    def _kept(self, obj: Stored) -> Json:
        body = policies.BODIES.get(obj.kind)
        kept = {} if obj.manifest is None else obj.manifest
        shown = kept if body is None else body(obj)
        return {**shown, "metadata": self.metadata(obj)}

    def _namespace(self, obj: Stored) -> Json:
        shown = self._kept(obj)
        return {**shown, "status": {"phase": "Terminating"}} if obj.terminating else shown

    # -- kind by kind ----------------------------------------------------------------------------

    def _deployment(self, obj: Deployment) -> Json:
        assert obj.manifest is not None
        status: Json = {}
        if obj.observed:
            status["observedGeneration"] = obj.observed
        _counts(
            status,
            replicas=obj.replicas,
            updatedReplicas=obj.updated,
            readyReplicas=obj.ready,
            availableReplicas=obj.available,
            unavailableReplicas=obj.unavailable,
        )
        if obj.terminating_pods is not None:
            status["terminatingReplicas"] = obj.terminating_pods
        if obj.conditions:
            status["conditions"] = self.conditions(obj, updates=True)
        meta = self.metadata(obj, generation=True)
        if obj.replica_sets:
            revision = str(max(each.revision for each in obj.replica_sets))
            known = meta.get("annotations", {})
            meta["annotations"] = {**known, "deployment.kubernetes.io/revision": revision}
        return {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": meta,
            "spec": obj.manifest["spec"],
            "status": status,
        }

    def _replica_set(self, obj: ReplicaSet) -> Json:
        meta = self.metadata(obj, generation=True)
        owner = obj.owner
        if isinstance(owner, Deployment):
            meta["annotations"] = {
                **meta.get("annotations", {}),
                "deployment.kubernetes.io/desired-replicas": str(obj.desired),
                "deployment.kubernetes.io/max-replicas": str(obj.maximum),
                "deployment.kubernetes.io/revision": str(obj.revision),
            }
        if obj.manifest is None:
            spec = {
                "selector": {"matchLabels": dict(obj.selector)},
                "template": {
                    "metadata": {"labels": dict(obj.labels or obj.template.labels)},
                    "spec": dict(obj.template.spec),
                },
            }
        else:
            # the labels of the object itself are for its pods
            meta.pop("labels", None)
            if labels := obj.manifest["metadata"].get("labels"):
                meta["labels"] = labels
            spec = obj.manifest["spec"]
        status: Json = {"replicas": obj.replicas}
        _counts(
            status,
            fullyLabeledReplicas=obj.replicas,
            readyReplicas=obj.ready,
            availableReplicas=obj.available,
            observedGeneration=obj.observed,
        )
        if obj.terminating_pods is not None:
            status["terminatingReplicas"] = obj.terminating_pods
        if obj.conditions:
            status["conditions"] = self.conditions(obj)
        return {
            "kind": "ReplicaSet",
            "apiVersion": "apps/v1",
            "metadata": meta,
            "spec": {**spec, "replicas": obj.wanted},
            "status": status,
        }

    def _pod(self, obj: Pod) -> Json:
        spec = dict(obj.template.spec)
        defaults.admitted(spec)
        if obj.node is not None:
            spec["nodeName"] = obj.node.name
        meta = self.metadata(obj, generation=True)
        if isinstance(obj.owner, ReplicaSet):
            meta["generateName"] = f"{obj.owner.name}-"
        shown = {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": spec}
        status: Json = {"observedGeneration": obj.generation, "phase": obj.phase}
        if obj.conditions:
            status["conditions"] = self.conditions(obj)
        if obj.reason:
            status["reason"] = obj.reason
        if obj.ip:
            status |= {"podIP": obj.ip, "podIPs": [{"ip": obj.ip}]}
        if obj.started is not None:
            status["startTime"] = self.time(obj.started)
        if obj.node is not None and obj.started is not None:
            status["containerStatuses"] = [self._container(obj)]
        status["qosClass"] = resources.qos_class({"spec": spec})
        return {**shown, "status": status}

    def _container(self, obj: Pod) -> Json:
        shown: Json = {"name": obj.template.container, "state": self._state(obj.state)}
        shown["lastState"] = self._state(obj.last) if obj.last is not None else {}
        running = obj.state.phase == "running"
        return {
            **shown,
            "ready": obj.containers_ready,
            "restartCount": obj.restarts,
            "image": obj.template.image,
            "imageID": "",
            "started": running,
        }

    def _state(self, state: ContainerState) -> Json:
        if state.phase == "running":
            return {"running": {"startedAt": self.time(state.started)}}
        if state.phase == "terminated":
            ended: Json = {"exitCode": state.exit_code, "reason": state.reason}
            if state.message:
                ended["message"] = state.message
            times = {
                "startedAt": self.time(state.started),
                "finishedAt": self.time(state.finished),
            }
            return {"terminated": {**ended, **times}}
        waiting = {"reason": state.reason, "message": state.message}
        return {"waiting": {key: text for key, text in waiting.items() if text}}

    def _service(self, obj: Service) -> Json:
        assert obj.manifest is not None
        balancer: Json = {}
        if obj.ip:
            balancer = {"ingress": [{"ip": obj.ip, "ipMode": "VIP"}]}
        return {
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": self.metadata(obj),
            "spec": obj.manifest["spec"],
            "status": {"loadBalancer": balancer},
        }


def _counts(status: Json, **counts: int) -> None:
    """Adds the counts that are not zero: Kubernetes leaves the others out."""
    status.update({name: count for name, count in counts.items() if count})
