"""Watches over HTTP: what a client sees, and when it is let go.

Source: Kubernetes' API concepts, "Efficient detection of changes"; apiserver `cacher/cache_watcher.go`.
"""

from __future__ import annotations

from typing import Any

import pytest
from kube_wire import DEPLOYMENTS, PODS, TABLE, Watching, Wire, deployment

from emulator.cluster.apiserver import history
from emulator.cluster.apiserver.resources import find
from emulator.kubeapi import watching

Json = dict[str, Any]
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def wire() -> Wire:
    return Wire()


def make(wire: Wire, name: str) -> None:
    """Makes a ConfigMap without a request, for there is a loop already."""
    row = find("", "v1", "configmaps")
    assert row is not None
    body = {"metadata": {"name": name}}
    wire.world.command(
        "create", "test", lambda _: wire.app._verbs._api.create(row, "default", body)
    )


def seen(events: list[Json]) -> list[tuple[str, str]]:
    return [(each["type"], each["object"]["metadata"]["name"]) for each in events]


def test_a_watch_without_a_version_begins_with_what_there_is(wire: Wire) -> None:
    make(wire, "one")
    events = Watching(wire, CONFIG_MAPS, "watch=true").during(lambda: make(wire, "two"))
    assert seen(events) == [("ADDED", "one"), ("ADDED", "two")]


def test_a_watch_from_a_list_sees_what_came_after_it(wire: Wire) -> None:
    make(wire, "one")
    version = wire.get(CONFIG_MAPS)["metadata"]["resourceVersion"]
    make(wire, "two")
    watch = Watching(wire, CONFIG_MAPS, f"watch=1&resourceVersion={version}")
    assert seen(watch.during(lambda: make(wire, "three"))) == [("ADDED", "two"), ("ADDED", "three")]
    assert watch.ended


def test_a_version_that_is_not_kept_any_more_is_an_error_event_and_the_end(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.get(CONFIG_MAPS)
    watch = Watching(wire, CONFIG_MAPS, "watch=true&resourceVersion=1")
    watch.during()
    assert (watch.status, watch.ended) == (200, True)
    (event,) = watch.events
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert history.KEPT > watching.BACKLOG, "a client may be behind and still begin again"


def test_a_version_that_is_no_number_is_refused(wire: Wire) -> None:
    answer = wire.ask("GET", f"{CONFIG_MAPS}?watch=true&resourceVersion=x")
    assert answer.json()["reason"] == "Invalid"


def test_a_table_is_watched_with_its_columns_in_the_first_event_alone(wire: Wire) -> None:
    make(wire, "one")
    watch = Watching(wire, CONFIG_MAPS, "watch=true", TABLE)
    first, second = watch.during(lambda: make(wire, "two"))
    assert [each["name"] for each in first["object"]["columnDefinitions"]] == [
        "Name",
        "Data",
        "Age",
    ]
    assert second["object"]["columnDefinitions"] is None
    assert second["object"]["rows"][0]["cells"] == ["two", 0, "0s"]
    assert second["object"]["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_a_rollout_is_seen_from_pending_to_running(wire: Wire) -> None:
    wire.make(DEPLOYMENTS, deployment())
    watch = Watching(wire, PODS, "watch=true", TABLE)
    events = watch.during(lambda: wire.advance(30))
    states = [each["object"]["rows"][0]["cells"][2] for each in events]
    assert list(dict.fromkeys(states)) == ["Pending", "ContainerCreating", "Running"]


def test_a_list_by_watching_ends_with_a_bookmark(wire: Wire) -> None:
    make(wire, "one")
    query = "watch=true&sendInitialEvents=true&allowWatchBookmarks=true"
    events = Watching(wire, CONFIG_MAPS, query).during()
    assert [each["type"] for each in events] == ["ADDED", "BOOKMARK"]
    meta = events[1]["object"]["metadata"]
    assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert meta["resourceVersion"] == str(wire.world.cluster.store.version)


def test_who_goes_is_not_told_any_more(wire: Wire) -> None:
    watch = Watching(wire, CONFIG_MAPS, "watch=true")
    watch.during(lambda: make(wire, "one"))
    api = wire.app._verbs._api
    assert api._history._watches == []
    make(wire, "two")
    assert seen(watch.events) == [("ADDED", "one")]
    assert wire.app._streams == {}


def test_a_watch_ends_when_its_time_is_over(wire: Wire) -> None:
    answer = wire.ask("GET", f"{CONFIG_MAPS}?watch=true&timeoutSeconds=1")
    assert (answer.status_code, answer.content) == (200, b"")
    assert wire.app._verbs._api._history._watches == []


def test_a_server_that_stops_ends_its_watches(wire: Wire) -> None:
    make(wire, "one")
    watch = Watching(wire, CONFIG_MAPS, "watch=true")
    watch.during(wire.app.close)
    assert watch.ended
    assert seen(watch.events) == [("ADDED", "one")]


def test_a_client_that_does_not_read_is_let_go_and_the_world_goes_on(wire: Wire) -> None:
    watch = Watching(wire, CONFIG_MAPS, "watch=true")
    watch.stuck = True

    def flood() -> None:
        for number in range(watching.BACKLOG + 10):
            make(wire, f"c{number}")
        assert wire.app._verbs._api._history._watches == [], "nobody keeps events for it"

    def read() -> None:
        watch.stuck = False

    watch.during(flood, read)
    assert watch.ended
    assert len(watch.events) == watching.BACKLOG
