"""The scenario of each invariant keeps all of them, and puts its own one to the test.

Rules: one test an invariant says what its journal must show for the checker to have had work: what it
forbids could have happened there. The numbers are the design's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from digests import HERE, KILLED, scenario_files
from restart import restarted, run_and_keep, survivors

from emulator.cluster.faults import KINDS
from emulator.domain.health import Health
from emulator.domain.journal import Row
from emulator.domain.lifecycle import State
from emulator.domain.timefmt import HOUR
from emulator.scenario.loader import load
from emulator.scenario.result import Result
from emulator.scenario.runner import run_scenario
from emulator.testing.invariants import check, same, survived
from emulator.testing.invariants.nodes import Usage

FILES = scenario_files()


@cache
def result(number: int) -> Result:
    """The result of an invariant's scenario."""
    return run_scenario(load(str(HERE / f"invariant-{number:02}.yaml")))


def rows(number: int, kind: str, prefix: str = "", **data: Any) -> list[Row]:
    """The rows of a kind whose subject begins so and whose data hold these values."""
    return [
        row
        for row in result(number).rows
        if row.kind == kind
        and row.subject.startswith(prefix)
        and all(row.data.get(key) == value for key, value in data.items())
    ]


def added(number: int, prefix: str) -> list[Row]:
    return rows(number, "object", prefix, op="ADDED")


def removed(number: int, prefix: str) -> list[Row]:
    return rows(number, "object", prefix, op="DELETED")


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_scenario_goes_as_it_says_and_keeps_every_invariant(file: Path) -> None:
    found = result(int(file.stem[-2:]))
    assert found.failure is None
    assert check(found.rows, end_time=found.end) == []


def test_1_runs_take_most_ways_of_the_table_and_end_in_every_state_that_is_an_end() -> None:
    """Sixteen ways: those that are not for a client to open are LOOP, COMPLETE and a second ERROR."""
    ways = {
        (row.data["before"], row.data["event"], row.data["state"]) for row in rows(1, "run", "Run/")
    }
    wanted = """
        CREATED BUILD BUILT, CREATED ERROR ERROR, BUILT RUN READY, READY SCHEDULE PENDING,
        READY STOP STOP, READY DELETE DELETING, READY ERROR ERROR, PENDING EXECUTE RUNNING,
        PENDING STOP STOP, PENDING DELETE DELETING, PENDING ERROR ERROR, RUNNING STOP STOP,
        RUNNING DELETE DELETING, STOP STOP STOPPED, STOP DELETE DELETING, STOPPED DELETE DELETING,
        ERROR DELETE DELETING, DELETING DELETE DELETED
    """
    assert ways == {tuple(each.split()) for each in wanted.split(",")}


def test_2_every_type_of_service_is_shown_and_one_that_is_slow_only_when_it_is_ready() -> None:
    found = result(2)
    shown = {name: service["type"] for name, service in found.services.items()}
    assert shown == {
        "inside": "ClusterIP",
        "ports": "NodePort",
        "balanced": "LoadBalancer",
        "slow": "ClusterIP",
    }
    by_name = {row.subject: row.data for row in added(2, "Service/")}
    for service in found.services.values():
        assert by_name[f"Service/{service['name']}"]["clusterIP"] == service["clusterIP"]
    assert [answer.status for answer in found.answers if answer.run == "slow"] == [503, 200]
    slow = f"Run/{found.runs['slow'].id}"
    pending, running = (rows(2, "run", slow, state=state)[0].t for state in ("PENDING", "RUNNING"))
    assert running - pending > 60 * 10**9  # the fault's 40 s and the application's 20 s


def test_3_addresses_and_node_ports_are_given_back_and_taken_again_and_run_out() -> None:
    held: dict[str, list[str]] = {}
    for row in added(3, "Service/"):
        held.setdefault(row.data["clusterIP"], []).append(row.subject)
    again = [address for address, names in held.items() if len(set(names)) > 1]
    assert len(again) >= 3
    gone = {row.subject for row in removed(3, "Service/")}
    assert all(set(held[address][:-1]) <= gone for address in again)
    texts = " ".join(row.data["message"] for row in rows(3, "refused"))
    assert "failed to allocate a serviceIP" in texts
    assert "failed to allocate a nodePort" in texts
    ports = [port for row in added(3, "Service/") for port in row.data["ports"]]
    assert len({port["nodePort"] for port in ports if "nodePort" in port}) >= 4
    assert rows(3, "fault", fault="full-range", op="ended")


def test_4_names_are_cleaned_and_cut_and_all_ports_are_there_until_the_service_goes() -> None:
    found = result(4)
    services = added(4, "Service/")
    assert max(len(row.data["ports"]) for row in services) == 3
    names = [row.subject.removeprefix("Service/") for row in services]
    assert all(name == name.lower() for name in names)
    assert 60 <= max(map(len, names)) <= 63  # one that would be longer is cut
    ids = {run.id for run in found.runs.values()}
    assert any(each != each.lower() or "_" in each for each in ids)  # no label, and the name is one
    assert Counter(names) == Counter(row.subject[8:] for row in removed(4, "Service/"))


def test_5_an_alias_changes_owner_twice_and_calls_are_answered_and_refused() -> None:
    alias = "Service/s-demo-web-blue"
    owners = [
        row.data["workload"]
        for row in result(5).rows
        if row.subject == alias and row.kind in ("alias", "object") and "workload" in row.data
    ]
    one, two = (result(5).runs[name].id for name in ("one", "two"))
    assert owners == [one, two, one]
    assert rows(5, "alias", alias, workload=two, before=one)
    assert {row.data["status"] for row in rows(5, "invocation")} == {200, 502, 503}
    assert rows(5, "endpoint", ready=True)
    assert rows(5, "endpoint", ready=False)


def test_6_invocations_end_in_many_ways_while_endpoints_come_and_go() -> None:
    loads = result(6).loads
    assert {name for load in loads.values() for name in load.outcomes} >= {
        "200",
        "502",
        "refused",
        "loss",
        "timeout",
    }
    assert len(rows(6, "sent")) == len(rows(6, "answered")) + len(rows(6, "failed"))
    first, last = rows(6, "sent")[0].t, rows(6, "sent")[-1].t
    assert any(first < row.t < last for row in rows(6, "endpoint", ready=False))


def _fullest(number: int) -> Iterator[tuple[str, str]]:
    """The nodes and resources of which nothing was left at some instant."""
    usage = Usage()
    for row in result(number).rows:
        name = row.subject.partition("/")[2]
        if row.kind == "object" and row.subject.startswith("Node/"):
            usage.allocatable[name] = row.data["allocatable"]
        elif row.kind == "bind":
            usage.bind(name, row.data["node"], dict(row.data["requests"]))
            node = row.data["node"]
            for key, whole in usage.allocatable[node].items():
                if whole and not usage.left(node, key):
                    yield node, key
        elif (
            row.kind == "object" and row.subject.startswith("Pod/") and row.data["op"] == "DELETED"
        ):
            usage.free(name)


def test_7_nodes_are_full_of_cpu_gpus_and_pods_and_pods_wait_for_room() -> None:
    full = set(_fullest(7))
    assert ("big-1", "nvidia.com/gpu") in full
    assert {("small-1", "cpu"), ("small-2", "cpu")} & full
    assert {key for _, key in full} >= {"cpu", "nvidia.com/gpu", "pods"}
    notes = " ".join(row.data["note"] for row in rows(7, "event", reason="FailedScheduling"))
    for reason in ("Insufficient cpu", "Insufficient nvidia.com/gpu", "Too many pods"):
        assert reason in notes
    assert rows(7, "event", reason="FailedCreate")  # and a quota keeps pods from being made
    assert rows(7, "event", reason="TaintManagerEviction")  # and a lost node's pods move


def test_8_instants_hold_many_rows_and_effects_follow_their_causes_from_afar() -> None:
    times = Counter(row.t for row in result(8).rows)
    assert max(times.values()) >= 30
    by_number = {row.n: row for row in result(8).rows}
    ways = [row.t - by_number[row.cause].t for row in result(8).rows if row.cause]
    assert max(ways) > 60 * 10**9
    assert ways.count(0) > 50


def test_9_another_seed_tells_another_story_and_the_same_one_the_same() -> None:
    loaded = load(str(HERE / "invariant-09.yaml"))
    assert same(run_scenario(loaded).rows, result(9).rows) is None
    other = run_scenario(loaded, seed=9)
    assert [row.t for row in other.rows] != [row.t for row in result(9).rows]
    spread = {row.data["node"] for row in rows(9, "bind")}
    assert len(spread) >= 8
    assert any(row.data["attributes"].get("probability") for row in rows(9, "fault"))


def test_10_every_kind_of_faults_begins_and_heals_and_services_suffer_and_recover() -> None:
    began = {row.data["fault"] for row in rows(10, "fault", op="started")}
    over = {row.data["fault"] for row in rows(10, "fault") if row.data["op"] != "started"}
    assert began == over == set(KINDS)
    assert {row.data["op"] for row in rows(10, "fault")} == {"started", "ended", "healed"}
    found = result(10)
    for name in ("web", "late"):
        told = [row.data["health"] for row in rows(10, "health", f"Run/{found.runs[name].id}")]
        assert told.count(Health.HEALTHY) >= 3
        assert Health.UNHEALTHY in told
        assert told[-1] == Health.HEALTHY


def test_11_runs_in_every_state_survive_a_kill_with_their_names_and_addresses() -> None:
    found, old = run_and_keep(load(str(HERE / f"{KILLED}.yaml")))
    before = {name: run.state for name, run in found.runs.items()}
    assert before == {
        "alone": State.RUNNING,
        "wide": State.STOP,
        "stopped": State.STOPPED,
        "deleted": State.DELETED,
        "gone": State.PENDING,
        "pending": State.PENDING,
        "asked": State.READY,
    }
    world = restarted(old)
    world.kernel.advance(HOUR)
    after = survivors(world)
    assert survived(found.rows, after) == []
    assert check(world.journal.rows, end_time=world.now) == []
    states = {name: after[run.id].state for name, run in found.runs.items() if run.id in after}
    assert states == {
        "alone": State.RUNNING,
        "wide": State.STOPPED,
        "stopped": State.STOPPED,
        "gone": State.ERROR,
        "pending": State.RUNNING,
        "asked": State.RUNNING,
    }
    shown = after[found.runs["alone"].id]
    assert shown.address == found.services["alone"]["clusterIP"]
    assert shown.name == found.services["alone"]["name"]
    old.close()
    world.close()


def test_12_all_that_is_made_goes_again_from_a_lost_node_too() -> None:
    made = Counter(
        row.subject for row in added(12, "") if row.t
    )  # what is there at 0 is the cluster's
    gone = Counter(row.subject for row in removed(12, ""))
    assert made == gone
    kinds = {subject.partition("/")[0] for subject in made}
    assert kinds == {"Deployment", "EndpointSlice", "Pod", "ReplicaSet", "Service"}
    assert sum(made.values()) > 50
    assert {row.data["node"] for row in rows(12, "bind")} == {"node-1", "node-2", "node-3"}
    lost = rows(12, "fault", op="started")[0].t
    back = rows(12, "fault", op="ended")[0].t
    runs = {run.id for run in result(12).runs.values()}
    deleted = [row for row in rows(12, "run", state=State.DELETED) if row.subject[4:] in runs]
    assert len(deleted) == len(runs)
    assert any(lost < row.t < back for row in deleted)
    assert any(row.t >= back for row in removed(12, "Pod/"))  # a pod of the lost node goes last
    assert rows(12, "failed")
