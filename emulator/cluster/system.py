"""The parts of one simulated cluster, put together: what runs between the store and the nodes.

Rules: parts hear of each other's work through the store alone; the order in which they are made here is
the order in which they hear of a change.
"""

from __future__ import annotations

from emulator.cluster.admission import Admission
from emulator.cluster.apiserver.status import Rejected, already_exists
from emulator.cluster.context import Cluster
from emulator.cluster.controllers.deployments import Deployments
from emulator.cluster.controllers.endpoints import Endpoints
from emulator.cluster.controllers.replicasets import PodRefused, ReplicaSets
from emulator.cluster.deletion import Deletion
from emulator.cluster.kubelet import Kubelet
from emulator.cluster.nodes import Nodes
from emulator.cluster.objects import Deployment, Group, Node, Pod
from emulator.cluster.objects.plain import Namespace
from emulator.cluster.quota import Quotas
from emulator.cluster.scheduler import Scheduler
from emulator.cluster.services import Services
from emulator.cluster.templates import read_deployment
from emulator.domain.kube import Object

#: The namespaces that every cluster has.
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


class System:
    """A cluster with its controllers, scheduler, kubelets and nodes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.deletion = Deletion(cluster)
        self.quotas = Quotas(cluster)
        self.admission = Admission(cluster, self.quotas)
        self.deployments = Deployments(cluster)
        self.replica_sets = ReplicaSets(cluster, self.deletion, self.admit)
        self.endpoints = Endpoints(cluster)
        self.scheduler = Scheduler(cluster, self.deletion)
        self.kubelet = Kubelet(cluster, self.deletion)
        self.services = Services(cluster, self.endpoints, self.quotas)
        self.nodes = Nodes(cluster, self.deletion, self.kubelet)
        for name in dict.fromkeys((cluster.settings.namespace, *_NAMESPACES)):
            labels = {"kubernetes.io/metadata.name": name}
            manifest = {
                "kind": "Namespace",
                "apiVersion": "v1",
                "metadata": {"name": name},
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            }
            cluster.store.add(Namespace(name, "", 0, labels=labels, manifest=manifest))
        for pool in cluster.settings.pools:
            for number in range(1, pool.count + 1):
                self.nodes.enroll(Node(f"{pool.name}-{number}", pool, cluster.now))

    def create_deployment(
        self, manifest: Object, namespace: str, group: Group | None = None
    ) -> Deployment:
        """Stores a Deployment that has been read and validated. Raises Rejected."""
        cluster = self.cluster
        name = manifest["metadata"]["name"]
        if cluster.store.get("Deployment", f"{namespace}/{name}") is not None:
            raise already_exists("apps", "deployments", name)
        deployment = Deployment(name, namespace, cluster.now, group=group)
        read_deployment(deployment, manifest)
        self.quotas.admit_deployment(deployment)
        if group is not None:
            group.deployment = deployment
        cluster.store.add(
            deployment, replicas=deployment.wanted, workload=group.name if group else ""
        )
        return deployment

    def update_deployment(self, deployment: Deployment, manifest: Object) -> None:
        """Stores a Deployment's new manifest, read and validated."""
        old = deployment.manifest
        read_deployment(deployment, manifest)
        if old is None or old["spec"] != manifest["spec"]:
            deployment.generation += 1
        self.cluster.store.changed(deployment)

    def delete_deployment(self, deployment: Deployment) -> None:
        """Removes a Deployment; what it owns goes after it."""
        self.cluster.store.remove(deployment)

    def admit(self, pod: Pod) -> None:
        """Admission of a pod that a controller makes. Raises PodRefused."""
        try:
            self.admission.admit(pod)
        except Rejected as rejected:
            raise PodRefused(rejected.message) from None
