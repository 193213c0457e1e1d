"""The end of pods, and nodes that go and come.

Source: Kubernetes facts 6.3, 6.5 and 8; kubernetes 1.36 pkg/kubelet (a grace is at least 2 s; on
deletion startup and liveness probing end, readiness goes on). A machine that has booted:
containerd reports its containers as ended with 255, Unknown.
"""

from __future__ import annotations

import pytest
from kubelet_bench import LATENCY, REACTION, RUNNING, START, STOP, Bench, condition, tcp

from emulator.cluster.objects import Pod
from emulator.cluster.settings import Image, Registry
from emulator.domain.timefmt import HOUR, MINUTE, SECOND
from emulator.domain.workload import Exit, Plan, ProbeChange, Stop


def ended(bench: Bench, pod: Pod) -> int:
    """When the pod went."""
    (row,) = [row for row in bench.rows("object", pod) if row.data["op"] == "DELETED"]
    return row.t


def test_a_deletion_stops_the_container_and_lets_the_pod_go() -> None:
    bench = Bench()
    pod = bench.pod()
    bench.to(SECOND)
    bench.deletion.delete_pod(pod)
    bench.to(MINUTE)
    assert bench.said("Killing") == [(SECOND + REACTION, "Stopping container c")]
    assert ended(bench, pod) == SECOND + REACTION + STOP
    assert (pod.state.exit_code, pod.state.reason) == (143, "Error")  # by SIGTERM
    assert bench.exits() == []  # an end that was asked for
    assert pod.process is None
    assert bench.kubelet.addresses.used == 0
    assert bench.at_rest


@pytest.mark.parametrize(("grace", "lasts"), [(None, 30), (10, 10), (1, 2)])
def test_who_ignores_sigterm_is_killed_after_the_grace(grace: int | None, lasts: int) -> None:
    """terminationGracePeriodSeconds is 30 by default, and never less than 2 s in effect."""
    bench = Bench()
    pod = bench.pod(plan=Plan(stop=Stop(None)))
    bench.to(SECOND)
    bench.deletion.delete_pod(pod, grace)
    bench.to(MINUTE)
    assert ended(bench, pod) == SECOND + REACTION + lasts * SECOND
    assert pod.state.exit_code == 137


def test_a_container_may_take_its_time_and_choose_its_code() -> None:
    bench = Bench()
    pod = bench.pod(plan=Plan(stop=Stop(12 * SECOND, 0)))
    bench.to(SECOND)
    bench.deletion.delete_pod(pod)
    bench.to(MINUTE)
    assert ended(bench, pod) == SECOND + REACTION + 12 * SECOND
    assert (pod.state.exit_code, pod.state.reason) == (0, "Completed")


def test_a_shorter_grace_brings_sigkill_nearer() -> None:
    bench = Bench()
    pod = bench.pod(plan=Plan(stop=Stop(None)))
    bench.to(SECOND)
    bench.deletion.delete_pod(pod)
    bench.to(5 * SECOND)
    bench.deletion.delete_pod(pod, 4)
    bench.to(MINUTE)
    assert ended(bench, pod) == 5 * SECOND + REACTION + 4 * SECOND
    assert len(bench.said("Killing")) == 1


def test_a_deletion_without_grace_is_at_once() -> None:
    bench = Bench()
    pod = bench.pod()
    bench.to(SECOND)
    process = pod.process
    bench.deletion.delete_pod(pod, 0)
    assert pod.removed
    assert process is not None
    assert not process.listens(80)
    bench.to(MINUTE)
    assert bench.said("Killing") == []


def test_what_does_not_run_goes_without_a_word() -> None:
    registry = Registry(images=(Image("none", error="not found"),))
    for image, after in (("none", 5 * SECOND), ("slow", 0), ("present:1", REACTION + 1)):
        bench = Bench(registry=registry)
        pod = bench.pod(image=image)
        bench.to(after)
        bench.deletion.delete_pod(pod)
        bench.on(REACTION)
        assert pod.removed
        assert bench.said("Killing") == []
        bench.to(MINUTE)
        assert bench.at_rest
        assert bench.kubelet.addresses.used == 0


def test_on_deletion_liveness_ends_and_readiness_goes_on() -> None:
    plan = Plan(
        stop=Stop(None),
        probes=(
            ProbeChange(5 * SECOND, "liveness", False),
            ProbeChange(5 * SECOND, "readiness", False),
        ),
    )
    bench = Bench()
    probe = tcp(periodSeconds=1)
    pod = bench.pod(plan=plan, livenessProbe=probe, readinessProbe=probe)
    bench.to(4 * SECOND)
    bench.deletion.delete_pod(pod)
    bench.to(20 * SECOND)
    assert [note for _, note in bench.said("Killing")] == ["Stopping container c"]
    assert condition(pod, "Ready")[0] == "False"
    bench.to(MINUTE)
    assert ended(bench, pod) == 4 * SECOND + REACTION + 30 * SECOND
    assert bench.at_rest


def test_a_container_that_ends_while_it_is_stopped_is_over() -> None:
    bench = Bench()
    pod = bench.pod(plan=Plan(exit=Exit(5 * SECOND, 7), stop=Stop(None)))
    bench.to(2 * SECOND)
    bench.deletion.delete_pod(pod)
    bench.to(MINUTE)
    assert ended(bench, pod) == RUNNING + 5 * SECOND
    assert (pod.state.exit_code, pod.restarts) == (7, 0)


def test_a_deletion_during_a_liveness_kill_is_a_deletion() -> None:
    plan = Plan(stop=Stop(None), probes=(ProbeChange(0, "liveness", False),))
    bench = Bench()
    pod = bench.pod(plan=plan, livenessProbe=tcp(periodSeconds=1, failureThreshold=1))
    bench.to(5 * SECOND)
    killed, _ = bench.said("Killing")[0]
    bench.deletion.delete_pod(pod)
    bench.to(MINUTE)
    assert ended(bench, pod) == killed + 30 * SECOND
    assert len(bench.runtime.starts) == 1


# -- nodes -----------------------------------------------------------------------------------------


def test_nothing_happens_on_a_node_that_is_down() -> None:
    bench = Bench()
    runs = bench.pod(plan=Plan(exit=Exit(90 * SECOND, 1)), readinessProbe=tcp())
    pulls = bench.pod(image="big")
    bench.to(500 * 10**6)
    process = runs.process
    bench.lose()
    late = bench.pod()
    bench.deletion.delete_pod(runs)
    seen = len(bench.rows("event"))
    bench.to(HOUR)
    assert process is not None
    assert not process.listens(80)
    assert len(bench.rows("event")) == seen
    assert (runs.state.phase, pulls.state.phase, late.started) == ("running", "waiting", None)
    assert not runs.removed
    assert "big" not in bench.nodes[0].images
    assert bench.at_rest


def test_a_machine_that_has_booted_starts_its_containers_again() -> None:
    bench = Bench()
    pod = bench.pod()
    bench.to(SECOND)
    bench.lose()
    pod.set_condition("Ready", "False", bench.now)  # the node controller's word
    pod.ready = False
    bench.to(MINUTE)
    bench.restore()
    back = MINUTE + REACTION
    bench.to(back)
    assert bench.said("SandboxChanged") == [
        (back, "Pod sandbox changed, it will be killed and re-created.")
    ]
    assert bench.exits() == [(back, 255, "Unknown")]
    assert condition(pod, "ContainersReady")[0] == "False"
    bench.to(2 * MINUTE)
    assert (pod.restarts, pod.ready, pod.state.started) == (1, True, back + START)
    assert condition(pod, "Ready") == ("True", "", "")
    assert pod.last is not None
    assert pod.last.exit_code == 255


def test_the_kubelets_memory_is_lost_with_the_machine() -> None:
    """A crash loop that waited minutes begins anew, without a wait."""
    bench = Bench()
    pod = bench.pod(plan=Plan(exit=Exit(SECOND, 1)))
    bench.to(5 * MINUTE)
    assert pod.crash.length > 60 * SECOND
    bench.lose()
    bench.on(SECOND)
    bench.restore()
    bench.on(REACTION + START)
    assert pod.state.phase == "running"
    bench.on(SECOND + START)
    assert pod.state.phase == "running"  # the first restart


def test_a_machine_that_has_booted_ends_what_was_to_be_deleted() -> None:
    bench = Bench()
    pod = bench.pod()
    bench.to(SECOND)
    bench.lose()
    bench.deletion.delete_pod(pod)
    bench.to(10 * MINUTE)
    assert bench.cluster.store.count("Pod") == 1
    bench.restore()
    bench.on(REACTION)
    assert bench.cluster.store.count("Pod") == 0
    assert bench.said("Killing") == []
    bench.on(MINUTE)
    assert bench.at_rest
    assert bench.kubelet.addresses.used == 0


def test_what_was_pulled_is_pulled_again_and_what_waited_is_begun() -> None:
    bench = Bench()
    pulls = bench.pod(image="a")
    bench.to(SECOND)
    bench.lose()
    waits = bench.pod()
    bench.to(MINUTE)
    bench.restore()
    bench.on(REACTION + LATENCY + SECOND + START)
    assert pulls.ready
    assert waits.ready
    assert [note for _, note in bench.said("Pulling", pod=pulls)] == ['Pulling image "a"'] * 2


def test_only_the_lost_node_is_lost() -> None:
    bench = Bench(nodes=2)
    lost, stays = bench.pod(), bench.pod(node=1)
    bench.to(SECOND)
    bench.lose(0)
    bench.on(MINUTE)
    assert lost.process is None
    assert stays.process is not None
    assert stays.ready
