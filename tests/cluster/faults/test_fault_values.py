"""Faults as values: how they are written, whom they mean, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from faulty import service, zones
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support import IMAGE

from emulator.cluster.faults import KINDS, Fault, FaultError, Target, describe, make, read_target
from emulator.cluster.faults.kinds_containers import CrashLoop
from emulator.cluster.faults.kinds_control import Quota
from emulator.domain.timefmt import SECOND
from emulator.testing.strategies import Targets, faults

WANTED = {
    *("pull-error", "slow-registry", "throttled-registry", "slow-start", "crash-loop"),
    *("exit-code", "oom", "failing-probe", "node-down", "node-not-ready", "drain", "zone-loss"),
    *("quota", "full-range", "api-latency", "network-delay", "network-loss"),
    *("network-partition", "upstream-5xx", "hang", "slow-body"),
}


def test_the_table_has_every_kind() -> None:
    assert set(KINDS) == WANTED
    assert all(kind.kind == name for name, kind in KINDS.items())


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_what_it_does_and_how_it_is_written(kind: str) -> None:
    told = describe(KINDS[kind])
    assert told["help"].endswith(".")
    assert "probability" in told["attributes"]
    assert all(each["form"] for each in told["attributes"].values())


@hypothesis_settings(max_examples=100)
@given(faults(Targets(["web"], ["node-1"], ["a"])))
def test_every_fault_that_a_history_draws_can_be_made(drawn: Any) -> None:
    made = make(drawn.kind, target=drawn.target, attributes=dict(drawn.attributes))
    assert made.kind == drawn.kind
    assert made.target.text == drawn.target


@pytest.mark.parametrize(
    ("kind", "asked", "field", "said"),
    [
        ("crash-lop", {}, "fault", "did you mean crash-loop? choose one of pull-error"),
        ("crash-loop", {"cod": 1}, "cod", "did you mean code? crash-loop has probability"),
        ("crash-loop", {"code": 0}, "code", "0 is not a whole number from 1 to 255"),
        ("crash-loop", {"code": True}, "code", "True is not a whole number"),
        ("crash-loop", {"code": "1"}, "code", "'1' is not a whole number"),
        ("crash-loop", {"after": 5}, "after", "5 is not a duration: write a number with a unit"),
        ("crash-loop", {"after": "5"}, "after", "'5' is not a duration"),
        ("slow-start", {"delay": "0s"}, "delay", "'0s' is out of bounds"),
        ("slow-start", {"delay": "9000h"}, "delay", "'9000h' is out of bounds"),
        ("oom", {"probability": 0}, "probability", "0 is not a probability"),
        ("oom", {"probability": 1e-9}, "probability", "is not a probability"),
        ("oom", {"probability": 1.01}, "probability", "give a number above 0, at most 1"),
        ("oom", {"probability": float("nan")}, "probability", "is not a probability"),
        ("oom", {"probability": True}, "probability", "True is not a probability"),
        ("quota", {}, "pods", "give at least one of pods, cpu, memory and services"),
        ("quota", {"cpu": "many"}, "cpu", "'many' is not a quantity"),
        ("quota", {"pods": None}, "pods", "give one, or leave it out"),
        ("full-range", {"range": "node-port"}, "range", "did you mean node-ports?"),
        ("failing-probe", {"probe": "health"}, "probe", "choose one of readiness"),
        ("upstream-5xx", {"status": 404}, "status", "404 is not a whole number from 500 to 599"),
        ("network-delay", {"part": ""}, "part", "'' is not a text"),
        ("pull-error", {"error": ""}, "error", "'' is not a text"),
    ],
)
def test_what_cannot_be_is_told_with_field_value_and_mend(
    kind: str, asked: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(FaultError) as caught:
        make(kind, attributes=asked)
    error = caught.value
    assert error.field == field
    assert said in f"{error.what}: {error.mend}"
    assert str(error) == f"{error.field}: {error.what}: {error.mend}"


@pytest.mark.parametrize(
    ("kind", "target", "said"),
    [
        ("oom", "everything", "'everything' is not a target"),
        ("oom", "", "'' is not a target"),
        ("oom", 5, "5 is not a target"),
        ("oom", "runs/web", "did you mean run?"),
        ("oom", "run/", "names no run"),
        ("oom", "run/a run/b", "is a second run: keep one of each part"),
        ("oom", "label/=a", "is not a label: write label/key=value"),
        ("oom", {"run": 5}, "names no run"),
        ("api-latency", "run/web", "cannot be struck by api-latency: give cluster alone"),
        ("node-down", "run/web", "give node/..., zone/..."),
        ("slow-registry", "image/a", "give cluster alone"),
        ("pull-error", "run/web", "give image/..."),
        ("zone-loss", "cluster", "'cluster' is too much for zone-loss: give zone/NAME"),
    ],
)
def test_a_target_that_cannot_be(kind: str, target: object, said: str) -> None:
    with pytest.raises(FaultError) as caught:
        make(kind, target=target)
    assert caught.value.field == "target"
    assert said in str(caught.value)


def test_a_fault_is_checked_however_it_is_made() -> None:
    with pytest.raises(FaultError):
        CrashLoop(code=-1)
    with pytest.raises(FaultError):
        CrashLoop(duration=0)
    with pytest.raises(FaultError):
        CrashLoop(start=-1)
    with pytest.raises(FaultError):
        Quota()
    assert CrashLoop(after=2 * SECOND) == make("crash-loop", attributes={"after": "2s"})


WORDS = st.text("abcdefgh-0123456789./*", min_size=1).filter(lambda word: not word.isspace())


@given(st.dictionaries(st.sampled_from(["run", "function", "image", "node", "zone"]), WORDS))
def test_a_target_is_read_as_it_is_written(parts: dict[str, str]) -> None:
    target = Target(**parts)
    assert read_target(target.text) == target
    assert read_target(parts) == target


def test_a_target_means_what_fits_every_part() -> None:
    world = zones()
    run = service(world, replicas=3, image="acme/shop:1")
    other = service(world, "other", image=IMAGE)
    pods = world.cluster.store.all("Pod")
    mine = [pod for pod in pods if pod.group.name == "web"]
    names = world.faults.names_of

    def meant(text: str) -> list[str]:
        return [pod.name for pod in pods if read_target(text).has_pod(pod, names)]

    everyone = [pod.name for pod in pods]
    of_run = [pod.name for pod in mine]
    assert len(everyone) == 4
    assert meant("cluster") == everyone
    service_name = world.service_name(run)
    for word in (run.id, run.name, service_name):
        assert meant(f"run/{word}") == of_run
    assert meant("run/we") == []
    assert meant("function/service-0") == of_run
    assert meant("image/acme/*") == of_run
    assert meant("function/service-0 image/other") == []
    for pod in pods:
        assert pod.name in meant(f"node/{pod.node.name}")
        assert meant(f"zone/{pod.node.zone} run/web") == [
            each.name for each in mine if each.node.zone == pod.node.zone
        ]
    key, value = next(iter(mine[0].labels.items()))
    assert mine[0].name in meant(f"label/{key}={value}")
    assert meant(f"label/{key}={value}x") == []
    assert meant(f"run/{other.id} node/{next(p for p in pods if p not in mine).node.name}")


def test_attributes_are_shown_as_they_count() -> None:
    fault: Fault = make("crash-loop", attributes={"after": "2s", "probability": 0.5})
    assert fault.attributes() == {"after": 2 * SECOND, "code": 1, "probability": 0.5}
    assert make("oom").attributes() == {}
