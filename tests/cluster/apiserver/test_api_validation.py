"""Causes of refused objects: their order, fields and words, and what may not change.

Source: Kubernetes facts section 2; core and apps `validation.go`.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest

from emulator.cluster.apiserver import allocation, resources
from emulator.cluster.apiserver.status import Rejected
from emulator.cluster.apiserver.validation import names

Object = dict[str, Any]

BAD_LABEL = "a valid label must be an empty string or consist of alphanumeric characters"


def _row(kind: str) -> resources.Resource:
    return next(row for row in resources.ROWS if row.kind == kind)


def _service(**spec: Any) -> Object:
    body = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], **spec}}
    obj = _row("Service").read(body, "ns")
    allocation.prepare(obj)
    if allocation.needs_address(obj):
        allocation.set_address(obj, "10.96.0.5")
    return obj


def _deployment(container: Object | None = None, **spec: Any) -> Object:
    pod = {"containers": [{"name": "c", "image": "nginx", **(container or {})}]}
    body = {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"app": "d"}},
            "template": {"metadata": {"labels": {"app": "d"}}, "spec": pod},
            **spec,
        },
    }
    return _row("Deployment").read(body, "ns")


def _causes(obj: Object, old: Object | None = None) -> list[tuple[str, str]]:
    row = _row(obj["kind"])
    refuse = partial(row.validate, obj) if old is None else partial(row.validate_update, obj, old)
    with pytest.raises(Rejected) as caught:
        refuse()
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    return [(each["field"], each["message"]) for each in caught.value.causes]


def _stored(obj: Object) -> Object:
    obj["metadata"]["resourceVersion"] = "1"
    return copy.deepcopy(obj)


def test_good_objects_pass() -> None:
    _row("Service").validate(_service())
    _row("Service").validate(_service(type="LoadBalancer"))
    _row("Service").validate(_service(type="ExternalName", externalName="a.example."))
    _row("Service").validate(_service(clusterIP="None", ports=[]))
    _row("Deployment").validate(_deployment())


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"type": "ExternalName"}, "spec.externalName", "Required value"),
        (
            {"ports": [{"port": 80, "nodePort": 30007}]},
            "spec.ports[0].nodePort",
            "Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
        (
            {"sessionAffinity": "Sticky"},
            "spec.sessionAffinity",
            'Unsupported value: "Sticky": supported values: "ClientIP", "None"',
        ),
        (
            {"ports": [{"port": 80, "targetPort": "-a"}]},
            "spec.ports[0].targetPort",
            'Invalid value: "-a": must not begin or end with a hyphen',
        ),
        (
            {"allocateLoadBalancerNodePorts": True},
            "spec.allocateLoadBalancerNodePorts",
            "Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        (
            {"externalTrafficPolicy": "Local"},
            "spec.externalTrafficPolicy",
            'Invalid value: "Local": may only be set for externally-accessible services',
        ),
        (
            {"ports": [{"name": "a", "port": 80}, {"name": "a", "port": 81}]},
            "spec.ports[1].name",
            'Duplicate value: "a"',
        ),
        (
            {"clusterIP": "None", "type": "NodePort"},
            "spec.clusterIPs[0]",
            "Invalid value: \"None\": may not be set to 'None' for NodePort services",
        ),
    ],
)
def test_a_service_is_refused_with_its_cause(spec: Object, field: str, message: str) -> None:
    assert _causes(_service(**spec)) == [(field, message)]


def test_port_and_protocol_are_unique_together() -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 80}]
    (field, message), *rest = _causes(_service(ports=ports))
    assert (field, rest) == ("spec.ports[1]", [])
    assert message.startswith('Duplicate value: {"Name":"","Protocol":"TCP"')
    _row("Service").validate(_service(ports=[ports[0], {**ports[1], "protocol": "UDP"}]))


def test_a_services_name_may_start_with_a_digit_but_have_no_dot() -> None:
    obj = _service()
    obj["metadata"]["name"] = "1abc"
    _row("Service").validate(obj)
    obj["metadata"]["name"] = "a.b"
    assert _causes(obj) == [("metadata.name", 'Invalid value: "a.b": must not contain dots')]


@pytest.mark.parametrize(
    ("address", "detail"),
    [
        ("10.0.0", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
        ("10.0.0.256", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    ],
)
def test_an_unreadable_address_is_refused_before_allocation(address: str, detail: str) -> None:
    with pytest.raises(Rejected) as caught:
        _service(clusterIP=address)
    text = f'Service "s" is invalid: spec.clusterIPs[0]: Invalid value: "{address}": {detail}'
    assert caught.value.message == text


def test_a_family_that_the_cluster_lacks_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        _service(ipFamilies=["IPv6"])
    text = 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'
    assert caught.value.message == f'Service "s" is invalid: {text}'


def test_prefer_dual_stack_falls_back_and_headless_without_selector_has_both() -> None:
    spec = _service(ipFamilyPolicy="PreferDualStack")["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "PreferDualStack")
    spec = _service(clusterIP="None")["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4", "IPv6"], "RequireDualStack")


def test_a_services_address_may_not_change() -> None:
    old = _stored(_service())
    new = _row("Service").read({**old, "spec": {**old["spec"], "clusterIP": "10.96.0.99"}}, "ns")
    allocation.prepare(new, old)
    message = 'Invalid value: ["10.96.0.99"]: may not change once set'
    assert _causes(new, old) == [("spec.clusterIPs[0]", message)]


def test_an_update_that_says_nothing_of_addresses_keeps_them() -> None:
    old = _stored(_service(type="NodePort", ports=[{"port": 80, "nodePort": 30100}]))
    body = {"metadata": old["metadata"], "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    new = _row("Service").read(body, "ns")
    allocation.prepare(new, old)
    _row("Service").validate_update(new, old)
    assert new["spec"]["clusterIP"] == "10.96.0.5"
    assert new["spec"]["ports"][0]["nodePort"] == 30100


def test_a_service_can_become_a_mere_name_and_gives_up_its_address() -> None:
    old = _stored(_service())
    spec = {**old["spec"], "type": "ExternalName", "externalName": "a.example"}
    new = _row("Service").read({**old, "spec": spec}, "ns")
    allocation.prepare(new, old)
    _row("Service").validate_update(new, old)
    assert not {"clusterIP", "clusterIPs", "ipFamilies"} & set(new["spec"])


def test_causes_of_a_deployment_come_in_the_order_of_the_real_server() -> None:
    container = {
        "name": "C",
        "image": "",
        "ports": [{"containerPort": 0}, {"containerPort": 70000, "name": "toolongportname1"}],
        "imagePullPolicy": "Sometimes",
        "readinessProbe": {"periodSeconds": -1},
    }
    found = _causes(_deployment(container, replicas=-1, minReadySeconds=-1))
    at = "spec.template.spec.containers[0]"
    assert [field for field, _ in found] == [
        "spec.replicas",
        f"{at}.name",
        f"{at}.image",
        f"{at}.ports[0].containerPort",
        f"{at}.ports[1].name",
        f"{at}.ports[1].containerPort",
        f"{at}.imagePullPolicy",
        f"{at}.readinessProbe",
        f"{at}.readinessProbe.periodSeconds",
        "spec.minReadySeconds",
    ]


@pytest.mark.parametrize(
    ("container", "field", "message"),
    [
        (
            {"resources": {"limits": {"foo": "1"}}},
            "resources.limits[foo]",
            'Invalid value: "foo": must be a standard resource type or fully qualified',
        ),
        (
            {"resources": {"requests": {"cpu": "-1"}}},
            "resources.requests[cpu]",
            'Invalid value: "-1": must be greater than or equal to 0',
        ),
        (
            {"resources": {"requests": {"nvidia.com/gpu": "1"}}},
            "resources.limits",
            "Required value: Limit must be set for non overcommitable resources",
        ),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/"}]},
            "volumeMounts[0].name",
            'Not found: "v"',
        ),
        (
            {"livenessProbe": {"tcpSocket": {"port": 80}, "successThreshold": 2}},
            "livenessProbe.successThreshold",
            "Invalid value: 2: must be 1",
        ),
        (
            {"env": [{"name": "a=b"}]},
            "env[0].name",
            'Invalid value: "a=b": a valid environment variable name must consist only of printable '
            "ASCII characters other than '='",
        ),
    ],
)
def test_a_container_is_refused_with_its_cause(container: Object, field: str, message: str) -> None:
    assert _causes(_deployment(container))[0] == (
        f"spec.template.spec.containers[0].{field}",
        message,
    )


def test_labels_are_checked_key_and_value_wherever_they_stand() -> None:
    obj = _deployment()
    obj["metadata"]["labels"] = {"a/b/c": "x", "good": "bad value"}
    first, second = _causes(obj)
    assert first[0] == second[0] == "metadata.labels"
    assert first[1].startswith('Invalid value: "a/b/c": a qualified name must consist of')
    assert second[1].startswith(f'Invalid value: "bad value": {BAD_LABEL}')
    bad = {"app": "-"}
    obj = _deployment(selector={"matchLabels": bad}, template={"metadata": {"labels": bad}})
    fields = [field for field, _ in _causes(obj)]
    assert fields == [
        "spec.selector.matchLabels",
        "spec.template.labels",
        "spec.template.spec.containers",
    ]


def test_many_values_are_judged_as_one_by_one() -> None:
    good = ["", "a", "a-b", "A_b.c", "x" * 63]
    bad = ["-a", "a-", "a b", "x" * 64, "a\nb", "\n", "é"]
    assert names.good_values(good)
    assert not any(names.label_value(each) for each in good)
    for each in bad:
        assert not names.good_values([*good, each]), each
        assert names.label_value(each), each


def test_a_missing_or_empty_selector_is_refused() -> None:
    obj = _deployment()
    del obj["spec"]["selector"]
    assert _causes(obj) == [
        ("spec.selector", "Required value"),
        (
            "spec.template.metadata.labels",
            'Invalid value: {"app":"d"}: `selector` does not match template `labels`',
        ),
    ]
    obj["spec"]["selector"] = {}
    text = "Invalid value: {}: empty selector is invalid for deployment"
    assert _causes(obj) == [("spec.selector", text)]


def test_what_is_not_simulated_is_refused_and_not_ignored() -> None:
    obj = _deployment()
    pod = obj["spec"]["template"]["spec"]
    pod["containers"].append({**pod["containers"][0], "name": "e"})
    pod["initContainers"] = [dict(pod["containers"][0])]
    text = "Forbidden: the emulator simulates one container a pod"
    at = "spec.template.spec"
    assert _causes(obj) == [(f"{at}.containers", text), (f"{at}.initContainers", text)]


def test_a_changed_template_needs_the_strategy_recreate() -> None:
    row, old = _row("Deployment"), _stored(_deployment())
    new = copy.deepcopy(old)
    new["spec"]["replicas"] = 3
    row.validate_update(new, old)
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "nginx:2"
    text = "Forbidden: rolling updates are not simulated, use strategy Recreate"
    assert _causes(new, old) == [("spec.template", text)]
    new["spec"]["strategy"] = {"type": "Recreate"}
    row.validate_update(new, old)


def test_a_deployments_selector_and_name_may_not_change() -> None:
    old = _stored(_deployment())
    new = copy.deepcopy(old)
    new["metadata"]["name"] = "e"
    new["spec"]["strategy"] = {"type": "Recreate"}
    new["spec"]["selector"] = {"matchLabels": {"app": "e"}}
    new["spec"]["template"]["metadata"]["labels"] = {"app": "e"}
    assert _causes(new, old) == [
        ("metadata.name", 'Invalid value: "e": field is immutable'),
        ("spec.selector", 'Invalid value: {"matchLabels":{"app":"e"}}: field is immutable'),
    ]


def test_a_pod_may_change_its_image_and_nothing_else() -> None:
    row = _row("Pod")
    body = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    old = _stored(row.read(body, "ns"))
    row.validate(old)
    new = copy.deepcopy(old)
    new["spec"]["containers"][0]["image"] = "i:2"
    row.validate_update(new, old)
    new["spec"]["nodeName"] = "n"
    ((field, message),) = _causes(new, old)
    assert field == "spec"
    assert message.startswith("Forbidden: pod updates may not change fields other than ")


def test_a_pod_gets_requests_from_limits_and_five_minutes_on_a_lost_node() -> None:
    resources_ = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    container = {"name": "c", "image": "i:1", "resources": resources_}
    read = _row("Pod").read({"metadata": {"name": "p"}, "spec": {"containers": [container]}}, "ns")
    pod = read["spec"]
    assert pod["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert [(each["key"], each["tolerationSeconds"]) for each in pod["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]
    template = _deployment({"resources": {"limits": {"cpu": "1"}}})["spec"]["template"]["spec"]
    assert template["containers"][0]["resources"] == {"limits": {"cpu": "1"}}
    assert "tolerations" not in template


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("host:5000/nginx", "Always"),
        ("nginx:1", "IfNotPresent"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:ab", "IfNotPresent"),
    ],
)
def test_the_tag_decides_the_pull_policy(image: str, policy: str) -> None:
    spec = _deployment({"image": image})["spec"]["template"]["spec"]
    assert spec["containers"][0]["imagePullPolicy"] == policy


def test_defaulting_twice_changes_nothing() -> None:
    for obj in (_service(type="LoadBalancer", sessionAffinity="ClientIP"), _deployment()):
        again = copy.deepcopy(obj)
        _row(obj["kind"]).default(again)
        assert again == obj


def test_a_secrets_strings_become_data_and_an_immutable_one_stays() -> None:
    row = _row("Secret")
    body = {"metadata": {"name": "s"}, "stringData": {"k": "v"}, "immutable": True}
    old = _stored(row.read(body, "ns"))
    assert (old["data"], old["type"]) == ({"k": "dg=="}, "Opaque")
    assert "stringData" not in old
    row.validate(old)
    new = copy.deepcopy(old)
    new["data"]["k"] = "eA=="
    text = "Forbidden: field is immutable when `immutable` is set"
    assert _causes(new, old) == [("data", text)]


def test_every_row_is_found_and_validates_a_bare_object() -> None:
    for row in resources.ROWS:
        assert resources.find(row.group, row.version, row.plural) is row
        meta = {"name": "n", "labels": {"a": "b"}}
        obj = row.read({"metadata": meta}, "ns" if row.namespaced else "")
        row.fresh(obj)
        if row.kind in ("Service", "Deployment", "ReplicaSet", "Pod"):
            continue  # these need a spec
        row.validate(obj)
        obj["metadata"]["resourceVersion"] = "1"
        row.validate_update(obj, copy.deepcopy(obj))
    assert resources.find("", "v1", "widgets") is None


def test_an_update_keeps_identity_and_status_and_counts_the_spec() -> None:
    row = _row("Deployment")
    old = _deployment()
    row.fresh(old)
    old["metadata"] |= {"uid": "u", "resourceVersion": "7"}
    old["status"] = {"replicas": 1}
    new = _deployment(replicas=2)
    row.carry(new, old)
    meta = new["metadata"]
    assert (meta["uid"], meta["generation"], meta["resourceVersion"]) == ("u", 2, "7")
    assert new["status"] == {"replicas": 1}


def test_an_event_is_the_same_in_both_groups_under_other_names() -> None:
    old, new = (row for row in resources.ROWS if row.kind == "Event")
    about = {"kind": "Pod", "name": "p"}
    body = {"metadata": {"name": "e"}, "involvedObject": about, "message": "m", "count": 2}
    kept = old.read({**body, "source": {"component": "kubelet"}}, "ns")
    assert new.shown is not None
    assert new.stored is not None
    shown = new.shown(kept)
    assert (shown["apiVersion"], shown["regarding"], shown["note"]) == (
        "events.k8s.io/v1",
        about,
        "m",
    )
    assert new.read(shown, "ns") == shown
    assert new.stored(shown) == kept
