"""Image pulls: their time, their order, their limits and their failures.

Source: Kubernetes facts 6.2; kubernetes 1.36 pkg/kubelet/images (events, texts, the QPS limit, which
fails instead of waiting), flowcontrol.Backoff as the image manager uses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from operator import sub

import pytest
from kubelet_bench import BANDWIDTH, LATENCY, PRESENT, REACTION, RUNNING, START, Bench

from emulator.cluster.distributions import Constant
from emulator.cluster.kubelet import Refusal
from emulator.cluster.settings import ClientRate, Image, Registry
from emulator.domain.timefmt import HOUR, MILLISECOND, SECOND

MIB = 2**20
WAITS = [10, 20, 40, 80, 160, 300, 300, 300]


@dataclass(frozen=True)
class Watched(Registry):
    """A registry that notes when it is asked."""

    asked: list[str] = field(default_factory=list)

    def find(self, image: str) -> Image:
        self.asked.append(image)
        return super().find(image)


def pulled(bench: Bench) -> list[tuple[int, str]]:
    """When each image came, and how long it took as the events say."""
    return [(at, note.partition(" in ")[2]) for at, note in bench.said("Pulled")]


def test_a_pull_takes_the_latency_and_the_size_over_the_bandwidth() -> None:
    bench = Bench(registry=Registry(images=(Image("big", 3 * BANDWIDTH),)))
    bench.pod(image="big")
    bench.to(5 * SECOND)
    assert pulled(bench) == [
        (
            REACTION + LATENCY + 3 * SECOND,
            "3.2s (3.2s including waiting). Image size: 157286400 bytes.",
        )
    ]


def test_long_pulls_are_written_as_go_writes_them() -> None:
    bench = Bench(registry=Registry(images=(Image("big", 90 * BANDWIDTH),)))
    bench.pod(image="big")
    bench.to(100 * SECOND)
    assert pulled(bench)[0][1].startswith("1m30.2s (1m30.2s including waiting)")


def test_nodes_pull_side_by_side_and_a_node_in_a_row() -> None:
    """Kubernetes' default: serializeImagePulls."""
    bench = Bench(nodes=2)
    for node, image in ((0, "a"), (0, "b"), (1, "c")):
        bench.pod(node=node, image=image)
    bench.to(5 * SECOND)
    one = REACTION + LATENCY + SECOND
    assert [at for at, _ in pulled(bench)] == [one, one, one + LATENCY + SECOND]


def test_what_an_earlier_pull_brought_is_not_fetched_again() -> None:
    bench = Bench()
    bench.pod(image="a")
    bench.pod(image="a")
    bench.to(5 * SECOND)
    assert [text.partition(" Image")[0] for _, text in pulled(bench)] == [
        "1.2s (1.2s including waiting).",
        "200ms (1.4s including waiting).",
    ]


def test_always_asks_the_registry_for_what_is_there() -> None:
    bench = Bench()
    bench.pod(imagePullPolicy="Always")
    bench.to(SECOND)
    assert bench.reasons() == ["Pulling", "Pulled", "Created", "Started"]
    assert pulled(bench)[0][1].startswith("200ms (200ms including waiting). Image size: ")


def test_images_of_the_pool_are_there_from_the_beginning() -> None:
    bench = Bench()
    bench.pod()
    bench.to(SECOND)
    assert bench.said()[0] == (
        REACTION,
        f'Container image "{PRESENT}" already present on machine and can be accessed by the pod',
    )
    assert [at for at, _ in bench.said("Started")] == [RUNNING]


def test_a_burst_of_ten_pulls_and_five_a_second_then_an_error() -> None:
    """registryPullQPS 5, registryBurst 10: one too many is refused, it does not wait."""
    bench = Bench(registry=Registry(latency=Constant(0), size=0))
    pods = [bench.pod(image=f"i{n}") for n in range(12)]
    bench.to(2 * SECOND)
    assert len(bench.said("Pulled")) == 10
    refused = pods[10:]
    for pod in refused:
        assert bench.said("Failed", pod=pod)[:2] == [
            (REACTION, f'Failed to pull image "{pod.template.image}": pull QPS exceeded'),
            (REACTION, "Error: ErrImagePull"),
        ]
    bench.to(SECOND * 30)
    assert all(pod.ready for pod in pods)


def test_the_rate_is_a_setting() -> None:
    bench = Bench(registry=Registry(latency=Constant(0), size=0, rate=None))
    for n in range(50):
        bench.pod(image=f"i{n}")
    bench.to(SECOND)
    assert len(bench.said("Pulled")) == 50
    slow = Bench(registry=Registry(latency=Constant(0), size=0, rate=ClientRate(1, 1)))
    slow.pod(image="a")
    slow.pod(image="b")
    slow.to(SECOND)
    assert len(slow.said("Pulled")) == 1


# -- a bandwidth for all ---------------------------------------------------------------------------


def test_nodes_share_the_registry_in_equal_parts() -> None:
    """Two pulls of 50 MiB at 25 MiB/s each: the third, later and smaller, takes a part of both."""
    registry = Registry(
        latency=Constant(0),
        shared=BANDWIDTH,
        images=(Image("a", 50 * MIB), Image("b", 50 * MIB), Image("c", 10 * MIB)),
    )
    bench = Bench(nodes=3, registry=registry)
    bench.pod(node=0, image="a")
    bench.pod(node=1, image="b")
    bench.to(SECOND)  # 24.75 MiB each, at 10 ms
    bench.pod(node=2, image="c")
    bench.to(5 * SECOND)
    part = BANDWIDTH // 3
    joined = SECOND + REACTION
    left = joined + -(-10 * MIB * SECOND // part)
    got = (BANDWIDTH // 2) * (joined - REACTION) + part * (left - joined)
    end = left + -(-(50 * MIB * SECOND - got) // (BANDWIDTH // 2))
    assert [at for at, _ in pulled(bench)] == [left, end, end]


def test_a_single_pull_is_no_faster_than_its_own_bandwidth() -> None:
    bench = Bench(registry=Registry(latency=Constant(0), shared=100 * BANDWIDTH))
    bench.pod(image="a")
    bench.to(2 * SECOND)
    assert [at for at, _ in pulled(bench)] == [REACTION + SECOND]


@pytest.mark.parametrize("shared", [None, 10 * BANDWIDTH])
def test_a_throttle_reaches_the_pulls_under_way(shared: int | None) -> None:
    bench = Bench(registry=Registry(latency=Constant(0), shared=shared))
    bench.pod(image="a")
    bench.to(REACTION + 500 * MILLISECOND)
    bench.kubelet.disturb.registry.throttle(1, 10)
    bench.to(REACTION + 1500 * MILLISECOND)
    bench.kubelet.disturb.registry.throttle(0, 1)  # nothing comes
    bench.to(60 * SECOND)
    assert pulled(bench) == []
    bench.kubelet.disturb.registry.throttle(1, 1)
    bench.to(61 * SECOND)
    assert [at for at, _ in pulled(bench)] == [60 * SECOND + 400 * MILLISECOND]


def test_a_pull_whose_pod_is_gone_gives_way() -> None:
    bench = Bench(registry=Registry(shared=BANDWIDTH))
    gone = bench.pod(image="a")
    waits = bench.pod(image="b")
    bench.to(700 * MILLISECOND)
    bench.deletion.delete_pod(gone)
    bench.to(3 * SECOND)
    assert gone.removed
    assert bench.said("Pulled", pod=waits)[0][0] == (
        700 * MILLISECOND + REACTION + LATENCY + SECOND
    )
    assert "a" not in bench.nodes[0].images


# -- failures --------------------------------------------------------------------------------------


def test_pulls_fall_at_0_10_30_70_150_310_610_910_and_some_jitter() -> None:
    registry = Watched(latency=Constant(0), images=(Image("none", error="not found"),))
    for seed in range(5):
        bench = Bench(seed, registry=registry)
        registry.asked.clear()
        pod = bench.pod(image="none")
        times: list[int] = []
        while bench.now < HOUR:
            bench.kernel.step()
            if len(registry.asked) > len(times):
                times.append(bench.now)
        assert times[0] == REACTION
        for n, (earlier, later) in enumerate(pairwise(times)):
            wait = WAITS[min(n, len(WAITS) - 1)] * SECOND
            assert wait <= later - earlier < wait + 15 * SECOND
        assert pod.phase == "Pending"


def test_a_failed_pull_flips_between_its_two_reasons() -> None:
    registry = Registry(images=(Image("none", error="not found"),))
    bench = Bench(registry=registry)
    pod = bench.pod(image="none")
    seen: list[str] = []
    while bench.now < 100 * SECOND:
        bench.kernel.step()
        if seen[-1:] != [pod.state.reason]:
            seen.append(pod.state.reason)
    flips = [at for at, note in bench.said("BackOff")]
    failed = REACTION + LATENCY
    assert failed + SECOND <= flips[0] < failed + 1500 * MILLISECOND  # the sandbox's own sync
    assert all(gap >= 10 * SECOND for gap in map(sub, flips[1:], flips))
    assert seen[:5] == ["ContainerCreating"] + ["ErrImagePull", "ImagePullBackOff"] * 2
    error = 'failed to pull and unpack image "none": not found'
    assert pod.state.message in (error, f'Back-off pulling image "none": ErrImagePull: {error}')


def test_every_look_inside_the_window_says_back_off_again() -> None:
    """The worker looks every 10 s x U[1, 1.5); kubectl shows it as `BackOff (x4 over 1m)`."""
    bench = Bench(registry=Registry(images=(Image("none", error="not found"),)))
    bench.pod(image="none")
    bench.to(150 * SECOND)
    event = bench.event("BackOff")
    rows = len(bench.said("BackOff"))
    assert 3 <= rows <= 5  # once a failure
    assert rows < event.said <= 150 // 10
    assert event.said == bench.event("Failed", "Error: ImagePullBackOff").said


def test_an_image_that_comes_at_last_clears_the_back_off() -> None:
    bench = Bench()
    registry = bench.kubelet.disturb.registry
    registry.refusals.append(Refusal("late*", "503 Service Unavailable"))
    pod = bench.pod(image="late:1")
    bench.to(5 * SECOND)
    assert bench.said("Failed")[0][1] == (
        'Failed to pull image "late:1": failed to pull and unpack image "late:1": '
        "503 Service Unavailable"
    )
    registry.refusals.clear()
    bench.to(20 * SECOND)
    assert pod.ready
    assert pod.pull.length == 0
    assert bench.at_rest


def test_a_refusal_may_leave_some_through() -> None:
    bench = Bench(nodes=200, registry=Registry(size=0))
    bench.kubelet.disturb.registry.refusals.append(Refusal("*", "timeout", 1, 4))
    for n in range(200):
        bench.pod(node=n, image="a")
    bench.to(SECOND)
    assert 120 <= len(bench.said("Pulled")) <= 175  # of 200 at 3/4


def test_more_latency_while_the_registry_is_disturbed() -> None:
    bench = Bench(registry=Registry(size=0))
    bench.kubelet.disturb.registry.latency = Constant(2 * SECOND)
    bench.pod(image="a")
    bench.to(3 * SECOND)
    assert [at for at, _ in pulled(bench)] == [REACTION + LATENCY + 2 * SECOND]


def test_a_name_that_no_engine_takes() -> None:
    bench = Bench()
    pod = bench.pod(image="UPPER")
    bench.to(SECOND)
    text = (
        'Failed to apply default image tag "UPPER": couldn\'t parse image name "UPPER": '
        "invalid reference format"
    )
    assert bench.said() == [(REACTION, text), (REACTION, "Error: InvalidImageName")]
    assert (pod.state.reason, pod.state.message) == ("InvalidImageName", text)
    assert bench.at_rest  # nothing wakes to say it again
    bench.to(60 * SECOND)
    assert bench.event("InspectFailed").said == 1 + 59_990 // 12_500


def test_an_image_that_must_be_there_is_found_when_another_pod_brings_it() -> None:
    bench = Bench()
    pod = bench.pod(image="a", imagePullPolicy="Never")
    bench.to(5 * SECOND)
    assert pod.state.reason == "ErrImageNeverPull"
    assert bench.said() == [
        (REACTION, 'Container image "a" is not present with pull policy of Never'),
        (REACTION, "Error: ErrImageNeverPull"),
    ]
    bench.pod(image="a")
    came = 5 * SECOND + REACTION + LATENCY + SECOND
    bench.to(came + 20 * SECOND)
    assert pod.ready
    started = bench.said("Started", pod=pod)[0][0]
    assert 10 * SECOND <= started - START - came < 15 * SECOND
