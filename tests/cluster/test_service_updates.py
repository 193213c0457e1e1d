"""Services that change: what they hold follows, and what is refused changes nothing.

Sources: kubernetes 1.36 pkg/registry/core/service/storage/alloc.go, cloud-provider controllers/service,
pkg/controller/endpointslice, pkg/quota/v1/evaluator/core/services.go; Kubernetes facts section 7.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import pytest
from support import make_world

from emulator.cluster.apiserver.api import ObjectAPI
from emulator.cluster.apiserver.resources import PODS, SERVICES
from emulator.cluster.apiserver.status import Rejected
from emulator.cluster.objects import Service
from emulator.domain.timefmt import SECOND
from emulator.world import World

HOME = "digitalhub"
MERGE = "application/merge-patch+json"

Json = dict[str, Any]


class Rig:
    """A world without runs, and its object API."""

    def __init__(self, **options: Any) -> None:
        self.world: World = make_world(**options)
        self.system = self.world.platform.system
        self.api = ObjectAPI(self.system)

    def create(self, name: str, **spec: Any) -> Service:
        spec = {"selector": {"app": name}, "ports": [{"port": 80}], **spec}
        spec = {key: value for key, value in spec.items() if value is not None}
        meta = {"name": name}
        body = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
        self.api.create(SERVICES, HOME, body)
        return self.held(name)

    def held(self, name: str) -> Service:
        service = self.world.cluster.store.get("Service", f"{HOME}/{name}")
        assert isinstance(service, Service)
        return service

    def patch(self, name: str, **spec: Any) -> Json:
        return self.api.patch(SERVICES, HOME, name, MERGE, {"spec": spec})

    def shown(self, name: str) -> Json:
        return copy.deepcopy(self.api.get(SERVICES, HOME, name))

    def delete(self, name: str) -> None:
        self.api.delete(SERVICES, HOME, name)

    def advance(self, seconds: int) -> None:
        self.world.kernel.advance(self.world.now + seconds * SECOND)

    def pod(self, name: str, **spec: Any) -> None:
        """A pod of the Service of that name."""
        container = {"name": "c", "image": "fake", **spec}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"containers": [container]},
        }

        self.api.create(PODS, HOME, body)

    def allocated(self) -> dict[str, int]:
        held: dict[str, int] = self.system.services.allocated
        return held


NOTHING = {"cluster addresses": 0, "node ports": 0, "balancer addresses": 0}


def test_who_becomes_a_load_balancer_gets_an_address() -> None:
    rig = Rig()
    rig.create("a")
    rig.patch("a", type="LoadBalancer")
    rig.advance(60)
    (entry,) = rig.shown("a")["status"]["loadBalancer"]["ingress"]
    assert rig.system.services.find(entry["ip"]) is rig.held("a")
    rig.delete("a")
    assert rig.allocated() == NOTHING


def test_who_is_no_load_balancer_any_more_loses_the_address() -> None:
    rig = Rig()
    service = rig.create("a", type="LoadBalancer")
    rig.advance(60)
    address = service.ip
    rig.patch("a", type="ClusterIP")
    assert rig.shown("a")["status"] == {"loadBalancer": {}}
    assert rig.system.services.find(address) is None
    assert rig.allocated() == {**NOTHING, "cluster addresses": 1}


def test_who_stops_before_it_is_provisioned_gets_no_address() -> None:
    rig = Rig()
    rig.create("a", type="LoadBalancer")
    rig.advance(1)
    rig.patch("a", type="ClusterIP")
    rig.advance(600)
    assert rig.shown("a")["status"] == {"loadBalancer": {}}
    assert rig.allocated()["balancer addresses"] == 0


def test_a_refused_update_takes_no_node_port() -> None:
    rig = Rig()
    rig.create("x", type="NodePort", ports=[{"port": 80, "nodePort": 30300}])
    rig.create("a", type="NodePort", ports=[{"port": 80, "nodePort": 30100}])
    wish = rig.shown("a")
    first, second = {"name": "b", "port": 81, "nodePort": 30200}, {"name": "c", "port": 82}
    wish["spec"]["ports"] = [first, {**second, "nodePort": 30300}]
    with pytest.raises(Rejected) as refused:
        rig.api.update(SERVICES, HOME, "a", wish)
    assert refused.value.code == 422
    assert rig.allocated()["node ports"] == 2
    assert [port.node_port for port in rig.held("a").ports] == [30100]
    rig.delete("a")
    rig.delete("x")
    assert rig.allocated() == NOTHING


def test_a_refused_update_takes_no_address() -> None:
    rig = Rig()
    rig.create("x", type="NodePort", ports=[{"port": 80, "nodePort": 30300}])
    rig.create("e", type="ExternalName", externalName="there.example", ports=None)
    before, spec = rig.allocated(), rig.shown("e")["spec"]
    taken = [{"port": 80, "nodePort": 30300}]
    with pytest.raises(Rejected):
        rig.patch("e", type="NodePort", externalName=None, ports=taken)
    assert rig.allocated() == before
    assert rig.shown("e")["spec"] == spec
    shown = rig.patch("e", type="ClusterIP", externalName=None, ports=[{"port": 80}])
    assert rig.system.services.find(shown["spec"]["clusterIP"]) is rig.held("e")
    assert rig.allocated()["cluster addresses"] == 2


def test_an_unready_pod_is_published_where_the_service_says_so() -> None:
    rig = Rig()
    never = {"exec": {"command": ["no"]}, "initialDelaySeconds": 100_000}
    rig.pod("a", readinessProbe=never)
    service = rig.create("a")
    rig.advance(60)
    (endpoint,) = service.endpoints.values()
    assert (endpoint.ready, endpoint.serving) == (False, False)
    rig.patch("a", publishNotReadyAddresses=True)
    rig.advance(5)
    assert (endpoint.ready, endpoint.serving) == (True, False)
    assert rig.system.services.choose(service) is endpoint.pod


def test_a_slice_follows_the_ports_of_its_service() -> None:
    rig = Rig()
    rig.pod("a")
    service = rig.create("a")
    rig.advance(60)
    (slice_,) = service.slices
    rig.patch("a", ports=[{"port": 90, "targetPort": 9090}])
    rig.advance(5)
    assert slice_.ports is not None
    assert [port.target_port for port in slice_.ports] == [9090]


@pytest.mark.parametrize(
    "spec",
    [{"selector": None}, {"type": "ExternalName", "externalName": "there.example", "ports": None}],
    ids=["without a selector", "a mere name"],
)
def test_who_selects_nobody_gets_no_slice(spec: Json) -> None:
    rig = Rig()
    service = rig.create("a", **spec)
    rig.advance(60)
    assert service.slices == []


def test_a_full_balancer_range_is_tried_again() -> None:
    """After 5 s, 10 s, 20 s... each attempt lasts as long as a first one (5 s)."""
    rig = Rig(balancer_range="198.18.0.0/29")
    for number in range(6):
        rig.create(f"s{number}", type="LoadBalancer")
    rig.advance(6)
    late = rig.create("late", type="LoadBalancer")
    rig.advance(60)
    failed = [
        row.t
        for row in rig.world.journal.rows
        if row.kind == "event" and row.data["reason"] == "SyncLoadBalancerFailed"
    ]
    gaps = [after - before for before, after in pairwise(failed)]
    assert gaps == [10 * SECOND, 15 * SECOND, 25 * SECOND]
    rig.delete("s0")
    rig.advance(60)
    assert late.ip
    assert late.timer is None


def test_two_protocols_share_a_node_port() -> None:
    rig = Rig()
    tcp = {"name": "t", "port": 53, "protocol": "TCP", "nodePort": 30053}
    rig.create("dns", type="NodePort", ports=[tcp, {**tcp, "name": "u", "protocol": "UDP"}])
    assert [port.node_port for port in rig.held("dns").ports] == [30053, 30053]
    del tcp["nodePort"]
    rig.create("any", type="NodePort", ports=[tcp, {**tcp, "name": "u", "protocol": "UDP"}])
    numbers = {port.node_port for port in rig.held("any").ports}
    assert len(numbers) == 1
    assert 0 not in numbers
    assert rig.allocated()["node ports"] == 2
    rig.delete("dns")
    rig.delete("any")
    assert rig.allocated() == NOTHING


def test_a_quota_admits_updates_too() -> None:
    """Only what the Service takes more is asked for: a full `services` stays no obstacle."""
    rig = Rig()
    rig.system.quotas.set("q", {"services": "1", "services.nodeports": "0"}, HOME)
    rig.create("a")
    with pytest.raises(Rejected) as refused:
        rig.patch("a", type="NodePort")
    assert refused.value.code == 403
    assert refused.value.message == (
        'services "a" is forbidden: exceeded quota: q, requested: services.nodeports=1, '
        "used: services.nodeports=0, limited: services.nodeports=0"
    )
    assert rig.allocated()["node ports"] == 0
    rig.patch("a", ports=[{"port": 81}])
    assert rig.held("a").ports[0].port == 81
