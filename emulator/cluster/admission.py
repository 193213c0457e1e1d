"""Admission of pods: what the API server adds to one, and whether it takes it.

Rules: in the API server's order: priority by class, defaults and limits of containers, quota. A pod
gets a template of its own only where something is added; pods of one ReplicaSet share it. What is
refused says why (403; 422 where a default makes the pod invalid) and leaves nothing behind.
Source: plugin/pkg/admission/{priority,limitranger}; core/v1 defaults of LimitRange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from emulator.cluster.apiserver import causes
from emulator.cluster.apiserver.quantities import canonical, value
from emulator.cluster.apiserver.status import Rejected, forbidden, invalid
from emulator.cluster.context import Cluster
from emulator.cluster.objects import Pod, PodTemplate
from emulator.cluster.objects.policy import LimitRange, PriorityClass, Quantities
from emulator.cluster.quota import Quotas
from emulator.cluster.settings import LimitRangeSpec, PriorityClassSpec
from emulator.cluster.templates import quantities

_SYSTEM = (
    PriorityClassSpec("system-cluster-critical", 2_000_000_000),
    PriorityClassSpec("system-node-critical", 2_000_001_000),
)


class Admission:
    """What every new pod passes."""

    def __init__(self, cluster: Cluster, quotas: Quotas) -> None:
        self._cluster = cluster
        self._quotas = quotas
        self._ranges: dict[str, dict[str, LimitRange]] = {}
        self._classes = {each.name: each for each in _SYSTEM}
        self._default: PriorityClassSpec | None = None
        self._last: tuple[PodTemplate, str, PodTemplate] | None = None
        for priority in cluster.settings.priority_classes:
            self.set_priority_class(priority)
        for limits in cluster.settings.limit_ranges:
            self.set_limit_range(limits)

    # -- setting ---------------------------------------------------------------------------------

    def set_priority_class(self, spec: PriorityClassSpec) -> PriorityClass:
        """Makes a PriorityClass or changes it; pods that there are keep their priority."""
        cluster = self._cluster
        self._classes[spec.name] = spec
        self._choose_default()
        held = cluster.store.get("PriorityClass", spec.name)
        if isinstance(held, PriorityClass):
            held.value, held.is_default, held.preempts = spec.value, spec.is_default, spec.preempts
            cluster.store.changed(held)
            return held
        made = PriorityClass(
            spec.name, cluster.now, spec.value, is_default=spec.is_default, preempts=spec.preempts
        )
        cluster.store.add(made, value=spec.value)
        return made

    def remove_priority_class(self, held: PriorityClass) -> None:
        """Takes a PriorityClass away; pods that there are keep their priority."""
        self._classes.pop(held.name, None)
        self._choose_default()
        self._cluster.store.remove(held)

    def _choose_default(self) -> None:
        self._default = min(
            (each for each in self._classes.values() if each.is_default),
            key=lambda each: each.value,
            default=None,
        )
        self._last = None

    def remove_limit_range(self, held: LimitRange) -> None:
        """Takes a LimitRange away; pods that there are keep what it gave them."""
        self._ranges.get(held.namespace, {}).pop(held.name, None)
        self._last = None
        self._cluster.store.remove(held)

    def set_limit_range(self, spec: LimitRangeSpec) -> LimitRange:
        """Makes a LimitRange or changes it, with the API's defaults. Raises ValueError."""
        cluster = self._cluster
        namespace = spec.namespace or cluster.settings.namespace
        ranges = self._ranges.setdefault(namespace, {})
        held = ranges.get(spec.name)
        limits = LimitRange(spec.name, namespace, cluster.now) if held is None else held
        limits.minimum = _canonical(spec.minimum)
        limits.maximum = _canonical(spec.maximum)
        limits.default = {**limits.maximum, **_canonical(spec.default)}
        limits.default_request = {
            **limits.minimum,
            **limits.default,
            **_canonical(spec.default_request),
        }
        ranges[spec.name] = limits
        self._last = None
        if held is None:
            cluster.store.add(limits)
        else:
            cluster.store.changed(limits)
        return limits

    # -- admitting -------------------------------------------------------------------------------

    def admit(self, pod: Pod) -> None:
        """Completes a pod that is to be stored. Raises Rejected."""
        ranges = self._ranges.get(pod.namespace) if self._ranges else None
        template = pod.template
        if ranges or self._default or template.priority_class or template.priority:
            template = pod.template = self._completed(pod)
            pod.requests = template.requests
            for each in (ranges or {}).values():
                _check_limits(pod, each)
            if ranges:
                _check_order(pod)
        self._quotas.admit_pod(pod)

    def _completed(self, pod: Pod) -> PodTemplate:
        template, namespace = pod.template, pod.namespace
        last = self._last
        if last is not None and last[0] is template and last[1] == namespace:
            return last[2]
        completed = self._with_priority(pod)
        for each in self._ranges.get(namespace, {}).values():
            completed = _with_defaults(completed, each)
        self._last = (template, namespace, completed)
        return completed

    def _with_priority(self, pod: Pod) -> PodTemplate:
        template = pod.template
        name = template.priority_class
        found = self._classes.get(name) if name else self._default
        if name and found is None:
            raise _refused(pod, f"no PriorityClass with name {name} was found")
        level = 0 if found is None else found.value
        given = template.spec.get("priority", level)
        if given != level:
            raise _refused(
                pod,
                f"the integer value of priority ({given}) must not be provided in pod spec; priority "
                f"admission controller computed {level} from the given PriorityClass name",
            )
        spec = {**template.spec, "priority": level}
        if found is not None:
            spec["priorityClassName"] = found.name
            spec["preemptionPolicy"] = "PreemptLowerPriority" if found.preempts else "Never"
        return replace(
            template, spec=spec, priority=level, priority_class=found.name if found else ""
        )


def _canonical(amounts: Mapping[str, str]) -> Quantities:
    return {resource: canonical(text) for resource, text in amounts.items()}


def _with_defaults(template: PodTemplate, limits: LimitRange) -> PodTemplate:
    """A template with what its container does not say."""
    container = template.spec["containers"][0]
    resources = container.get("resources") or {}
    written = resources.get("limits") or {}
    most = {**limits.default, **written}
    # what a container limits and does not request has been given as requested before
    asked = {**limits.default_request, **written, **(resources.get("requests") or {})}
    container = {**container, "resources": {**resources, "limits": most, "requests": asked}}
    return replace(
        template,
        spec={**template.spec, "containers": [container, *template.spec["containers"][1:]]},
        requests=quantities(asked),
        limits=quantities(most),
    )


def _amounts(pod: Pod) -> tuple[Quantities, Quantities]:
    resources = pod.template.spec["containers"][0]["resources"]
    return resources["requests"], resources["limits"]


def _check_limits(pod: Pod, limits: LimitRange) -> None:
    """Raises Rejected (403) where the container asks for less or more than it may."""
    requests, most = _amounts(pod)
    wrong = []
    for resource, least in sorted(limits.minimum.items()):
        start = f"minimum {resource} usage per Container is {least}"
        if resource not in requests:
            wrong.append(f"{start}.  No request is specified")
        elif value(requests[resource]) < value(least):
            wrong.append(f"{start}, but request is {canonical(requests[resource])}")
        elif resource in most and value(most[resource]) < value(least):
            wrong.append(f"{start}, but limit is {canonical(most[resource])}")
    for resource, largest in sorted(limits.maximum.items()):
        start = f"maximum {resource} usage per Container is {largest}"
        if resource not in most:
            wrong.append(f"{start}.  No limit is specified")
        elif value(most[resource]) > value(largest):
            wrong.append(f"{start}, but limit is {canonical(most[resource])}")
        elif resource in requests and value(requests[resource]) > value(largest):
            wrong.append(f"{start}, but request is {canonical(requests[resource])}")
    if wrong:
        raise _refused(pod, wrong[0] if len(wrong) == 1 else f"[{', '.join(wrong)}]")


def _check_order(pod: Pod) -> None:
    """Raises Rejected (422) where a default limit is less than what the container requests."""
    requests, most = _amounts(pod)
    wrong = [
        causes.invalid(
            "spec.containers[0].resources.requests",
            canonical(requests[resource]),
            f"must be less than or equal to {resource} limit of {canonical(limit)}",
        )
        for resource, limit in sorted(most.items())
        if resource in requests and value(requests[resource]) > value(limit)
    ]
    if wrong:
        raise invalid("", "Pod", pod.name, wrong)


def _refused(pod: Pod, why: str) -> Rejected:
    return forbidden("", "pods", pod.name, why)
