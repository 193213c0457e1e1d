"""Tables: what kubectl prints, column by column.

Source: Kubernetes pkg/printers/internalversion/printers.go and util/duration.
"""

from __future__ import annotations

from typing import Any

import pytest
from kube_wire import DEPLOYMENTS, PODS, TABLE, Wire, deployment
from support import IMAGE, MISSING

from emulator.cluster.apiserver.resources import ROWS
from emulator.domain.timefmt import OFFLINE_EPOCH, SECOND, iso_seconds
from emulator.kubeapi.tables import others, pods, text, workloads
from emulator.kubeapi.tables.text import Ages

Json = dict[str, Any]
AGES = Ages(OFFLINE_EPOCH + 100 * SECOND)


def at(seconds: int) -> str:
    return iso_seconds(OFFLINE_EPOCH + seconds * SECOND)


def shown(wire: Wire, path: str) -> list[dict[str, Any]]:
    """The rows of a table, by the names of its columns."""
    table = wire.get(path, accept=TABLE)
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    columns = [each["name"] for each in table["columnDefinitions"]]
    return [dict(zip(columns, row["cells"], strict=True)) for row in table["rows"]]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (599, "9m59s"),
        (600, "10m"),
        (179 * 60 + 59, "179m"),
        (180 * 60, "3h"),
        (7 * 3600 + 59 * 60, "7h59m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (49 * 3600, "2d1h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (740 * 86400, "2y10d"),
        (8 * 365 * 86400, "8y"),
    ],
)
def test_an_age_has_the_units_of_kubectl(seconds: int, expected: str) -> None:
    assert text.human(seconds) == expected


# -- pods -----------------------------------------------------------------------------------------


def pod(*states: Json, phase: str = "Running", **more: Any) -> Json:
    """A pod with containers in these states."""
    containers = [
        {"state": state, "ready": "running" in state, "restartCount": 0} for state in states
    ]
    return {
        "metadata": {"name": "p", "creationTimestamp": at(0), **more.pop("metadata", {})},
        "spec": {"containers": [{"name": f"c{n}"} for n in range(len(states) or 1)]},
        "status": {"phase": phase, "containerStatuses": containers, **more},
    }


RUNNING: Json = {"running": {}}
DELETED = {"deletionTimestamp": at(1)}
COMPLETED = {"terminated": {"reason": "Completed"}}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (pod(RUNNING), "Running"),
        (pod(phase="Pending"), "Pending"),
        (pod({"waiting": {"reason": "ContainerCreating"}}, phase="Pending"), "ContainerCreating"),
        (pod({"waiting": {"reason": "CrashLoopBackOff"}}), "CrashLoopBackOff"),
        (pod({"waiting": {"reason": "ImagePullBackOff"}}, phase="Pending"), "ImagePullBackOff"),
        (pod({"terminated": {"reason": "OOMKilled", "exitCode": 137}}), "OOMKilled"),
        (pod({"terminated": {"reason": "Error", "exitCode": 1}}), "Error"),
        (pod({"terminated": {"exitCode": 3}}), "ExitCode:3"),
        (pod({"terminated": {"signal": 9}}), "Signal:9"),
        (pod(COMPLETED, phase="Succeeded"), "Completed"),
        (pod(COMPLETED, RUNNING), "NotReady"),
        (pod(COMPLETED, RUNNING, conditions=[{"type": "Ready", "status": "True"}]), "Running"),
        (pod(phase="Failed", reason="Evicted"), "Evicted"),
        (pod(RUNNING, metadata=DELETED), "Terminating"),
        (pod(COMPLETED, phase="Succeeded", metadata=DELETED), "Completed"),
        (pod(RUNNING, reason="NodeLost", metadata=DELETED), "Unknown"),
        (
            pod(
                phase="Pending",
                conditions=[
                    {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
                ],
            ),
            "SchedulingGated",
        ),
    ],
)
def test_the_status_of_a_pod_is_what_holds_it_up(given: Json, status: str) -> None:
    assert pods.cells(given, AGES)[2] == status


def test_restarts_say_when_the_last_one_was() -> None:
    given = pod(RUNNING)
    (container,) = given["status"]["containerStatuses"]
    assert pods.cells(given, AGES)[3] == "0"
    container |= {"restartCount": 3, "lastState": {"terminated": {"finishedAt": at(80)}}}
    assert pods.cells(given, AGES)[3] == "3 (20s ago)"


def test_readiness_gates_are_counted() -> None:
    given = pod(RUNNING, conditions=[{"type": "a", "status": "True"}])
    assert pods.cells(given, AGES)[8] == "<none>"
    given["spec"]["readinessGates"] = [{"conditionType": "a"}, {"conditionType": "b"}]
    assert pods.cells(given, AGES)[8] == "1/2"


# -- the others -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "status", "external"),
    [
        ({"type": "ClusterIP"}, {}, "<none>"),
        ({"type": "NodePort", "externalIPs": ["1.2.3.4"]}, {}, "1.2.3.4"),
        ({"type": "LoadBalancer"}, {}, "<pending>"),
        (
            {"type": "LoadBalancer"},
            {"ingress": [{"ip": "5.6.7.8"}, {"hostname": "h"}]},
            "5.6.7.8,h",
        ),
        ({"type": "ExternalName", "externalName": "example.org"}, {}, "example.org"),
    ],
)
def test_the_external_address_of_a_service(spec: Json, status: Json, external: str) -> None:
    given = {"metadata": {"name": "s"}, "spec": spec, "status": {"loadBalancer": status}}
    assert workloads.service(given, AGES)[3] == external


def test_the_ports_of_a_service_name_the_nodes_port() -> None:
    ports = [{"port": 80, "protocol": "TCP", "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]
    given = {"metadata": {"name": "s"}, "spec": {"ports": ports}}
    assert workloads.service(given, AGES)[4] == "80:30080/TCP,53/UDP"


@pytest.mark.parametrize(
    ("ready", "spec", "status"),
    [
        ("True", {}, "Ready"),
        ("Unknown", {}, "NotReady"),
        (None, {}, "Unknown"),
        ("True", {"unschedulable": True}, "Ready,SchedulingDisabled"),
    ],
)
def test_the_status_of_a_node(ready: str | None, spec: Json, status: str) -> None:
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    given = {"metadata": {"name": "n"}, "spec": spec, "status": {"conditions": conditions}}
    assert workloads.node(given, AGES)[1] == status


def test_the_roles_of_a_node_are_its_labels() -> None:
    labels = {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "edge", "a": "b"}
    given = {"metadata": {"name": "n", "labels": labels}}
    assert workloads.node(given, AGES)[2] == "control-plane,edge"


def test_endpoints_are_cut_after_three() -> None:
    given = {
        "metadata": {"name": "e"},
        "addressType": "IPv4",
        "ports": [{"port": 80}, {"name": "x"}, {}],
        "endpoints": [{"addresses": [f"10.0.0.{n}"]} for n in range(5)],
    }
    assert workloads.endpoint_slice(given, AGES)[2:4] == [
        "80,x,*",
        "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more...",
    ]
    empty: Json = {"metadata": {"name": "e"}, "endpoints": [], "ports": None}
    assert workloads.endpoint_slice(empty, AGES)[2:4] == ["<unset>", "<unset>"]


def test_a_selector_is_written_as_kubectl_writes_it() -> None:
    given = {
        "matchLabels": {"b": "1", "a": "2"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["y", "x"]},
            {"key": "d", "operator": "DoesNotExist"},
            {"key": "e", "operator": "Exists"},
        ],
    }
    assert text.selector(given) == "a=2,b=1,c in (x,y),!d,e"


def test_a_quota_is_shown_with_what_is_used_of_it() -> None:
    status = {"hard": {"pods": "4", "limits.cpu": "2", "requests.cpu": "1"}, "used": {"pods": "3"}}
    given = {"metadata": {"name": "q", "creationTimestamp": at(40)}, "status": status}
    assert others.resource_quota(given, AGES) == [
        "q",
        "pods: 3/4, requests.cpu: 0/1",
        "limits.cpu: 0/2",
        "60s",
    ]


def test_an_event_reads_the_same_in_both_its_shapes() -> None:
    old = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "source": {"component": "kubelet", "host": "n"},
        "firstTimestamp": at(0),
        "lastTimestamp": at(90),
        "count": 4,
        "message": " said ",
        "type": "Normal",
        "reason": "Pulled",
    }
    new = {
        "metadata": {"name": "e"},
        "regarding": {"kind": "Pod", "name": "p"},
        "deprecatedSource": {"component": "kubelet", "host": "n"},
        "deprecatedFirstTimestamp": at(0),
        "deprecatedLastTimestamp": at(90),
        "deprecatedCount": 4,
        "note": " said ",
        "type": "Normal",
        "reason": "Pulled",
    }
    expected = ["10s", "Normal", "Pulled", "pod/p", "", "kubelet, n", "said", "100s", 4, "e"]
    assert others.event(old, AGES) == others.event(new, AGES) == expected


def test_a_series_tells_its_own_count_and_time() -> None:
    given = {
        "metadata": {"name": "e"},
        "eventTime": at(0),
        "reportingComponent": "default-scheduler",
        "series": {"count": 7, "lastObservedTime": at(95)},
    }
    cells = others.event(given, AGES)
    assert (cells[0], cells[5], cells[7], cells[8]) == ("5s", "default-scheduler", "100s", 7)


# -- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wire() -> Wire:
    """A cluster with a Deployment that runs, and one whose image is nowhere."""
    wire = Wire()
    wire.make(DEPLOYMENTS, deployment(replicas=2))
    wire.make(DEPLOYMENTS, deployment("lost", image=MISSING))
    wire.make(
        "/api/v1/namespaces/default/services",
        {
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        },
    )
    wire.advance(65)
    return wire


def test_deployments_and_their_pods_as_kubectl_prints_them(wire: Wire) -> None:
    lost, web = shown(wire, DEPLOYMENTS)
    assert web == {
        "Name": "web",
        "Ready": "2/2",
        "Up-to-date": 2,
        "Available": 2,
        "Age": "65s",
        "Containers": "main",
        "Images": IMAGE,
        "Selector": "app=web",
    }
    assert lost["Ready"] == "0/1"
    rows = {row["Name"].partition("-")[0]: row for row in shown(wire, PODS)}
    assert (rows["web"]["Ready"], rows["web"]["Status"]) == ("1/1", "Running")
    assert rows["web"]["Node"].startswith("node-")
    assert (rows["lost"]["Ready"], rows["lost"]["Status"]) == ("0/1", "ImagePullBackOff")
    (service,) = shown(wire, "/api/v1/namespaces/default/services")
    assert (service["Type"], service["Port(s)"], service["Selector"]) == (
        "ClusterIP",
        "80/TCP",
        "app=web",
    )
    slices = shown(wire, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")
    assert len(slices[0]["Endpoints"].split(",")) == 2


def test_one_object_is_a_table_of_one_row_with_its_metadata(wire: Wire) -> None:
    table = wire.get(f"{DEPLOYMENTS}/web", accept=TABLE)
    (row,) = table["rows"]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"]["labels"] == {"app": "web"}
    assert "spec" not in row["object"]


def test_a_row_carries_what_includeobject_says(wire: Wire) -> None:
    def object_of(text: str) -> Any:
        table = wire.get(f"{DEPLOYMENTS}/web?includeObject={text}", accept=TABLE)
        return table["rows"][0]["object"]

    assert object_of("None") is None
    assert object_of("Object")["spec"]["replicas"] == 2
    answer = wire.ask("GET", f"{DEPLOYMENTS}?includeObject=All", accept=TABLE)
    assert answer.status_code == 400


def test_an_older_client_gets_the_version_that_it_names(wire: Wire) -> None:
    accept = "application/json;as=Table;v=v1beta1;g=meta.k8s.io"
    assert wire.get(PODS, accept=accept)["apiVersion"] == "meta.k8s.io/v1beta1"


def test_a_refusal_stays_a_status(wire: Wire) -> None:
    assert wire.ask("GET", f"{PODS}/none", accept=TABLE).json()["kind"] == "Status"


def test_every_resource_has_a_table(wire: Wire) -> None:
    for row in ROWS:
        start = f"/apis/{row.group}/{row.version}" if row.group else f"/api/{row.version}"
        table = wire.get(f"{start}/{row.plural}", accept=TABLE)
        widths = {len(each["cells"]) for each in table["rows"]}
        assert widths <= {len(table["columnDefinitions"])}, row.plural
        assert table["columnDefinitions"][0]["name"] in ("Name", "Last Seen")
