"""Services as the cluster makes them: types, ports, addresses, aliases, and every refusal.

Sources: kubernetes 1.36 pkg/registry/core/service and pkg/apis/core/validation (texts, allocation before
validation, 500 for a full range); contract sections 4.1 and 4.4.
"""

from __future__ import annotations

from typing import Any

import pytest
from support import (
    BOTH,
    PORT,
    Deployment,
    act,
    advance,
    delete,
    deploy,
    events,
    exists,
    leftovers,
    make_world,
    ports,
    settle,
    status,
    until,
)

from emulator.cluster.distributions import Constant
from emulator.control.entities import Run
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND
from emulator.platform import NoRoute, Route
from emulator.world import World

NAME = "s-containerserve-abc"


def owner(world: World, host: str) -> str:
    """The run behind a host; empty where nobody answers."""
    found = world.route(host, PORT)
    return found.workload if isinstance(found, Route) else ""


def refused(world: World, run: Run) -> str:
    """The message of a run that the cluster refused, of which nothing is left."""
    settle(world, run)
    assert run.state is State.ERROR
    advance(world, MINUTE)
    held = {name: what for name, what in leftovers(world).items() if name != "runs"}
    assert held == {}
    assert "service" not in status(run)
    return str(status(run)["message"])


# -- types ------------------------------------------------------------------------------------------


def test_a_node_port_is_in_the_dynamic_band() -> None:
    world = make_world()
    run = settle(world, deploy(world, service_type="NodePort", service_ports=ports(80, 443)))
    block = status(run)["service"]
    numbers = [port["nodePort"] for port in block["ports"]]
    assert block["type"] == "NodePort"
    assert len(set(numbers)) == 2
    assert all(30086 <= number <= 32767 for number in numbers)
    assert list(block["ports"][0]) == ["name", "port", "protocol", "targetPort", "nodePort"]


def test_a_load_balancer_gets_its_address_later() -> None:
    """Its url is the address; core sees it at the next poll, since Services are not watched."""
    world = make_world()
    run = settle(world, deploy(world, id="abc", service_type="LoadBalancer"))
    block = status(run)["service"]
    assert run.state is State.RUNNING
    assert "url" not in block
    assert "ip" not in block
    assert isinstance(world.route(NAME, PORT), Route)
    advance(world, 10 * SECOND - world.now - 1)
    (row,) = events(world, "EnsuredLoadBalancer")
    assert row.t == 5 * SECOND + 10 * MILLISECOND
    assert "url" not in status(run)["service"]
    advance(world, 1)
    block = status(run)["service"]
    assert block["ip"].startswith("198.1")
    assert block["url"] == f"{block['ip']}:{PORT}"
    assert owner(world, block["ip"]) == "abc"
    raw = status(run)["k8s"]["service"]["status"]
    assert raw == {"loadBalancer": {"ingress": [{"ip": block["ip"]}]}}


def test_a_load_balancer_that_goes_before_it_has_an_address() -> None:
    world = make_world()
    run = deploy(world, service_type="LoadBalancer")
    advance(world, 3 * SECOND)
    delete(world, run)
    advance(world, MINUTE)
    assert leftovers(world) == {}
    assert not events(world, "EnsuredLoadBalancer")


def test_several_ports_have_a_url_each() -> None:
    world = make_world()
    run = settle(world, deploy(world, id="abc", service_ports=ports(8080, 9090, 80)))
    block = status(run)["service"]
    assert block["url"] == f"{NAME}:8080"
    assert block["urls"] == [f"{NAME}:8080", f"{NAME}:9090", f"{NAME}:80"]
    assert [port["name"] for port in block["ports"]] == ["port8080", "port9090", "port80"]
    for port in (8080, 9090, 80):
        assert isinstance(world.route(NAME, port), Route)
    assert world.route(NAME, 81) == NoRoute(service=NAME, ports=(8080, 9090, 80))
    assert world.route("no-such", 80) == NoRoute()


def test_requests_are_spread_over_the_ready_replicas() -> None:
    world = make_world()
    run = settle(world, deploy(world, id="abc", replicas=3))
    advance(world, MINUTE)
    assert run.seen is not None
    assert run.seen.deployment is not None
    assert (run.seen.deployment.desired, run.seen.deployment.ready) == (3, 3)
    assert [(each.type, each.status) for each in run.seen.deployment.conditions] == [
        ("Available", "True"),
        ("Progressing", "True"),
    ]
    seen = [world.route(NAME, PORT) for _ in range(300)]
    counts = {pod.name: 0 for pod in run.seen.pods}
    for each in seen:
        assert isinstance(each, Route)
        counts[each.pod] += 1
    assert all(60 <= count <= 140 for count in counts.values())


def test_entries_that_lack_a_number_are_dropped() -> None:
    world = make_world()
    run = settle(
        world,
        deploy(
            world, service_ports=[{"port": 1}, {"target_port": 2}, {"port": 3, "target_port": 4}]
        ),
    )
    assert [port["port"] for port in status(run)["service"]["ports"]] == [3]


# -- refusals -----------------------------------------------------------------------------------------

_RANGE = "must be between 1 and 65535, inclusive"
_PORT_MEND = "give a port between 1 and 65535"


@pytest.mark.parametrize(
    ("asked", "body", "mend"),
    [
        ([], "spec.ports: Required value", "give the run service_ports with port and target_port"),
        (
            [{"port": 0, "target_port": 1}],
            f"spec.ports[0].port: Invalid value: 0: {_RANGE}",
            _PORT_MEND,
        ),
        (
            [{"port": 70000, "target_port": 1}],
            f"spec.ports[0].port: Invalid value: 70000: {_RANGE}",
            _PORT_MEND,
        ),
        (
            [{"port": 80, "target_port": 1}, {"port": 80, "target_port": 2}],
            '[spec.ports[1].name: Duplicate value: "port80", '
            'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,'
            '"Port":80,"TargetPort":0,"NodePort":0}]',
            "",
        ),
    ],
)
def test_ports_that_cannot_be(asked: list[dict[str, int]], body: str, mend: str) -> None:
    world = make_world()
    text = refused(world, deploy(world, id="abc", service_ports=asked))
    assert text == f'k8s: Service "{NAME}" is invalid: {body}' + (f": {mend}" if mend else "")


def test_a_target_port_that_cannot_be_is_refused_with_the_probes() -> None:
    world = make_world()
    text = refused(
        world, deploy(world, id="abc", service_ports=[{"port": 80, "target_port": 70000}])
    )
    at = "spec.template.spec.containers[0].readinessProbe.tcpSocket.port"
    assert text.startswith('k8s: Deployment.apps "d-containerserve-abc" is invalid: [')
    assert f"{at}: Invalid value: 70000: {_RANGE}" in text
    assert text.endswith(_PORT_MEND)


def test_an_external_name_cannot_work() -> None:
    """Contract section 4.4: no external name is ever set."""
    world = make_world()
    text = refused(world, deploy(world, id="abc", service_type="ExternalName"))
    assert text == f'k8s: Service "{NAME}" is invalid: spec.externalName: Required value'


def test_a_name_that_is_no_label() -> None:
    world = make_world()
    text = refused(world, deploy(world, id="abc-"))
    assert "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric" in text


@pytest.mark.parametrize("field", ["cpu", "mem", "gpu", "disk"])
def test_what_is_no_quantity(field: str) -> None:
    world = make_world()
    text = refused(world, deploy(world, resources={field: "much"}))
    assert "much" in text if field == "mem" else "quantities must match" in text


@pytest.mark.parametrize("profile", BOTH)
@pytest.mark.parametrize("projects", [("demo", "demo"), ("demo", "other")])
def test_names_that_collide(profile: str, projects: tuple[str, str]) -> None:
    """`a.b` and `ab` are the same once sanitised: the first keeps everything, the second ends."""
    world = make_world(profile)
    first = settle(world, deploy(world, id="a.b", project=projects[0]))
    block = status(first)["service"]
    second = settle(world, deploy(world, id="ab", project=projects[1]))
    assert second.state is State.ERROR
    told = status(second)["message"].replace('\\"', '"')
    assert 'deployments.apps "d-containerserve-ab" already exists' in told
    advance(world, MINUTE)
    assert first.state is State.RUNNING
    assert status(first)["service"] == block
    assert owner(world, "s-containerserve-ab") == "a.b"
    delete(world, second)
    advance(world, MINUTE)
    assert owner(world, "s-containerserve-ab") == "a.b"
    delete(world, first)
    advance(world, MINUTE)
    assert leftovers(world) == {}


def test_a_name_is_free_again_when_its_run_is_gone() -> None:
    world = make_world()
    settle(world, deploy(world, id="a.b"))
    delete(world, world.plane.repository.run("a.b"))
    advance(world, MINUTE)
    again = settle(world, deploy(world, id="ab"))
    assert again.state is State.RUNNING


def test_a_run_of_the_same_id_inherits_no_pod() -> None:
    """The row goes with the objects; a container that takes its time to end is still there."""
    rules = [{"image": "slow", "echo": True, "startup": "30s"}]
    world = make_world(rules=rules, stop=Constant(20 * SECOND))
    old = settle(world, deploy(world, id="abc"))
    delete(world, old)
    until(world, lambda: not exists(world, old))
    new = deploy(world, id="abc", image="slow")
    until(world, lambda: new.state is State.PENDING)
    advance(world, 15 * SECOND)
    assert len(world.cluster.groups["abc"].pods) == 2
    assert new.state is State.PENDING
    assert isinstance(world.route(NAME, PORT), NoRoute)
    settle(world, new)
    advance(world, MINUTE)
    assert len(world.cluster.groups["abc"].pods) == 1
    assert owner(world, NAME) == "abc"


# -- addresses ----------------------------------------------------------------------------------------


def fill(world: World, deployment: Deployment) -> list[Run]:
    """Runs of one function until a /29 is full: six addresses, less .1 and the alias's."""
    return [settle(world, deployment.run(f"r{number}")) for number in range(4)]


def test_a_full_range() -> None:
    world = make_world(service_range="10.96.0.0/29")
    deployment = Deployment(world)
    runs = fill(world, deployment)
    assert [run.state for run in runs] == [State.RUNNING] * 4
    addresses = {status(run)["service"]["clusterIP"] for run in runs}
    assert addresses < {f"10.96.0.{number}" for number in range(2, 7)}
    last = settle(world, deployment.run("abc"))
    assert last.state is State.ERROR
    assert status(last)["message"] == (
        f'k8s: Internal error occurred: failed to allocate a serviceIP for Service "{NAME}": '
        "range is full: stop a service, or take a larger --service-range"
    )
    advance(world, MINUTE)
    assert [run.state for run in runs] == [State.RUNNING] * 4
    act(world, runs[0], "stop")
    settle(world, runs[0])
    assert settle(world, deployment.run("again")).state is State.RUNNING


def test_the_range_is_asked_before_the_ports() -> None:
    """Allocation comes before validation: a full range hides what is wrong with the Service."""
    world = make_world(service_range="10.96.0.0/29")
    deployment = Deployment(world)
    fill(world, deployment)
    last = settle(world, deployment.run("abc", service_ports=[]))
    assert "range is full" in status(last)["message"]


def test_a_refused_service_gives_its_address_back() -> None:
    world = make_world(service_range="10.96.0.0/29")
    for _ in range(20):
        assert settle(world, deploy(world, service_ports=[])).state is State.ERROR
    assert settle(world, deploy(world)).state is State.RUNNING


def test_addresses_are_used_again_and_again() -> None:
    world = make_world(service_range="10.96.0.0/29")
    for _ in range(20):
        run = settle(world, deploy(world, service_type="NodePort"))
        assert run.state is State.RUNNING
        delete(world, run)
        advance(world, MINUTE)
    assert leftovers(world) == {}


# -- aliases ------------------------------------------------------------------------------------------


def alias_rows(world: World) -> list[tuple[str, Any]]:
    """What the journal says of the alias `latest`: who has it."""
    return [
        (row.kind, row.data.get("workload", "gone"))
        for row in world.journal.rows
        if row.subject == "Service/s-demo-f-latest"
    ]


def test_an_alias_goes_to_the_newest_and_back_and_keeps_its_address() -> None:
    world = make_world()
    deployment = Deployment(world, function="f")
    settle(world, deployment.run("one"))
    alias = world.cluster.store.get("Service", "digitalhub/s-demo-f-latest")
    assert alias is not None
    address = alias.cluster_ip
    two = settle(world, deployment.run("two", service_ports=ports(PORT, 9090)))
    advance(world, SECOND)
    assert owner(world, "s-demo-f-latest") == owner(world, address) == "two"
    assert isinstance(world.route("s-demo-f-latest", 9090), Route)
    delete(world, two)
    advance(world, MINUTE)
    assert owner(world, "s-demo-f-latest") == "one"
    assert isinstance(world.route("s-demo-f-latest", 9090), NoRoute)
    delete(world, world.plane.repository.run("one"))
    advance(world, MINUTE)
    assert leftovers(world) == {}
    services = [what for kind, what in alias_rows(world) if kind == "object"]
    assert services[0] == "one"
    assert services[-1] == "gone"


def test_an_older_run_that_comes_to_running_late_takes_nothing() -> None:
    """Two versions of a function, both with the same service name; the older starts slowly."""
    world = make_world(rules=[{"image": "slow", "echo": True, "startup": "30s"}])
    old = Deployment(world, function="f", image="slow").run("old", service_name="stable")
    advance(world, SECOND)
    new = Deployment(world, function="f").run("new", service_name="stable")
    settle(world, new)
    advance(world, SECOND)
    assert owner(world, "s-demo-f-stable") == "new"
    settle(world, old)
    assert old.state is State.RUNNING
    assert owner(world, "s-demo-f-stable") == "new"
    delete(world, new)
    advance(world, MINUTE)
    assert owner(world, "s-demo-f-stable") == "old"


def test_a_service_name_is_an_alias_and_shown() -> None:
    world = make_world()
    run = settle(world, deploy(world, function="f", service_name="blue"))
    advance(world, MINUTE)
    assert f"s-demo-f-blue:{PORT}" in status(run)["service"]["aliases"]
    other = settle(world, deploy(world, function="h"))
    assert "aliases" not in status(other)["service"]


def test_who_loses_an_alias_shows_it_no_more() -> None:
    world = make_world()
    deployment = Deployment(world, function="f")
    first = settle(world, deployment.run("one", service_name="blue"))
    advance(world, MINUTE)
    shown = [f"s-demo-f-blue:{PORT}", f"s-demo-f-latest:{PORT}"]
    assert status(first)["service"]["aliases"] == shown
    second = settle(world, deployment.run("two", service_name="blue"))
    advance(world, MINUTE)
    assert status(second)["service"]["aliases"] == shown
    assert "aliases" not in status(first)["service"]
    delete(world, second)
    advance(world, MINUTE)
    assert status(first)["service"]["aliases"] == shown


def test_only_the_newest_version_is_latest() -> None:
    world = make_world()
    old = Deployment(world, function="f")
    new = Deployment(world, function="f")
    settle(world, new.run("new"))
    settle(world, old.run("old"))
    advance(world, HOUR)
    assert owner(world, "s-demo-f-latest") == "new"
