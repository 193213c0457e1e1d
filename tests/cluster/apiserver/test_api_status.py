"""Each refusal as the Status that a client sees.

Source: Kubernetes facts section 2; apimachinery's `api/errors`.
"""

from __future__ import annotations

from typing import Any

import pytest

from emulator.cluster.apiserver import allocation, causes, resources, status
from emulator.cluster.apiserver.status import Rejected


@pytest.mark.parametrize(
    ("refused", "code", "reason", "message", "details"),
    [
        (
            status.over_quota("", "pods", "x", "q", [("pods", "1", "3", "3")]),
            403,
            "Forbidden",
            'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, '
            "limited: pods=3",
            {"name": "x", "kind": "pods"},
        ),
        (
            status.over_quota(
                "", "pods", "x", "q", [("cpu", "1", "2", "2"), ("memory", "1Gi", "0", "1Mi")]
            ),
            403,
            "Forbidden",
            'pods "x" is forbidden: exceeded quota: q, requested: cpu=1,memory=1Gi, '
            "used: cpu=2,memory=0, limited: cpu=2,memory=1Mi",
            {"name": "x", "kind": "pods"},
        ),
        (status.expired(1, 5), 410, "Expired", "too old resource version: 1 (5)", None),
        (status.gone("it went"), 410, "Gone", "it went", None),
        (
            status.method_not_allowed(),
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
            {},
        ),
        (
            status.too_many_requests("later", 3),
            429,
            "TooManyRequests",
            "later",
            {"retryAfterSeconds": 3},
        ),
        (
            status.not_found("apps", "deployments", "d"),
            404,
            "NotFound",
            'deployments.apps "d" not found',
            {"name": "d", "group": "apps", "kind": "deployments"},
        ),
        (
            status.already_exists("apps", "deployments", "d"),
            409,
            "AlreadyExists",
            'deployments.apps "d" already exists',
            {"name": "d", "group": "apps", "kind": "deployments"},
        ),
        (
            status.internal("boom"),
            500,
            "InternalError",
            "Internal error occurred: boom",
            {"causes": [{"message": "boom"}]},
        ),
    ],
)
def test_a_refusal_is_a_status(
    refused: Rejected, code: int, reason: str, message: str, details: dict[str, Any] | None
) -> None:
    shown = refused.status()
    assert (shown["code"], shown["reason"], shown["message"]) == (code, reason, message)
    assert shown.get("details") == details
    assert shown["status"] == "Failure"


def test_a_text_that_stands_twice_is_said_once_but_is_two_causes() -> None:
    cause = causes.required("spec.selector")
    refused = status.invalid("apps", "Deployment", "d", [cause, dict(cause)])
    assert refused.message == 'Deployment.apps "d" is invalid: spec.selector: Required value'
    assert len(refused.causes) == 2


@pytest.mark.parametrize(
    ("cause", "reason", "message"),
    [
        (causes.invalid("f", [1], "no"), "FieldValueInvalid", "Invalid value: [1]: no"),
        (causes.required("f", "why"), "FieldValueRequired", "Required value: why"),
        (causes.duplicate("f", "a"), "FieldValueDuplicate", 'Duplicate value: "a"'),
        (
            causes.unsupported("f", "a", ("b", "c")),
            "FieldValueNotSupported",
            'Unsupported value: "a": supported values: "b", "c"',
        ),
        (causes.forbidden("f", "no"), "FieldValueForbidden", "Forbidden: no"),
        (causes.too_long("f", 9), "FieldValueTooLong", "Too long: may not be more than 9 bytes"),
        (causes.not_found("f", "a"), "FieldValueNotFound", 'Not found: "a"'),
    ],
)
def test_a_cause_has_its_reason_and_words(cause: causes.Cause, reason: str, message: str) -> None:
    assert cause == {"reason": reason, "message": message, "field": "f"}


def test_a_full_range_and_a_taken_address_are_told_as_the_allocator_tells_them() -> None:
    row = resources.find("", "v1", "services")
    assert row is not None
    body = {"metadata": {"name": "s"}, "spec": {"clusterIP": "10.0.0.9", "ports": [{"port": 1}]}}
    obj = row.read(body, "ns")
    allocation.prepare(obj)
    refused = allocation.address_refused(obj, "provided IP is already allocated", "10.0.0.9")
    assert refused.message == (
        'Service "s" is invalid: spec.clusterIPs: Invalid value: ["10.0.0.9"]: failed to allocate '
        "IP 10.0.0.9: provided IP is already allocated"
    )
    full = allocation.addresses_full(obj)
    text = 'failed to allocate a serviceIP for Service "s": range is full'
    assert (full.code, full.message) == (500, f"Internal error occurred: {text}")
    assert full.status()["details"] == {"causes": [{"message": text}]}
    ports = allocation.node_ports_full()
    assert ports.message == "Internal error occurred: failed to allocate a nodePort: range is full"
