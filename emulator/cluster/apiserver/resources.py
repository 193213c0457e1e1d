"""The resources of the API, one row each: names, verbs, and how to read, default and validate.

Rules: a request for a Service goes `read`, `allocation.prepare`, the allocator, `validate`; any other
kind leaves out the two in between. `fresh` comes after `read` of a create, `carry` after `read` of an
update. Verbs are the users'; the cluster's own controllers are not bound by them. Nothing here is
changed once made. Source: Kubernetes facts sections 0.3, 2 and 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulator.cluster.apiserver import decode, defaults, events, kinds, kinds_others
from emulator.cluster.apiserver.causes import Cause
from emulator.cluster.apiserver.schema import Struct
from emulator.cluster.apiserver.status import Rejected, invalid
from emulator.cluster.apiserver.validation import others, service, workload

Object = dict[str, Any]
Check = Callable[[Object, list[Cause]], None]
UpdateCheck = Callable[[Object, Object, list[Cause]], None]

READ = ("get", "list", "watch")
ALL = ("create", "delete", "deletecollection", *READ, "patch", "update")

#: What the server fills in by itself, whatever a create says.
_SYSTEM = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
    "generation",
)
#: What an update cannot change: it is the stored object's.
_KEPT = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)


@dataclass(frozen=True)
class Resource:
    """One resource; `initial` is the status of a new object, None where the kind has none.

    `generation` says whether a change of the spec is counted. `stored_as` is the row under which its
    objects are kept, where that is another: `shown` and `stored` turn one shape into the other.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    schema: Struct
    default: Callable[[Object], None]
    check: Check
    check_update: UpdateCheck
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    verbs: tuple[str, ...] = ALL
    generation: bool = False
    initial: Callable[[Object], Object] | None = None
    subresources: tuple[str, ...] = ()
    stored_as: tuple[str, str, str] | None = None
    shown: Callable[[Object], Object] | None = None
    stored: Callable[[Object], Object] | None = None

    @property
    def api_version(self) -> str:
        """As objects write it: `v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def read(self, body: Any, namespace: str = "", *, strict: bool = False) -> Object:
        """The body as an object of this kind, with defaults. Raises Rejected (400)."""
        obj = decode.decode(body, self.api_version, self.kind, self.schema, strict=strict)
        if self.namespaced:
            decode.check_namespace(obj, namespace)
        self.default(obj)
        return obj

    def fresh(self, obj: Object) -> None:
        """Makes what was read a new object: system fields gone, the status its first. In place."""
        meta = obj["metadata"]
        for field in _SYSTEM:
            meta.pop(field, None)
        if self.generation:
            meta["generation"] = 1
        if self.initial is not None:
            obj["status"] = self.initial(obj)

    def carry(self, obj: Object, old: Object) -> None:
        """Makes what was read an update of `old`: identity, status, generation. In place."""
        meta, before = obj["metadata"], old["metadata"]
        for field in _KEPT:
            if field in before:
                meta[field] = before[field]
            else:
                meta.pop(field, None)
        for field in ("resourceVersion", "managedFields"):
            if field in before:
                meta.setdefault(field, before[field])
        if self.initial is not None and "status" in old:
            obj["status"] = old["status"]
        if self.generation and obj.get("spec") != old.get("spec"):
            meta["generation"] = before.get("generation", 0) + 1

    def validate(self, obj: Object) -> None:
        """Raises Rejected (422) for a new object that is not allowed."""
        found: list[Cause] = []
        self.check(obj, found)
        if found:
            raise self.invalid(obj, found)

    def validate_update(self, new: Object, old: Object) -> None:
        """Raises Rejected (422) for a change that is not allowed."""
        found: list[Cause] = []
        self.check_update(new, old, found)
        if found:
            raise self.invalid(new, found)

    def invalid(self, obj: Object, found: list[Cause]) -> Rejected:
        """422 of this object with these causes."""
        return invalid(self.group, self.kind, obj["metadata"].get("name", ""), found)


def _nothing(_obj: Object) -> Object:
    return {}


def _service_status(_obj: Object) -> Object:
    return {"loadBalancer": {}}


def _pod_status(obj: Object) -> Object:
    return {"phase": "Pending", "qosClass": qos_class(obj)}


def _namespace_status(_obj: Object) -> Object:
    return {"phase": "Active"}


def qos_class(pod: Object) -> str:
    """A pod's quality of service: Guaranteed, Burstable or BestEffort."""
    guaranteed, any_ = True, False
    for container in pod["spec"].get("containers", ()):
        resources = container.get("resources", {})
        limits, requests = resources.get("limits", {}), resources.get("requests", {})
        for name in ("cpu", "memory"):
            amounts = limits.get(name, "0"), requests.get(name, "0")
            any_ = any_ or amounts != ("0", "0")
            guaranteed = guaranteed and amounts[0] == amounts[1] != "0"
    return "BestEffort" if not any_ else "Guaranteed" if guaranteed else "Burstable"


_CORE, _APPS = ("", "v1"), ("apps", "v1")

ROWS: tuple[Resource, ...] = (
    Resource(
        *_CORE, "services", "service", "Service", kinds.SERVICE, defaults.service,
        service.service, service.service_update, ("svc",), initial=_service_status,
        subresources=("status",),
    ),
    Resource(
        *_CORE, "pods", "pod", "Pod", kinds.POD, defaults.pod, workload.pod, workload.pod_update,
        ("po",), generation=True, initial=_pod_status, subresources=("status", "log", "binding"),
    ),
    Resource(
        *_APPS, "deployments", "deployment", "Deployment", kinds.DEPLOYMENT, defaults.deployment,
        workload.deployment, workload.deployment_update, ("deploy",), generation=True,
        initial=_nothing, subresources=("status", "scale"),
    ),
    Resource(
        *_APPS, "replicasets", "replicaset", "ReplicaSet", kinds.REPLICA_SET,
        defaults.replica_set, workload.replica_set, workload.replica_set_update, ("rs",),
        generation=True, initial=_nothing, subresources=("status", "scale"),
    ),
    Resource(
        *_CORE, "namespaces", "namespace", "Namespace", kinds_others.NAMESPACE,
        defaults.namespace, others.namespace, others.metadata_update, ("ns",), False,
        initial=_namespace_status, subresources=("status",),
    ),
    Resource(
        *_CORE, "nodes", "node", "Node", kinds_others.NODE, defaults.node, others.cluster_wide,
        others.metadata_update, ("no",), False, subresources=("status",),
    ),
    Resource(
        *_CORE, "events", "event", "Event", kinds_others.EVENT, defaults.nothing,
        others.in_namespace, others.metadata_update, ("ev",),
    ),
    Resource(
        "events.k8s.io", "v1", "events", "event", "Event", kinds_others.NEW_EVENT,
        defaults.nothing, others.in_namespace, others.metadata_update, ("ev",),
        stored_as=("", "v1", "events"), shown=events.shown, stored=events.stored,
    ),
    Resource(
        "discovery.k8s.io", "v1", "endpointslices", "endpointslice", "EndpointSlice",
        kinds_others.ENDPOINT_SLICE, defaults.endpoint_slice, others.in_namespace,
        others.metadata_update,
    ),
    Resource(
        *_CORE, "resourcequotas", "resourcequota", "ResourceQuota", kinds_others.RESOURCE_QUOTA,
        defaults.resource_quota, others.resource_quota, others.resource_quota_update, ("quota",),
        initial=_nothing, subresources=("status",),
    ),
    Resource(
        *_CORE, "limitranges", "limitrange", "LimitRange", kinds_others.LIMIT_RANGE,
        defaults.limit_range, others.limit_range, others.metadata_update, ("limits",),
    ),
    Resource(
        "scheduling.k8s.io", "v1", "priorityclasses", "priorityclass", "PriorityClass",
        kinds_others.PRIORITY_CLASS, defaults.priority_class, others.priority_class,
        others.priority_class_update, ("pc",), False,
    ),
    Resource(
        "coordination.k8s.io", "v1", "leases", "lease", "Lease", kinds_others.LEASE,
        defaults.nothing, others.in_namespace, others.metadata_update, verbs=READ,
    ),
    Resource(
        *_CORE, "secrets", "secret", "Secret", kinds_others.SECRET, defaults.secret,
        others.stored_text, others.stored_text_update,
    ),
    Resource(
        *_CORE, "configmaps", "configmap", "ConfigMap", kinds_others.CONFIG_MAP,
        defaults.nothing, others.stored_text, others.stored_text_update, ("cm",),
    ),
)  # fmt: skip

_BY_PATH = {(row.group, row.version, row.plural): row for row in ROWS}


def find(group: str, version: str, plural: str) -> Resource | None:
    """The row of that path, or None."""
    return _BY_PATH.get((group, version, plural))


def _known(group: str, version: str, plural: str) -> Resource:
    return _BY_PATH[group, version, plural]


DEPLOYMENTS = _known("apps", "v1", "deployments")
PODS = _known("", "v1", "pods")
SERVICES = _known("", "v1", "services")
