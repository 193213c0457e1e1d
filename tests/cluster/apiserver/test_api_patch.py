"""Patches of every kind, and who manages a field after an apply.

Source: the examples of RFC 6902 appendix A and RFC 7386 appendix A; Kubernetes docs, "Server-Side Apply"
and "Update API Objects in Place Using kubectl patch".
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.apiserver import managed, patch, resources
from emulator.cluster.apiserver.status import Rejected

Object = dict[str, Any]

DEPLOYMENTS = resources.find("apps", "v1", "deployments")
SERVICES = resources.find("", "v1", "services")
assert DEPLOYMENTS is not None
assert SERVICES is not None

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=1), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("target", "merge", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_does_the_examples_of_its_rfc(target: Any, merge: Any, expected: Any) -> None:
    before = copy.deepcopy(target)
    assert patch.merge_patch(target, merge) == expected
    assert target == before


@given(VALUES, VALUES)
def test_a_merge_patch_twice_is_as_once(target: Any, merge: Any) -> None:
    once = patch.merge_patch(target, merge)
    assert patch.merge_patch(once, merge) == once


@pytest.mark.parametrize(
    ("target", "operations", "expected"),
    [
        ({"foo": "bar"}, [("add", "/baz", "qux")], {"foo": "bar", "baz": "qux"}),
        ({"foo": ["bar", "baz"]}, [("add", "/foo/1", "qux")], {"foo": ["bar", "qux", "baz"]}),
        ({"baz": "qux", "foo": "bar"}, [("remove", "/baz")], {"foo": "bar"}),
        ({"foo": ["bar", "qux", "baz"]}, [("remove", "/foo/1")], {"foo": ["bar", "baz"]}),
        ({"baz": "qux", "foo": 1}, [("replace", "/baz", "boo")], {"baz": "boo", "foo": 1}),
        ({"a": {"x": 1}, "b": {}}, [("move", "/b/y", "/a/x")], {"a": {}, "b": {"y": 1}}),
        ({"f": ["a", "g", "c", "e"]}, [("move", "/f/3", "/f/1")], {"f": ["a", "c", "e", "g"]}),
        ({"baz": "q"}, [("test", "/baz", "q")], {"baz": "q"}),
        ({"foo": "bar"}, [("add", "/child", {"g": {}})], {"foo": "bar", "child": {"g": {}}}),
        ({"/": 9, "~1": 10}, [("test", "/~01", 10)], {"/": 9, "~1": 10}),
        ({"foo": ["bar"]}, [("add", "/foo/-", ["abc"])], {"foo": ["bar", ["abc"]]}),
        ({"a": [1]}, [("copy", "/b", "/a")], {"a": [1], "b": [1]}),
        ({"a": 1}, [("replace", "", [])], []),
        ({"a": None}, [("test", "/a", None)], {"a": None}),
    ],
)
def test_json_patch_does_the_examples_of_its_rfc(
    target: Any, operations: list[tuple[Any, ...]], expected: Any
) -> None:
    before = copy.deepcopy(target)
    third = {"move": "from", "copy": "from"}
    written = [
        {"op": op, "path": path, **({third.get(op, "value"): rest[0]} if rest else {})}
        for op, path, *rest in operations
    ]
    assert patch.json_patch(target, written) == expected
    assert target == before


@given(VALUES)
def test_a_value_that_is_put_in_is_found_there(value: Any) -> None:
    operations = [
        {"op": "add", "path": "/a~1b", "value": value},
        {"op": "test", "path": "/a~1b", "value": value},
        {"op": "move", "from": "/a~1b", "path": "/c"},
    ]
    assert patch.json_patch({}, operations) == {"c": value}


def _deployment() -> Object:
    assert DEPLOYMENTS is not None
    container = {
        "name": "c",
        "image": "nginx:1",
        "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "args": ["x", "y"],
    }
    body = {
        "metadata": {"name": "d"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "d"}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {
                    "containers": [container],
                    "tolerations": [{"key": "a", "operator": "Exists"}],
                },
            },
        },
    }
    obj = DEPLOYMENTS.read(body, "ns")
    obj["metadata"]["resourceVersion"] = "1"
    return obj


def _patched(kind: str, body: Any, old: Object | None = None, **options: Any) -> Object:
    assert DEPLOYMENTS is not None
    return patch.apply(kind, old or _deployment(), body, DEPLOYMENTS, **options)


def _pod(obj: Object) -> Object:
    pod: Object = obj["spec"]["template"]["spec"]
    return pod


def _refused(kind: str, body: Any, **options: Any) -> Rejected:
    with pytest.raises(Rejected) as caught:
        _patched(kind, body, **options)
    return caught.value


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (
            {"op": "test", "path": "/spec/replicas", "value": 2},
            "testing value /spec/replicas failed",
        ),
        ({"op": "remove", "path": "/spec/foo"}, "doc is missing key"),
        ({"op": "add", "path": "/spec/template/spec/containers/7", "value": {}}, "invalid index"),
        ({"op": "boil", "path": ""}, "Unexpected kind: boil"),
    ],
)
def test_a_json_patch_that_does_not_fit_is_a_422(operation: Object, message: str) -> None:
    refused = _refused(patch.JSON_PATCH, [operation])
    assert (refused.code, refused.reason) == (422, "Invalid")
    start = "the server rejected our request due to an error in our request: "
    assert refused.message.startswith(start)
    assert message in refused.message


def test_true_is_not_one_to_a_json_patch() -> None:
    old = {"a": 1}
    with pytest.raises(Exception, match="failed"):
        patch.json_patch(old, [{"op": "test", "path": "/a", "value": True}])


def test_the_outcome_of_a_patch_is_read_like_a_body() -> None:
    refused = _refused(patch.MERGE_PATCH, {"spec": {"replicas": "2"}})
    assert refused.code == 400
    assert "DeploymentSpec.spec.replicas of type int32" in refused.message
    changed = _patched(patch.MERGE_PATCH, {"spec": {"replicas": None, "unknown": 1}})
    assert changed["spec"]["replicas"] == 1
    assert "unknown" not in changed["spec"]


def test_an_unknown_patch_type_is_a_415_that_names_the_known_ones() -> None:
    refused = _refused("application/json", {})
    assert (refused.code, refused.reason) == (415, "UnsupportedMediaType")
    assert refused.message.endswith(", ".join(patch.ACCEPTED))


def test_a_strategic_patch_merges_keyed_lists_and_replaces_the_others() -> None:
    container = {
        "name": "c",
        "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
        "ports": [{"containerPort": 81}],
        "args": ["z"],
    }
    spec = {"containers": [container], "tolerations": [{"key": "b", "operator": "Exists"}]}
    pod = _pod(_patched(patch.STRATEGIC_PATCH, {"spec": {"template": {"spec": spec}}}))
    (merged,) = pod["containers"]
    assert merged["image"] == "nginx:1"
    assert {each["name"]: each["value"] for each in merged["env"]} == {"A": "1", "B": "3", "C": "4"}
    assert [each["containerPort"] for each in merged["ports"]] == [80, 81]
    assert merged["args"] == ["z"]
    assert [each["key"] for each in pod["tolerations"]] == ["b"]


def test_a_strategic_patch_deletes_replaces_and_retains() -> None:
    env = [{"name": "A", "$patch": "delete"}]
    container: Object = {"name": "c", "env": env}
    body: Object = {"spec": {"template": {"spec": {"containers": [container]}}}}
    merged = _pod(_patched(patch.STRATEGIC_PATCH, body))["containers"][0]
    assert [each["name"] for each in merged["env"]] == ["B"]
    container["env"] = [{"$patch": "replace"}, {"name": "Z", "value": "1"}]
    merged = _pod(_patched(patch.STRATEGIC_PATCH, body))["containers"][0]
    assert [each["name"] for each in merged["env"]] == ["Z"]
    strategy = {"$retainKeys": ["type"], "type": "Recreate"}
    changed = _patched(patch.STRATEGIC_PATCH, {"spec": {"strategy": strategy}})
    assert changed["spec"]["strategy"] == {"type": "Recreate"}
    labels = {"metadata": {"labels": {"$patch": "replace", "x": "y"}}}
    changed = _patched(patch.STRATEGIC_PATCH, labels)
    assert changed["metadata"]["labels"] == {"x": "y"}


def test_a_strategic_patch_merges_conditions_by_type() -> None:
    old = _deployment()
    old["status"] = {
        "conditions": [{"type": "A", "status": "True"}, {"type": "B", "status": "True"}]
    }
    body = {"status": {"conditions": [{"type": "B", "status": "False"}]}}
    changed = _patched(patch.STRATEGIC_PATCH, body, old)
    assert changed["status"]["conditions"] == [
        {"type": "A", "status": "True"},
        {"type": "B", "status": "False"},
    ]


def test_an_element_without_its_merge_key_is_a_400() -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}
    refused = _refused(patch.STRATEGIC_PATCH, body)
    assert refused.code == 400
    assert refused.message.endswith("does not contain declared merge key: name")


def _applied(replicas: int | None = None, labels: Object | None = None) -> Object:
    spec = {} if replicas is None else {"spec": {"replicas": replicas}}
    meta = {"name": "d", **({"labels": labels} if labels else {})}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, **spec}


def _apply(
    old: Object | None, body: Object, manager: str = "me", *, force: bool | None = None
) -> Object:
    assert DEPLOYMENTS is not None
    return patch.apply(
        patch.APPLY, old, body, DEPLOYMENTS, manager, force, name="d", namespace="ns"
    )


def test_an_apply_needs_a_manager_and_only_an_apply_can_be_forced() -> None:
    refused = _refused(patch.APPLY, _applied(1))
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert refused.message == (
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: '
        "is required for apply patch"
    )
    refused = _refused(patch.MERGE_PATCH, {}, force=True)
    assert "force: Forbidden: may not be specified for non-apply patch" in refused.message


def test_an_apply_makes_what_is_not_there_and_owns_what_it_says() -> None:
    made = _apply(None, _applied(2, {"a": "b"}))
    assert made["spec"]["replicas"] == 2
    assert made["spec"]["revisionHistoryLimit"] == 10
    (entry,) = made["metadata"]["managedFields"]
    assert entry == {
        "manager": "me",
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:replicas": {}}},
    }


def test_a_second_manager_conflicts_unless_it_agrees_or_forces() -> None:
    live = _apply(None, _applied(2), "kubectl")
    with pytest.raises(Rejected) as caught:
        _apply(live, _applied(3))
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    assert caught.value.message == (
        'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas'
    )
    assert caught.value.status()["details"] == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl"',
                "field": ".spec.replicas",
            }
        ]
    }
    shared = _apply(live, _applied(2))
    assert [each["manager"] for each in shared["metadata"]["managedFields"]] == ["kubectl", "me"]
    taken = _apply(live, _applied(3), force=True)
    assert taken["spec"]["replicas"] == 3
    assert [each["manager"] for each in taken["metadata"]["managedFields"]] == ["me"]
    assert live["spec"]["replicas"] == 2
    assert [each["manager"] for each in live["metadata"]["managedFields"]] == ["kubectl"]


def test_several_conflicts_are_listed_by_manager() -> None:
    live = _apply(None, _applied(2, {"a": "b"}), "kubectl")
    with pytest.raises(Rejected) as caught:
        _apply(live, _applied(3, {"a": "c"}))
    assert caught.value.message == (
        'Apply failed with 2 conflicts: conflicts with "kubectl":\n'
        "- .metadata.labels.a\n- .spec.replicas"
    )


def test_what_is_no_longer_applied_goes_unless_somebody_else_owns_it() -> None:
    live = _apply(None, _applied(2, {"mine": "1", "ours": "2"}))
    live = _apply(live, _applied(labels={"ours": "2"}), "other")
    live = _apply(live, _applied())
    assert live["metadata"]["labels"] == {"ours": "2"}
    assert live["spec"]["replicas"] == 1  # the default came back
    live = _apply(live, _applied(), "other")
    assert "labels" not in live["metadata"]
    assert "managedFields" not in live["metadata"]


def test_an_apply_owns_elements_of_keyed_lists_by_their_keys() -> None:
    body = _applied()
    container: Object = {"name": "c", "image": "i:1", "env": [{"name": "A", "value": "1"}]}
    body["spec"] = {"template": {"spec": {"containers": [container]}}}
    live = _apply(None, body)
    other = copy.deepcopy(body)
    other["spec"]["template"]["spec"]["containers"][0] = {"name": "c", "image": "i:2"}
    with pytest.raises(Rejected) as caught:
        _apply(live, other, "other")
    assert caught.value.message.endswith(': .spec.template.spec.containers[name="c"].image')
    container["env"] = [{"name": "B", "value": "2"}]
    live = _apply(live, body)
    assert _pod(live)["containers"][0]["env"] == [{"name": "B", "value": "2"}]
    (entry,) = live["metadata"]["managedFields"]
    keyed = entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"c"}']
    assert keyed["."] == {}
    assert list(keyed["f:env"]) == ['k:{"name":"B"}']


def test_a_ports_protocol_is_part_of_its_key_and_tcp_unless_given() -> None:
    assert SERVICES is not None
    body = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80, "targetPort": 8080}]}}
    live = patch.apply(patch.APPLY, None, body, SERVICES, "me", name="s", namespace="ns")
    body["spec"]["ports"][0]["targetPort"] = 9090  # type: ignore[index]
    live = patch.apply(patch.APPLY, live, body, SERVICES, "me", name="s", namespace="ns")
    assert live["spec"]["ports"] == [{"port": 80, "targetPort": 9090, "protocol": "TCP"}]


def test_another_write_takes_the_fields_that_it_changes() -> None:
    live = _apply(None, _applied(2, {"a": "b"}))
    live = _patched(patch.MERGE_PATCH, {"spec": {"replicas": 5}}, live, manager="edit", time="T")
    first, second = live["metadata"]["managedFields"]
    assert first["fieldsV1"] == {"f:metadata": {"f:labels": {"f:a": {}}}}
    assert (second["manager"], second["operation"], second["time"]) == ("edit", "Update", "T")
    with pytest.raises(
        Rejected, match=r'conflict with "edit" using apps/v1 at T: \.spec\.replicas'
    ):
        _apply(live, _applied(2))


def test_an_apply_of_an_unknown_field_is_refused() -> None:
    body = _applied()
    body["spec"] = {"foo": 1}
    with pytest.raises(Rejected) as caught:
        _apply(None, body)
    assert caught.value.message == (
        "failed to create typed patch object (ns/d; apps/v1, Kind=Deployment): .spec.foo: "
        "field not declared in schema"
    )


@given(
    st.sets(
        st.lists(st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}']), min_size=1, max_size=3).map(
            tuple
        )
    )
)
def test_a_set_of_paths_survives_its_written_form(owned: set[managed.Path]) -> None:
    leaves_only = {
        path
        for path in owned
        if path[-1].startswith("k:")
        or not any(each != path and each[: len(path)] == path for each in owned)
    }
    assert set(managed.paths(managed.fields_v1(leaves_only))) == leaves_only
