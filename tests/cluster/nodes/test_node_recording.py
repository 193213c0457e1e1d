"""All of three nodes are lost: what a watch of a real control plane showed, and what ours shows.

Source: `tests/data/real-1.36.2-nodeloss.jsonl` (Kubernetes facts section 10). Normalisers:

- the objects' changes and the events are compared apart: events are written by a queue of their own, up
  to 60 ms late;
- nodes, pods and their events are alike, so each kind of change counts once, where it comes first;
- of what a controller writes on its way from three ready pods to none, the last state counts;
- leases are in step, as those of KWOK's nodes are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nodes_rig import Rig, lose

from emulator.cluster.events import Event
from emulator.cluster.objects import Deployment, EndpointSlice, Node, Pod, ReplicaSet
from emulator.domain.timefmt import SECOND

DATA = Path(__file__).parents[2] / "data" / "real-1.36.2-nodeloss.jsonl"


def recorded() -> list[dict[str, Any]]:
    """The rows of the recording after the loss."""
    rows = [json.loads(line) for line in DATA.read_text().splitlines()]
    start = next(
        index for index, row in enumerate(rows) if row.get("step", "").startswith("kwok killed")
    )
    return [row for row in rows[start + 1 :] if "step" not in row]


def simulated() -> list[dict[str, Any]]:
    """The same of the simulated cluster, in the recording's shape."""
    rig = Rig()
    rig.deploy(3)
    rig.rest()
    rig.seen.clear()
    lose(rig, rig.cluster.nodes)
    shown: list[dict[str, Any]] = []

    def heard(op: str, obj: Any) -> None:
        row = show(obj)
        if row is not None:
            shown.append({"t": rig.now / SECOND, "e": op, "n": obj.name, **row})

    rig.cluster.store.tap(heard)
    rig.advance(420)
    return shown


def show(obj: Any) -> dict[str, Any] | None:
    """An object as the recording digests it, as far as this is compared."""
    if isinstance(obj, Node):
        ready = obj.conditions["Ready"]
        keys = [{"key": each.key, "effect": each.effect} for each in obj.taints]
        o: dict[str, Any] = {
            "taints": keys or None,
            "ready": [[ready.status, ready.reason, ready.message]],
        }
        return {"k": "nodes", "o": o}
    if isinstance(obj, Pod):
        conds = {each.type: [each.status] for each in obj.conditions.values()}
        return {"k": "pods", "o": {"phase": obj.phase, "del": obj.terminating, "conds": conds}}
    if isinstance(obj, Event):
        about = f"{obj.about.kind}/{obj.about.name}"
        o = {"type": obj.type, "reason": obj.reason, "msg": obj.note, "obj": about}
        return {"k": "events", "o": {**o, "src": obj.source}}
    if isinstance(obj, EndpointSlice):
        flags = ["ready", "serving", "terminating"]
        eps = [
            [[each.ip], {flag: getattr(each, flag) for flag in flags}, each.pod.name]
            for each in obj.endpoints.values()
        ]
        return {"k": "endpointslices", "o": {"eps": eps}}
    if isinstance(obj, ReplicaSet | Deployment):
        kind = "replicasets" if isinstance(obj, ReplicaSet) else "deployments"
        o = {"ready": obj.ready, "available": obj.available, "replicas": obj.replicas}
        if isinstance(obj, Deployment):
            o["conds"] = {
                kind: [each.status, each.reason, each.message]
                for kind, each in obj.conditions.items()
            }
        return {"k": kind, "o": o}
    return None


def word(row: dict[str, Any]) -> str:
    """What a row says, without the names and numbers that differ between objects that are alike."""
    o = row["o"]
    match row["k"]:
        case "nodes":
            keys = [f"{each['key']}:{each['effect']}" for each in o["taints"] or ()]
            return f"node {o['ready'][0]} {keys}"
        case "pods":
            flags = {kind: o["conds"][kind][0] for kind in ("Ready", "ContainersReady")}
            return f"pod {o['phase']} {o['del']} {flags}"
        case "events":
            return f"{o['type']} {o['reason']} {o['obj'].split('/')[0]} {o['src']}"
        case _:
            return f"{row['k']} changed"


def order(rows: list[dict[str, Any]], *, events: bool) -> list[str]:
    """What is said, in the order in which it is first said."""
    chosen = [word(row) for row in rows if (row["k"] == "events") == events]
    return list(dict.fromkeys(chosen))


def test_the_recorded_order_of_changes() -> None:
    ours, theirs = simulated(), recorded()
    assert order(ours, events=False) == order(theirs, events=False)


def test_the_recorded_events() -> None:
    ours, theirs = simulated(), recorded()
    assert order(ours, events=True) == order(theirs, events=True)
    for rows in (ours, theirs):
        notes = [row["o"]["msg"] for row in rows if row["k"] == "events"]
        names = [row["n"] for row in rows if row["k"] == "nodes"]
        assert sorted(notes) == sorted(
            ["Node is not ready"] * 3
            + [f"Node {name} status is now: NodeNotReady" for name in set(names)]
        )


def test_each_object_changes_as_it_did_in_the_recording() -> None:
    """The three nodes alike, the three pods alike."""

    def stories(rows: list[dict[str, Any]], kind: str) -> list[list[str]]:
        names = dict.fromkeys(row["n"] for row in rows if row["k"] == kind)
        return [[word(row) for row in rows if row["n"] == name] for name in names]

    ours, theirs = simulated(), recorded()
    for kind in ("nodes", "pods"):
        assert stories(ours, kind) == stories(theirs, kind)
        assert len(stories(ours, kind)) == 3


def test_what_is_left_is_what_the_recording_ends_with() -> None:
    ours, theirs = simulated(), recorded()
    for kind, fields in (
        ("replicasets", ("ready", "available", "replicas")),
        ("deployments", ("ready", "available", "replicas", "conds")),
    ):
        last = [next(row for row in reversed(rows) if row["k"] == kind) for rows in (ours, theirs)]
        left, right = ({field: row["o"][field] for field in fields} for row in last)
        if "conds" in left:
            names = [json.dumps(each["conds"], sort_keys=True) for each in (left, right)]
            assert [text.count("MinimumReplicasUnavailable") for text in names] == [1, 1]
            assert [text.count("NewReplicaSetAvailable") for text in names] == [1, 1]
            left.pop("conds"), right.pop("conds")
        assert left == right
    for rows in (ours, theirs):
        last_slice = next(row for row in reversed(rows) if row["k"] == "endpointslices")
        flags = [tuple(each[1].values()) for each in last_slice["o"]["eps"]]
        assert flags == [(False, False, False)] * 3


def test_all_of_it_happens_within_a_second_40_to_55_seconds_after_the_loss() -> None:
    """Recorded: 44.6 s after it, within 1.05 s (the last slice after a back-off of one second)."""
    rig = Rig()
    rig.deploy(3)
    rig.rest()
    start = rig.now
    lose(rig, rig.cluster.nodes)
    rig.seen.clear()
    rig.rest()
    times = [each.t - start for each in rig.seen]
    assert 40 * SECOND <= times[0] <= 55 * SECOND
    assert times[-1] - times[0] <= SECOND
