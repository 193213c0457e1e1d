"""What cannot be read is refused in Go's words, and what is read is canonical.

Source: Kubernetes facts section 2; apiserver's `endpoints/handlers`; apimachinery's `resource.Quantity`.
"""

from __future__ import annotations

from typing import Any

import pytest

from emulator.cluster.apiserver import decode, quantities, resources
from emulator.cluster.apiserver.status import Rejected

Object = dict[str, Any]


def _row(kind: str) -> resources.Resource:
    return next(row for row in resources.ROWS if row.kind == kind)


def _refusal(body: Any, kind: str = "Service", *, strict: bool = False) -> str:
    with pytest.raises(Rejected) as caught:
        _row(kind).read(body, "ns", strict=strict)
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")
    assert "details" not in caught.value.status()
    return caught.value.message


def _deployment(container: Object) -> Object:
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (
            "Service",
            {"spec": {"ports": [{"port": "80"}]}},
            "string into Go struct field ServicePort.spec.ports.port of type int32",
        ),
        ("Service", {"spec": []}, "array into Go struct field Service.spec of type v1.ServiceSpec"),
        (
            "Service",
            {"spec": {"ports": {}}},
            "object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort",
        ),
        (
            "Service",
            {"spec": {"type": 3}},
            "number into Go struct field ServiceSpec.spec.type of type v1.ServiceType",
        ),
        (
            "Service",
            {"metadata": {"labels": {"a": True}}},
            "bool into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            "Deployment",
            {"spec": {"replicas": 1.5}},
            "number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "Deployment",
            {"spec": {"replicas": 2**31}},
            f"number {2**31} into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "Deployment",
            _deployment({"env": [{"name": "A", "value": 1}]}),
            "number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
        ),
        (
            "Deployment",
            {"spec": {"strategy": {"rollingUpdate": {"maxSurge": True}}}},
            "bool into Go value of type int32",
        ),
    ],
)
def test_a_wrong_json_type_names_the_struct_and_the_path(
    kind: str, body: Object, message: str
) -> None:
    start = f'{kind} in version "v1" cannot be handled as a {kind}: json: cannot unmarshal '
    assert _refusal(body, kind) == start + message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("abc", "quantities must match the regular expression"),
        ("", "quantities must match the regular expression"),
        ("1Gb", "quantities must match the regular expression"),
        ("1K", "unable to parse quantity's suffix"),
        ("1mm", "unable to parse quantity's suffix"),
        ({}, "quantities must match the regular expression"),
    ],
)
def test_a_bad_quantity_is_refused_while_reading(text: Any, problem: str) -> None:
    body = _deployment({"resources": {"limits": {"cpu": text}}})
    start = 'Deployment in version "v1" cannot be handled as a Deployment: '
    assert _refusal(body, "Deployment").startswith(start + problem)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("100m", "100m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("2000", "2k"),
        ("1e3", "1e3"),
        ("10e2", "1e3"),
        ("0", "0"),
        ("-2", "-2"),
        ("295279008", "295279008"),
        ("+5", "5"),
        (".5", "500m"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("9E", "9E"),
        ("1000Ei", str(2**63 - 1)),
    ],
)
def test_a_quantity_is_written_in_canonical_form(text: str, canonical: str) -> None:
    assert quantities.canonical(text) == canonical


def test_a_quantity_may_be_a_number() -> None:
    body = _deployment({"name": "c", "resources": {"limits": {"cpu": 2, "memory": 0.5}}})
    read = _row("Deployment").read(body, "ns")
    container = read["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "500m"}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            b"",
            "couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
        ),
        (b'{"a":', "unexpected end of JSON input"),
        (b'{"a": "b', "unexpected end of JSON input"),
        (b"nope", "invalid character 'n' looking for beginning of value (6e6f7065)"),
        (b'{"a": }', "invalid character '}' looking for beginning of value"),
        (b"{a: 1}", "invalid character 'a' looking for beginning of object key string ({a: 1})"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a": 1 "b"}', "invalid character '\"' after object key:value pair"),
        (b'{"a": [1 2]}', "invalid character '2' after array element"),
        (b'{"a": "]["  x', "invalid character 'x' after object key:value pair"),
        (b"{} {}", "invalid character '{' after top-level value"),
    ],
)
def test_malformed_json_is_told_as_go_tells_it(body: bytes, problem: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode.parse(body, "Service")
    start = "the object provided is unrecognized (must be of type Service): "
    assert caught.value.message.startswith(start)
    assert problem in caught.value.message


def test_a_long_body_is_shown_by_its_beginning() -> None:
    with pytest.raises(Rejected, match=r'\(\{"aaaaaaaaaaaaaaaaaaaaaaaaaaaa \.\.\.\)'):
        decode.parse(b'{"' + b"a" * 100, "Service")


def test_a_body_that_is_no_object_has_no_kind() -> None:
    assert "json: cannot unmarshal array into Go value of type struct {" in _refusal([])


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (
            "Deployment",
            {"apiVersion": "extensions/v1beta1", "kind": "Deployment"},
            "the API version in the data (extensions/v1beta1) does not match the expected API version "
            "(apps/v1)",
        ),
        (
            "Service",
            {"apiVersion": "v1", "kind": "Pod"},
            'Pod in version "v1" cannot be handled as a Service: converting (v1.Pod) to '
            "(core.Service): unknown conversion",
        ),
        (
            "Service",
            {"apiVersion": "v7", "kind": "Service"},
            'Service in version "v7" cannot be handled as a Service: no kind "Service" is registered '
            'for version "v7" in scheme "pkg/api/legacyscheme/scheme.go:30"',
        ),
    ],
)
def test_another_type_is_refused(kind: str, body: Object, message: str) -> None:
    assert _refusal(body, kind) == message


def test_a_missing_type_is_the_resources_own() -> None:
    read = _row("Deployment").read({"metadata": {"name": "d"}}, "ns")
    assert (read["apiVersion"], read["kind"]) == ("apps/v1", "Deployment")


def test_unknown_fields_are_dropped_unless_reading_is_strict() -> None:
    body = {
        "spec": {"foo": 1, "ports": [{"port": 80, "x": {"y": 1}}]},
        "bar": 2,
        "status": {"anything": 1},
    }
    read = _row("Service").read(body, "ns")
    assert "foo" not in read["spec"]
    assert "x" not in read["spec"]["ports"][0]
    message = _refusal(body, strict=True)
    listed = 'unknown field "spec.foo", unknown field "spec.ports[0].x", unknown field "bar"'
    assert message.endswith(f": strict decoding error: {listed}")


def test_what_go_would_not_write_is_left_out() -> None:
    body = {
        "metadata": {"labels": {}, "name": "d", "annotations": None},
        "spec": {"replicas": 0, "minReadySeconds": 0, "paused": False, "selector": {}},
    }
    read = _row("Deployment").read(body, "ns")
    assert read["metadata"] == {"name": "d", "namespace": "ns"}
    assert read["spec"]["replicas"] == 0
    assert read["spec"]["selector"] == {}
    assert not {"minReadySeconds", "paused"} & set(read["spec"])


def test_what_was_read_shares_nothing_with_the_body() -> None:
    body = _deployment({"name": "c", "image": "i", "securityContext": {"a": {"b": 1}}})
    read = _row("Deployment").read(body, "ns")
    read["spec"]["template"]["spec"]["containers"][0]["securityContext"]["a"]["b"] = 2
    container = body["spec"]["template"]["spec"]["containers"][0]
    assert container == {"name": "c", "image": "i", "securityContext": {"a": {"b": 1}}}


def test_another_namespace_than_the_requests_is_refused() -> None:
    message = _refusal({"metadata": {"namespace": "other"}})
    assert message == (
        "the namespace of the provided object does not match the namespace sent on the request"
    )
