"""The API over HTTP, request by request: discovery, verbs, refusals, pieces of lists.

Source: Kubernetes' API concepts and the paths of a kube-apiserver; texts from its source where a test
says so.
"""

from __future__ import annotations

from typing import Any

import pytest
from kube_wire import DEPLOYMENTS, PODS, Wire, deployment

from emulator.cluster.apiserver.resources import ROWS, Resource
from emulator.kubeapi import paging

Json = dict[str, Any]
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"


@pytest.fixture
def wire() -> Wire:
    return Wire()


def config_map(name: str, **data: str) -> Json:
    return {"metadata": {"name": name, "labels": {"n": name}}, "data": data}


def names(listed: Json) -> list[str]:
    return [each["metadata"]["name"] for each in listed["items"]]


# -- discovery ------------------------------------------------------------------------------------


def test_every_row_is_discovered_under_its_group_with_its_verbs(wire: Wire) -> None:
    groups = {each["name"] for each in wire.get("/apis")["groups"]}
    assert groups == {row.group for row in ROWS if row.group}
    for row in ROWS:
        path = f"/apis/{row.group}/{row.version}" if row.group else f"/api/{row.version}"
        shown = wire.get(path)
        assert shown["groupVersion"] == row.api_version
        (found,) = [each for each in shown["resources"] if each["name"] == row.plural]
        assert found["kind"] == row.kind
        assert found["namespaced"] is row.namespaced
        assert set(found["verbs"]) == set(row.verbs)
        assert found.get("shortNames", []) == list(row.short_names)


def test_get_all_lists_the_workloads_and_services(wire: Wire) -> None:
    resources = [*wire.get("/api/v1")["resources"], *wire.get("/apis/apps/v1")["resources"]]
    assert {each["name"] for each in resources if "all" in each.get("categories", ())} == {
        "deployments",
        "pods",
        "replicasets",
        "services",
    }


def test_one_group_is_shown_alone_and_an_unknown_one_is_a_404(wire: Wire) -> None:
    apps = wire.get("/apis/apps")
    assert apps["kind"] == "APIGroup"
    assert apps["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    for path in ("/apis/nothing", "/apis/apps/v2", "/api/v2", "/openapi/v3", "/nothing"):
        assert wire.ask("GET", path).status_code == 404, path


def test_version_and_health_are_told(wire: Wire) -> None:
    assert wire.get("/version")["gitVersion"].startswith("v1.36.2+dhemu")
    for path in ("/healthz", "/livez", "/readyz", "/readyz/ping"):
        assert wire.ask("GET", path).text == "ok"
    assert wire.get("/api")["versions"] == ["v1"]


def test_the_openapi_document_is_empty_so_that_clients_leave_validation_to_the_server(
    wire: Wire,
) -> None:
    answer = wire.ask("GET", "/openapi/v2")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].endswith("protobuf")


def test_every_answer_says_who_made_it(wire: Wire) -> None:
    for path in ("/version", "/nothing", PODS):
        assert wire.ask("GET", path).headers["x-emulator"].startswith("digitalhub-emulator/")


# -- verbs ----------------------------------------------------------------------------------------


def test_an_object_goes_through_all_its_verbs(wire: Wire) -> None:
    made = wire.make(CONFIG_MAPS, config_map("one", a="1"))
    path = f"{CONFIG_MAPS}/one"
    assert wire.get(path) == made
    made["data"] = {"a": "2"}
    assert wire.ask("PUT", path, made).json()["data"] == {"a": "2"}
    patched = wire.ask(
        "PATCH", path, {"data": {"b": "3"}}, content_type="application/merge-patch+json"
    )
    assert patched.json()["data"] == {"a": "2", "b": "3"}
    ended = wire.ask("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1"})
    assert (ended.status_code, ended.json()["status"]) == (200, "Success")
    assert wire.ask("GET", path).json()["message"] == 'configmaps "one" not found'


def test_an_object_has_the_namespace_of_the_path(wire: Wire) -> None:
    wire.make("/api/v1/namespaces", {"metadata": {"name": "other"}})
    wire.make("/api/v1/namespaces/other/configmaps", config_map("here"))
    assert "here" not in names(wire.get(CONFIG_MAPS))
    everywhere = wire.get("/api/v1/configmaps")
    assert everywhere["kind"] == "ConfigMapList"
    assert ("other", "here") in {
        (each["metadata"]["namespace"], each["metadata"]["name"]) for each in everywhere["items"]
    }


def test_the_objects_of_a_list_leave_their_type_to_the_list(wire: Wire) -> None:
    wire.make(CONFIG_MAPS, config_map("one"))
    assert all("kind" not in each for each in wire.get(CONFIG_MAPS)["items"])


def test_selectors_are_read_from_the_query(wire: Wire) -> None:
    for name in ("one", "two"):
        wire.make(CONFIG_MAPS, config_map(name))
    assert names(wire.get(f"{CONFIG_MAPS}?labelSelector=n%3Dtwo")) == ["two"]
    assert names(wire.get(f"{CONFIG_MAPS}?fieldSelector=metadata.name%3Done")) == ["one"]
    assert wire.ask("GET", f"{CONFIG_MAPS}?labelSelector=a%3D%3D%3D").status_code == 400


def test_a_collection_is_deleted_by_selector(wire: Wire) -> None:
    for name in ("one", "two"):
        wire.make(CONFIG_MAPS, config_map(name))
    ended = wire.ask("DELETE", f"{CONFIG_MAPS}?labelSelector=n%3Done")
    assert names(ended.json()) == ["one"]
    assert names(wire.get(CONFIG_MAPS)) == ["two"]


def test_a_dry_run_stores_nothing(wire: Wire) -> None:
    answer = wire.ask("POST", f"{CONFIG_MAPS}?dryRun=All", config_map("one"))
    assert (answer.status_code, answer.json()["metadata"]["name"]) == (201, "one")
    assert names(wire.get(CONFIG_MAPS)) == []
    assert wire.ask("POST", f"{CONFIG_MAPS}?dryRun=Some", config_map("one")).status_code == 422
    wire.make(CONFIG_MAPS, config_map("one"))
    wire.ask("DELETE", f"{CONFIG_MAPS}/one?dryRun=All")
    assert names(wire.get(CONFIG_MAPS)) == ["one"]


def test_strict_validation_refuses_what_is_not_known(wire: Wire) -> None:
    body = {**deployment(), "extra": 1}
    assert wire.ask("POST", f"{DEPLOYMENTS}?fieldValidation=Strict", body).json()["message"] == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "extra"'
    )
    assert wire.ask("POST", DEPLOYMENTS, body).status_code == 201


def test_a_server_side_apply_makes_an_object_then_changes_it(wire: Wire) -> None:
    path = f"{CONFIG_MAPS}/one?fieldManager=me"
    yaml = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: '1'}\n"
    media = "application/apply-patch+yaml"
    assert wire.ask("PATCH", path, yaml, content_type=media).status_code == 201
    changed = wire.ask("PATCH", path, yaml.replace(b"'1'", b"'2'"), content_type=media)
    assert (changed.status_code, changed.json()["data"]) == (200, {"a": "2"})
    other = f"{CONFIG_MAPS}/one?fieldManager=you"
    assert wire.ask("PATCH", other, yaml, content_type=media).json()["reason"] == "Conflict"
    assert wire.ask("PATCH", f"{other}&force=true", yaml, content_type=media).status_code == 200
    nameless = wire.ask("PATCH", f"{CONFIG_MAPS}/one", yaml, content_type=media)
    assert nameless.json()["details"]["causes"][0]["field"] == "fieldManager"


def test_who_writes_is_the_field_manager_or_the_user_agent(wire: Wire) -> None:
    wire.ask("POST", CONFIG_MAPS, config_map("one"), user_agent="tool/v1 (linux)")
    wire.make(f"{CONFIG_MAPS}?fieldManager=me", config_map("two"))
    managers = [
        each["metadata"]["managedFields"][0]["manager"] for each in wire.get(CONFIG_MAPS)["items"]
    ]
    assert managers == ["tool", "me"]


def test_a_body_may_be_yaml(wire: Wire) -> None:
    body = b"metadata: {name: one}\ndata: {when: 2026-01-01T00:00:00Z}\n"
    made = wire.ask("POST", CONFIG_MAPS, body, content_type="application/yaml")
    assert made.json()["data"] == {"when": "2026-01-01T00:00:00Z"}


def test_a_write_is_a_command_of_the_journal_and_a_look_is_not(wire: Wire) -> None:
    wire.make(CONFIG_MAPS, config_map("one"))
    wire.get(CONFIG_MAPS)
    rows = [row for row in wire.world.journal.rows if row.kind == "command"]
    assert [(row.subject, row.data["verb"]) for row in rows] == [("ConfigMap", "create")]


# -- subresources ---------------------------------------------------------------------------------


def running_pod(wire: Wire) -> str:
    wire.make(DEPLOYMENTS, deployment())
    wire.advance(30)
    (name,) = names(wire.get(PODS))
    return name


def test_a_workload_is_scaled_by_its_subresource(wire: Wire) -> None:
    running_pod(wire)
    scale = wire.get(f"{DEPLOYMENTS}/web/scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == (
        "Scale",
        {"replicas": 1},
        {"replicas": 1, "selector": "app=web"},
    )
    patch = {"spec": {"replicas": 3}}
    media = "application/merge-patch+json"
    wire.ask("PATCH", f"{DEPLOYMENTS}/web/scale", patch, content_type=media)
    wire.advance(30)
    assert len(names(wire.get(PODS))) == 3
    scale["spec"]["replicas"] = 0
    assert wire.ask("PUT", f"{DEPLOYMENTS}/web/scale", scale).json()["spec"] == {"replicas": 0}
    wire.advance(60)
    assert names(wire.get(PODS)) == []


def test_a_log_is_text_and_its_tail_is_cut(wire: Wire) -> None:
    name = running_pod(wire)
    whole = wire.ask("GET", f"{PODS}/{name}/log", accept="*/*")
    assert whole.headers["content-type"] == "text/plain"
    tail = wire.ask("GET", f"{PODS}/{name}/log?tailLines=1").text
    assert tail == "".join(whole.text.splitlines(keepends=True)[-1:])
    assert wire.ask("GET", f"{PODS}/{name}/log?container=none").status_code == 400


def test_an_evicted_pod_goes_and_is_replaced(wire: Wire) -> None:
    name = running_pod(wire)
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    answer = wire.ask("POST", f"{PODS}/{name}/eviction", body)
    assert (answer.status_code, answer.json()["status"]) == (201, "Success")
    assert "deletionTimestamp" in wire.get(f"{PODS}/{name}")["metadata"]
    wire.advance(60)
    assert names(wire.get(PODS)) not in ([], [name])


def test_the_status_can_be_read_and_not_be_written(wire: Wire) -> None:
    name = running_pod(wire)
    assert wire.get(f"{PODS}/{name}/status")["status"]["phase"] == "Running"
    for method in ("PUT", "PATCH", "POST", "DELETE"):
        answer = wire.ask(method, f"{PODS}/{name}/status", {})
        assert (answer.status_code, answer.json()["reason"]) == (405, "MethodNotAllowed"), method


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v1/namespaces/default/nodes", 404),
        ("GET", "/api/v1/pods/one", 404),
        ("GET", f"{PODS}/one/nothing", 404),
        ("GET", f"{PODS}/one/log/more", 404),
        ("POST", "/api/v1/pods", 405),
        ("DELETE", "/api/v1/pods", 405),
        ("PUT", PODS, 405),
        ("POST", f"{PODS}/one", 405),
        ("POST", "/version", 405),
        ("DELETE", "/apis/coordination.k8s.io/v1/namespaces/default/leases/one", 405),
    ],
)
def test_what_cannot_be_asked_is_refused(wire: Wire, method: str, path: str, code: int) -> None:
    answer = wire.ask(method, path)
    assert (answer.status_code, answer.json()["code"]) == (code, code)


def test_a_client_that_takes_no_json_is_refused_in_the_real_words(wire: Wire) -> None:
    answer = wire.ask("GET", PODS, accept="application/vnd.kubernetes.protobuf")
    assert answer.status_code == 406
    assert answer.json()["message"].startswith("only the following media types are accepted: ")
    both = "application/vnd.kubernetes.protobuf, application/json"
    assert wire.ask("GET", PODS, accept=both).status_code == 200


def test_a_body_of_another_type_is_refused_in_the_real_words(wire: Wire) -> None:
    start = "the body of the request was in an unknown format - accepted media types include: "
    answer = wire.ask("POST", PODS, b"\x00", content_type="application/cbor")
    assert (answer.status_code, answer.json()["message"][: len(start)]) == (415, start)
    answer = wire.ask("DELETE", f"{PODS}/one", b"\x00", content_type="application/cbor")
    assert answer.status_code == 415
    answer = wire.ask("PATCH", f"{PODS}/one", b"{}", content_type="application/json")
    assert answer.status_code == 415
    assert "application/strategic-merge-patch+json" in answer.json()["message"]


def test_a_body_has_a_limit(wire: Wire) -> None:
    answer = wire.ask("POST", PODS, b" " * (3 * 2**20 + 1))
    assert (answer.status_code, answer.json()["reason"]) == (413, "RequestEntityTooLarge")


def test_what_nobody_foresaw_is_an_internal_error_and_the_server_goes_on(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(wire.app._verbs._api, "get", fail)
    answer = wire.ask("GET", f"{PODS}/one")
    assert (answer.status_code, answer.json()["reason"]) == (500, "InternalError")
    assert wire.ask("GET", PODS).status_code == 200


# -- pieces of lists ------------------------------------------------------------------------------


@pytest.fixture
def many(wire: Wire) -> Wire:
    for number in range(5):
        wire.make(CONFIG_MAPS, config_map(f"c{number}"))
    return wire


def test_the_pieces_of_a_list_are_the_list_as_it_was_at_the_first(many: Wire) -> None:
    first = many.get(f"{CONFIG_MAPS}?limit=2")
    assert names(first) == ["c0", "c1"]
    assert first["metadata"]["remainingItemCount"] == 3
    many.make(CONFIG_MAPS, config_map("c2a"))
    many.ask("DELETE", f"{CONFIG_MAPS}/c3")
    second = many.get(f"{CONFIG_MAPS}?limit=2&continue={first['metadata']['continue']}")
    third = many.get(f"{CONFIG_MAPS}?limit=2&continue={second['metadata']['continue']}")
    assert names(second) + names(third) == ["c2", "c3", "c4"]
    assert "continue" not in third["metadata"]
    versions = {each["metadata"]["resourceVersion"] for each in (first, second, third)}
    assert len(versions) == 1


def test_a_list_that_is_not_kept_is_gone_and_its_token_goes_on_in_the_present_one(
    many: Wire,
) -> None:
    token = many.get(f"{CONFIG_MAPS}?limit=2")["metadata"]["continue"]
    for number in range(paging.KEPT):
        many.make(CONFIG_MAPS, config_map(f"d{number:02}"))
        many.get(f"{CONFIG_MAPS}?limit=1")
    gone = many.ask("GET", f"{CONFIG_MAPS}?limit=2&continue={token}")
    assert (gone.status_code, gone.json()["reason"]) == (410, "Expired")
    other = gone.json()["metadata"]["continue"]
    assert names(many.get(f"{CONFIG_MAPS}?limit=4&continue={other}")) == ["c2", "c3", "c4", "d00"]


@pytest.mark.parametrize("token", ["x", "e30", "W10", "eyJ2IjoxfQ", "%FF"])
def test_a_token_that_is_none_is_a_bad_request(many: Wire, token: str) -> None:
    answer = many.ask("GET", f"{CONFIG_MAPS}?continue={token}")
    assert (answer.status_code, answer.json()["message"]) == (400, "continue key is not valid")


def test_a_list_from_the_cache_is_whole(many: Wire) -> None:
    assert len(names(many.get(f"{CONFIG_MAPS}?limit=2&resourceVersion=0"))) == 5


def test_metadata_alone_is_given_to_who_asks_for_it(many: Wire) -> None:
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listed = many.get(CONFIG_MAPS, accept=accept)
    assert listed["kind"] == "PartialObjectMetadataList"
    assert all(set(each) == {"kind", "apiVersion", "metadata"} for each in listed["items"])


@pytest.mark.parametrize(
    "row", [each for each in ROWS if "list" in each.verbs], ids=lambda row: row.plural
)
def test_what_there_is_of_every_kind_can_be_listed_and_read(row: Resource, wire: Wire) -> None:
    wire.make(DEPLOYMENTS, deployment())
    wire.make(SERVICES, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
    wire.advance(60)
    base = f"/apis/{row.group}/{row.version}" if row.group else f"/api/{row.version}"
    for each in wire.get(f"{base}/{row.plural}")["items"]:
        meta = each["metadata"]
        where = f"/namespaces/{meta['namespace']}" if row.namespaced else ""
        assert wire.get(f"{base}{where}/{row.plural}/{meta['name']}")["kind"] == row.kind
