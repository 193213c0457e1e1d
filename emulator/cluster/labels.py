"""Label selectors between the cluster's own objects, and the index that finds them fast.

Rules: a selector is a dict of equalities; an empty one selects nothing. A Service is filed under one
item of its selector, the one that the fewest others are filed under, so that a pod meets only the
Services that may select it. Set-based selectors belong to the API server's queries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from emulator.cluster.objects import Pod, Service

#: Namespace, label, value.
Item = tuple[str, str, str]


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether labels carry every item of a selector that has any."""
    return bool(selector) and selector.items() <= labels.items()


class ServiceIndex:
    """The Services of a cluster by what they select, and the pods by the labels that are asked for."""

    def __init__(self) -> None:
        self._services: dict[Item, dict[str, Service]] = {}
        self._filed: dict[str, Item] = {}
        self._keys: list[str] = []
        self._pods: dict[Item, dict[str, Pod]] = {}

    def add_service(self, service: Service, pods: Callable[[], Iterable[Pod]]) -> None:
        """Files a Service; `pods` gives all there are, where a new label key is asked for."""
        best: Item | None = None
        fewest = 0
        for key, value in service.selector.items():
            item = (service.namespace, key, value)
            count = len(self._services.get(item, ()))
            if best is None or count < fewest:
                best, fewest = item, count
            if not fewest:
                break
        if best is None:
            return
        if best[1] not in self._keys:
            self._keys.append(best[1])
            for pod in pods():
                self._file(pod, best[1])
        self._services.setdefault(best, {})[service.key] = service
        self._filed[service.key] = best

    def remove_service(self, service: Service) -> list[Pod]:
        """Takes a Service out; every pod that it has selected is among those that are returned."""
        item = self._filed.pop(service.key, None)
        if item is None:
            return []
        held = self._services[item]
        del held[service.key]
        if not held:
            del self._services[item]
        return list(self._pods.get(item, {}).values())

    def add_pod(self, pod: Pod) -> None:
        """Files a pod under the labels that Services are filed under."""
        for key in self._keys:
            self._file(pod, key)

    def remove_pod(self, pod: Pod) -> None:
        """Takes a pod out."""
        for key in self._keys:
            value = pod.labels.get(key)
            if value is not None:
                item = (pod.namespace, key, value)
                held = self._pods.get(item)
                if held is not None:
                    held.pop(pod.key, None)
                    if not held:
                        del self._pods[item]

    def _file(self, pod: Pod, key: str) -> None:
        value = pod.labels.get(key)
        if value is not None:
            self._pods.setdefault((pod.namespace, key, value), {})[pod.key] = pod

    def services_of(self, pod: Pod) -> list[Service]:
        """The Services that select a pod."""
        found: list[Service] = []
        for key in self._keys:
            value = pod.labels.get(key)
            if value is not None:
                filed = self._services.get((pod.namespace, key, value))
                if filed:
                    found += [each for each in filed.values() if matches(each.selector, pod.labels)]
        return found

    def pods_of(self, service: Service) -> list[Pod]:
        """The pods that a Service selects, the oldest first."""
        item = self._filed.get(service.key)
        held = self._pods.get(item) if item is not None else None
        if not held:
            return []
        return [pod for pod in held.values() if matches(service.selector, pod.labels)]
