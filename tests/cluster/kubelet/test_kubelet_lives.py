"""Random lives of pods keep the kubelet's rules.

Source: Kubernetes facts 0.1, 6, 6.1: a restart never comes before its back-off nor later than half as
much again; phase, container state and conditions agree at every change.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from kubelet_bench import STOP, Bench, tcp

from emulator.cluster.backoff import Backoff
from emulator.cluster.objects import Pod
from emulator.cluster.objects.pods import TERMINAL
from emulator.domain.timefmt import HOUR, MINUTE, SECOND
from emulator.domain.workload import Exit, MemoryUse, Plan, ProbeChange, Stop

spans = st.integers(0, 15 * MINUTE) | st.sampled_from([0, SECOND, 600 * SECOND, 601 * SECOND])
plans = st.builds(
    Plan,
    startup=st.just(0) | st.integers(0, 40 * SECOND),
    exit=st.none() | st.builds(Exit, spans, st.integers(0, 3)),
    memory=st.none() | st.builds(MemoryUse, spans, st.just(2**30)),
    probes=st.lists(
        st.builds(
            ProbeChange,
            spans,
            st.sampled_from(["startup", "readiness", "liveness"]),
            st.booleans(),
        ),
        max_size=4,
    ).map(lambda found: tuple(sorted(found, key=lambda each: each.after))),
    stop=st.none() | st.builds(Stop, st.none() | st.integers(0, 60 * SECOND)),
)
probes = st.none() | st.builds(
    lambda period, delay, failures: tcp(
        periodSeconds=period, initialDelaySeconds=delay, failureThreshold=failures
    ),
    st.integers(1, 20),
    st.integers(0, 30),
    st.integers(1, 5),
)
acts = st.lists(
    st.tuples(
        st.integers(1, 20 * MINUTE), st.sampled_from(["kill", "oom", "lose", "sick", "well"])
    ),
    max_size=6,
)


def check(op: str, pod: Pod) -> None:
    """What holds of a pod whenever somebody hears of it."""
    conditions = pod.conditions
    if op == "DELETED" or pod.started is None:
        return
    ready = conditions["Ready"].status == "True"
    assert ready == pod.ready == pod.containers_ready
    assert conditions["ContainersReady"].status == conditions["Ready"].status
    assert conditions["ContainersReady"].reason == conditions["Ready"].reason
    if ready and not pod.terminating:
        assert (pod.phase, pod.state.phase) == ("Running", "running")
    if pod.phase in TERMINAL:
        assert pod.state.phase == "terminated"
        reason = "PodCompleted" if pod.phase == "Succeeded" else "PodFailed"
        assert conditions["Ready"].reason == reason
        assert pod.template.restart != "Always"
    elif not ready:
        assert conditions["Ready"].reason == "ContainersNotReady"
    if pod.state.phase == "running":
        assert pod.phase == "Running"
    if pod.phase == "Pending":
        assert pod.last is None
    assert (pod.restarts > 0) <= (pod.last is not None)


@given(
    seed=st.integers(0, 2**32),
    plan=plans,
    found=st.fixed_dictionaries({"startup": probes, "readiness": probes, "liveness": probes}),
    policy=st.sampled_from(["Always", "Always", "OnFailure", "Never"]),
    story=acts,
)
@settings(max_examples=120, deadline=None)
def test_random_lives(
    seed: int,
    plan: Plan,
    found: dict[str, object],
    policy: str,
    story: list[tuple[int, str]],
) -> None:
    bench = Bench(seed)
    bench.cluster.store.on("Pod", check)
    fields = {f"{kind}Probe": probe for kind, probe in found.items() if probe is not None}
    pod = bench.pod(
        plan=plan,
        spec={"restartPolicy": policy},
        resources={"limits": {"memory": "1Mi"}},
        **fields,  # type: ignore[arg-type]  # the fields of a container
    )
    booted = False
    for wait, act in story:
        bench.on(wait)
        match act:
            case "kill":
                bench.kubelet.kill(pod, 1)
            case "oom":
                bench.kubelet.oom(pod)
            case "lose":
                booted = True
                bench.lose()
                bench.on(MINUTE)
                bench.restore()
            case _:
                bench.kubelet.probe_answers(pod, "liveness", ok=act == "well")
    bench.to(bench.now + HOUR)
    if not booted:
        waits_are_right(bench, pod)
    bench.deletion.delete_pod(pod)
    bench.on(31 * SECOND + STOP)
    assert pod.removed
    assert bench.at_rest
    assert bench.kubelet.addresses.used == 0


def waits_are_right(bench: Bench, pod: Pod) -> None:
    """Every restart came after its back-off, and at most half as late again."""
    starts = [each.started_unix for each in bench.runtime.starts]
    ends = [at for at, *_ in bench.exits(pod)]
    assert len(starts) in (len(ends), len(ends) + 1)
    backoff = Backoff()
    delay = bench.cluster.settings.start.mean
    for begun, over, again in zip(starts, ends, starts[1:], strict=False):
        nominal = backoff.crash(begun, over)
        assert nominal <= again - delay - over <= nominal + nominal // 2
