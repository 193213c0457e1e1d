"""What the API does with namespaces, pods, ReplicaSets and watches that a review found wrong.

Source: Kubernetes facts sections 2 and 6; apiserver's watch cache, its admission plugins
NamespaceLifecycle and ResourceQuota, and core/v1 `defaults.go`.
"""

from __future__ import annotations

from typing import Any

import pytest
from instant import InstantRuntime

from emulator.cluster.apiserver import resources
from emulator.cluster.apiserver.api import ObjectAPI
from emulator.cluster.apiserver.resources import DEPLOYMENTS, PODS
from emulator.cluster.apiserver.status import Rejected
from emulator.cluster.context import Cluster
from emulator.cluster.kernel import Kernel
from emulator.cluster.settings import ClusterSettings, NodePool
from emulator.cluster.streams import Streams
from emulator.cluster.system import System
from emulator.domain.journal import Journal
from emulator.domain.timefmt import SECOND

Json = dict[str, Any]

MERGE = "application/merge-patch+json"


def known(group: str, plural: str) -> resources.Resource:
    """A row that must be there."""
    row = resources.find(group, "v1", plural)
    assert row is not None
    return row


REPLICA_SETS = known("apps", "replicasets")
NAMESPACES = known("", "namespaces")
QUOTAS = known("", "resourcequotas")
CONFIG_MAPS = known("", "configmaps")


class Rig:
    """A cluster and its API."""

    def __init__(self) -> None:
        self.kernel = Kernel(Journal())
        settings = ClusterSettings(namespace="default", pools=(NodePool(count=2),))
        self.cluster = Cluster(self.kernel, Streams(1), settings, InstantRuntime())
        self.api = ObjectAPI(System(self.cluster))

    def settle(self, seconds: int = 120) -> None:
        self.kernel.advance(self.kernel.now + seconds * SECOND)

    def pods(self, namespace: str = "default") -> list[Json]:
        found: list[Json] = self.api.list(PODS, namespace)["items"]
        return found

    def watch(
        self, row: resources.Resource, since: int | None, **by: str
    ) -> list[tuple[str, Json]]:
        heard: list[tuple[str, Json]] = []
        self.api.watch(row, "default", since, lambda op, obj: heard.append((op, obj)), **by)
        return heard


@pytest.fixture
def rig() -> Rig:
    return Rig()


def config_map(name: str, **labels: str) -> Json:
    return {"metadata": {"name": name, "labels": labels}}


def pod(name: str, **labels: str) -> Json:
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "c", "image": "fake"}]},
    }


def workload(name: str, replicas: int, **spec: Any) -> Json:
    template = pod("", app=name)
    del template["metadata"]["name"]
    return {
        "metadata": {"name": name, "labels": {"own": "yes"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template,
            **spec,
        },
    }


def version_of(obj: Json) -> int:
    return int(obj["metadata"]["resourceVersion"])


def label(rig: Rig, name: str, value: str) -> None:
    rig.api.patch(CONFIG_MAPS, "default", name, MERGE, {"metadata": {"labels": {"app": value}}})


def test_a_watch_from_a_version_judges_by_what_an_object_was_then(rig: Rig) -> None:
    for name in ("leaves", "stays"):
        rig.api.create(CONFIG_MAPS, "default", config_map(name, app="web"))
    rig.api.create(CONFIG_MAPS, "default", config_map("comes", app="other"))
    since = int(rig.api.list(CONFIG_MAPS, "default")["metadata"]["resourceVersion"])
    label(rig, "leaves", "other")
    label(rig, "comes", "web")
    rig.api.create(CONFIG_MAPS, "default", config_map("brief", app="web"))
    rig.api.delete(CONFIG_MAPS, "default", "brief")
    rig.api.delete(CONFIG_MAPS, "default", "stays")
    heard = rig.watch(CONFIG_MAPS, since, labels="app=web")
    assert [(op, obj["metadata"]["name"]) for op, obj in heard] == [
        ("DELETED", "leaves"),
        ("ADDED", "comes"),
        ("ADDED", "brief"),
        ("DELETED", "brief"),
        ("DELETED", "stays"),
    ]


def test_a_controllers_pod_takes_labels_and_annotations(rig: Rig) -> None:
    rig.api.create(DEPLOYMENTS, "default", workload("web", 1))
    rig.settle()
    (before,) = rig.pods()
    patch = {"metadata": {"labels": {"more": "1"}, "annotations": {"note": "2"}}}
    after = rig.api.patch(PODS, "default", before["metadata"]["name"], MERGE, patch)
    assert after["metadata"]["labels"] == {**before["metadata"]["labels"], "more": "1"}
    assert after["metadata"]["annotations"] == {"note": "2"}
    assert after["spec"] == before["spec"]
    assert before["spec"]["serviceAccountName"] == "default"


def test_a_rendered_pod_is_what_its_defaulting_makes_of_it(rig: Rig) -> None:
    made = workload("web", 1)
    limits = {"limits": {"cpu": "1", "memory": "1Gi"}}
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = limits
    rig.api.create(DEPLOYMENTS, "default", made)
    rig.settle()
    (shown,) = rig.pods()
    assert PODS.read(shown, "default")["spec"] == shown["spec"]
    assert shown["status"]["qosClass"] == "Guaranteed"


def test_a_watch_hears_each_version_once_and_in_order(rig: Rig) -> None:
    rig.api.create(REPLICA_SETS, "default", workload("web", 1))
    rig.settle()
    heard = rig.watch(PODS, rig.api.version)
    rig.api.create(PODS, "default", pod("stray", app="web"))
    rig.settle()
    of_stray = [(op, obj) for op, obj in heard if obj["metadata"]["name"] == "stray"]
    assert of_stray[0][0] == "ADDED"
    assert "ownerReferences" not in of_stray[0][1]["metadata"]
    assert "ownerReferences" in of_stray[1][1]["metadata"]
    versions = [version_of(obj) for _, obj in heard]
    assert versions == sorted(set(versions))


def test_a_watch_begins_at_the_version_of_a_get(rig: Rig) -> None:
    rig.api.create(CONFIG_MAPS, "default", config_map("one"))
    rig.api = ObjectAPI(rig.api._system)
    since = version_of(rig.api.get(CONFIG_MAPS, "default", "one"))
    rig.api.create(PODS, "default", pod("other"))
    label(rig, "one", "web")
    assert [op for op, _ in rig.watch(CONFIG_MAPS, since)] == ["MODIFIED"]


def test_a_watch_begins_before_others_have_asked_where_nothing_has_changed_since(rig: Rig) -> None:
    since = version_of(rig.api.create(CONFIG_MAPS, "default", config_map("one")))
    rig.api.create(PODS, "default", pod("other"))
    rig.api = ObjectAPI(rig.api._system)
    assert rig.watch(CONFIG_MAPS, since) == []
    rig.api.delete(CONFIG_MAPS, "default", "one")
    rig.api = ObjectAPI(rig.api._system)
    with pytest.raises(Rejected, match="too old resource version") as refused:
        rig.watch(CONFIG_MAPS, since)
    assert refused.value.code == 410


def test_a_version_that_is_yet_to_come_is_refused(rig: Rig) -> None:
    asked = rig.api.version + 5
    with pytest.raises(Rejected) as refused:
        rig.watch(PODS, asked)
    status = refused.value.status()
    text = f"Timeout: Too large resource version: {asked}, current: {asked - 5}"
    assert (status["code"], status["reason"], status["message"]) == (504, "Timeout", text)


def test_a_namespace_is_terminating_until_it_is_empty(rig: Rig) -> None:
    rig.api.create(NAMESPACES, "", {"metadata": {"name": "team"}})
    rig.api.create(DEPLOYMENTS, "team", workload("web", 2))
    rig.settle()
    assert len(rig.pods("team")) == 2
    shown = rig.api.delete(NAMESPACES, "", "team")
    assert shown["status"]["phase"] == "Terminating"
    assert shown["metadata"]["deletionTimestamp"]
    assert rig.api.delete(NAMESPACES, "", "team")["status"]["phase"] == "Terminating"
    with pytest.raises(Rejected) as refused:
        rig.api.create(CONFIG_MAPS, "team", config_map("late"))
    assert (refused.value.code, refused.value.message) == (
        403,
        'configmaps "late" is forbidden: unable to create new content in namespace team because it '
        "is being terminated",
    )
    assert rig.pods("team")
    rig.settle()
    assert not rig.pods("team")
    with pytest.raises(Rejected, match='namespaces "team" not found'):
        rig.api.get(NAMESPACES, "", "team")
    rig.api.create(NAMESPACES, "", {"metadata": {"name": "team"}})
    rig.api.create(CONFIG_MAPS, "team", config_map("again"))


def test_an_empty_namespace_goes(rig: Rig) -> None:
    rig.api.create(NAMESPACES, "", {"metadata": {"name": "team"}})
    rig.api.delete(NAMESPACES, "", "team")
    rig.settle()
    with pytest.raises(Rejected, match="not found"):
        rig.api.get(NAMESPACES, "", "team")


@pytest.mark.parametrize("name", ["default", "kube-public", "kube-system"])
def test_a_namespace_of_kubernetes_stays(rig: Rig, name: str) -> None:
    with pytest.raises(Rejected) as refused:
        rig.api.delete(NAMESPACES, "", name)
    text = f'namespaces "{name}" is forbidden: this namespace may not be deleted'
    assert (refused.value.code, refused.value.message) == (403, text)


def test_a_dry_run_passes_admission(rig: Rig) -> None:
    hard = {"hard": {"pods": "0", "count/deployments.apps": "0"}}
    rig.api.create(QUOTAS, "default", {"metadata": {"name": "none"}, "spec": hard})
    for row, body in ((PODS, pod("one")), (DEPLOYMENTS, workload("web", 1))):
        with pytest.raises(Rejected, match="exceeded quota: none") as refused:
            rig.api.create(row, "default", body, dry_run=True)
        assert refused.value.code == 403
        assert rig.api.list(row, "default")["items"] == []


def test_a_replica_set_keeps_what_is_written_to_it(rig: Rig) -> None:
    made = rig.api.create(REPLICA_SETS, "default", workload("web", 1, minReadySeconds=7))
    assert (made["metadata"]["labels"], made["spec"]["minReadySeconds"]) == ({"own": "yes"}, 7)
    rig.settle()
    held = rig.cluster.store.get("ReplicaSet", "default/web")
    assert held is not None
    assert held.min_ready == 7 * SECOND
    template = {"spec": {"containers": [{"name": "c", "image": "other"}]}}
    patch = {"metadata": {"annotations": {"a": "b"}}, "spec": {"template": template}}
    after = rig.api.patch(REPLICA_SETS, "default", "web", MERGE, patch)
    assert after["metadata"]["annotations"] == {"a": "b"}
    assert after["metadata"]["generation"] == 2
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "other"
    rig.api.patch(REPLICA_SETS, "default", "web", MERGE, {"spec": {"replicas": 2}})
    rig.settle()
    images = [each["spec"]["containers"][0]["image"] for each in rig.pods()]
    assert sorted(images) == ["fake", "other"]
    assert all("own" not in each["metadata"]["labels"] for each in rig.pods())


def test_a_deployments_replica_set_keeps_an_annotation(rig: Rig) -> None:
    rig.api.create(DEPLOYMENTS, "default", workload("web", 1))
    rig.settle()
    (before,) = rig.api.list(REPLICA_SETS, "default")["items"]
    name = before["metadata"]["name"]
    patch = {"metadata": {"annotations": {"a": "b"}}}
    after = rig.api.patch(REPLICA_SETS, "default", name, MERGE, patch)["metadata"]
    assert after["annotations"] == {**before["metadata"]["annotations"], "a": "b"}
    assert after["generation"] == before["metadata"]["generation"]
    assert after["ownerReferences"] == before["metadata"]["ownerReferences"]


def test_an_owner_that_waits_for_its_pods_shows_the_finalizer(rig: Rig) -> None:
    rig.api.create(REPLICA_SETS, "default", workload("web", 1))
    rig.settle()
    heard = rig.watch(REPLICA_SETS, rig.api.version)
    rig.api.delete(REPLICA_SETS, "default", "web", {"propagationPolicy": "Foreground"})
    shown = rig.api.get(REPLICA_SETS, "default", "web")
    assert shown["metadata"]["finalizers"] == ["foregroundDeletion"]
    rig.settle()
    assert heard[-1][0] == "DELETED"
    assert "finalizers" not in heard[-1][1]["metadata"]
