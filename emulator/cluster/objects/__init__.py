"""The cluster's objects as the simulation holds them: small, mutable, slotted, never shown as they are.

Rules: what leaves the cluster is rendered from these; a resting object has no timer and no rendered
status. One module a family: `stored` (what all have), `pods`, `workloads`, `network`, `nodes`,
`policy`.
"""

from __future__ import annotations

from emulator.cluster.objects.network import Endpoint, EndpointSlice, Service
from emulator.cluster.objects.nodes import Node, Taint
from emulator.cluster.objects.pods import Pod, PodTemplate, Probe, Toleration
from emulator.cluster.objects.policy import LimitRange, PriorityClass, ResourceQuota
from emulator.cluster.objects.stored import Conditioned, Stored
from emulator.cluster.objects.workloads import Deployment, Group, ReplicaSet

__all__ = [
    "Conditioned",
    "Deployment",
    "Endpoint",
    "EndpointSlice",
    "Group",
    "LimitRange",
    "Node",
    "Pod",
    "PodTemplate",
    "PriorityClass",
    "Probe",
    "ReplicaSet",
    "ResourceQuota",
    "Service",
    "Stored",
    "Taint",
    "Toleration",
]
