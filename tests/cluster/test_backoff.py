"""Kubernetes' back-offs: the waits of its source, and what the pod worker makes of them.

Sources: kubernetes 1.36 flowcontrol.Backoff as kuberuntime's doBackOff uses it (the first restart does
not wait: kubernetes#133472); pkg/kubelet/images (image pulls); pkg/kubelet/pod_workers.go completeWork.
"""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.backoff import Backoff, real_wait
from emulator.cluster.streams import Streams
from emulator.domain.timefmt import SECOND

CRASH_WAITS = [0, 10, 20, 40, 80, 160, 300, 300, 300]


def crashes(backoff: Backoff, lifetime: int, times: int, start: int = 0) -> tuple[list[int], int]:
    """The waits, in seconds, of runs of `lifetime` nanoseconds each, and when the last one ended."""
    waits, now = [], start
    for _ in range(times):
        wait = backoff.crash(now, now + lifetime)
        waits.append(wait // SECOND)
        now += lifetime + wait
    return waits, now


def test_the_waits_of_a_crash_loop() -> None:
    assert crashes(Backoff(), 5 * SECOND, len(CRASH_WAITS))[0] == CRASH_WAITS


def test_a_run_of_more_than_ten_minutes_begins_anew() -> None:
    backoff = Backoff()
    _, now = crashes(backoff, SECOND, 6)
    assert backoff.crash(now, now + 600 * SECOND) == 300 * SECOND  # ten minutes are not enough
    assert backoff.crash(now, now + 600 * SECOND + 1) == 0
    assert crashes(backoff, SECOND, 3, now)[0] == [10, 20, 40]


def test_the_instants_of_failed_pulls() -> None:
    backoff, now, seen = Backoff(), 0, []
    for _ in range(8):
        seen.append(now // SECOND)
        now += backoff.failed_pull(now)
    assert seen == [0, 10, 30, 70, 150, 310, 610, 910]
    assert seen == list(accumulate([0, 10, 20, 40, 80, 160, 300, 300]))


@given(
    st.sampled_from([seconds * SECOND for seconds in CRASH_WAITS[1:7]])
    | st.integers(1, 300 * SECOND),
    st.integers(),
)
def test_a_real_wait_is_never_shorter_and_at_most_half_longer(nominal: int, seed: int) -> None:
    wait = real_wait(nominal, Streams(seed).stream("pod", "crash-backoff"))
    assert nominal <= wait <= nominal + nominal // 2
    # the worker looks at least every 60 s, up to half of it late
    assert wait < nominal + 30 * SECOND


def test_no_wait_takes_nothing_from_the_stream() -> None:
    stream = Streams(1).stream("pod", "crash-backoff")
    assert real_wait(0, stream) == 0
    assert stream.hex(8) == Streams(1).stream("pod", "crash-backoff").hex(8)


def test_real_waits_differ() -> None:
    waits = {real_wait(10 * SECOND, Streams(seed).stream("pod", "b")) for seed in range(20)}
    assert len(waits) == 20
