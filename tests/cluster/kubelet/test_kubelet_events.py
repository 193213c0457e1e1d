"""What becomes of events that are said often.

Source: Kubernetes facts 4 (client-go tools/record/events_cache.go): a source writes 25 events about an
object at once, then one in 300 s; what it says in between is counted and shows with the next one that is
written, as kubectl's `(x1231 over 4h43m)` with a last time up to five minutes old.
"""

from __future__ import annotations

from kubelet_bench import Bench

from emulator.cluster.events import Recorder
from emulator.cluster.objects import Pod
from emulator.domain.timefmt import HOUR, SECOND


def pod() -> Pod:
    bench = Bench()
    return bench.pod()


def say(recorder: Recorder, about: Pod, note: str, now: int) -> bool:
    """Says something; whether it is written."""
    return recorder.say(about, "kubelet", "Normal", "Said", note, now) is not None


def test_a_burst_of_25_and_one_in_300_seconds() -> None:
    recorder, about = Recorder(), pod()
    written = [n for n in range(1000) if say(recorder, about, "again", n * SECOND)]
    assert written == [*range(25), 300, 600, 900]
    (event,) = recorder.all(1000 * SECOND)
    assert (event.said, event.count, event.last) == (1000, 901, 900 * SECOND)


def test_an_event_that_could_not_be_written_shows_later_with_all_of_its_count() -> None:
    recorder, about = Recorder(), pod()
    for n in range(25):
        say(recorder, about, "first", n)
    assert not say(recorder, about, "second", SECOND)
    assert [event.note for event in recorder.all(SECOND)] == ["first"]
    assert say(recorder, about, "second", 301 * SECOND)
    assert [(event.note, event.count) for event in recorder.all(301 * SECOND)] == [
        ("first", 25),
        ("second", 2),
    ]


def test_a_streak_counts_as_if_each_had_been_said() -> None:
    said, streak, about = Recorder(), Recorder(), pod()
    now = 0
    say(streak, about, "again", 0)
    streak.begin(
        about, "kubelet", (("Said", "again"),), range(7 * SECOND, 2**62, 7 * SECOND), clock
    )
    for n in range(1000):
        now = n * 7 * SECOND
        say(said, about, "again", now)
    (one,), (other,) = said.all(now), streak.all(now + 1)
    assert (one.said, one.count, one.last) == (other.said, other.count, other.last)


def clock() -> int:
    """Nobody looks at the event itself here."""
    return 0


def test_an_hour_later_it_is_gone_unless_it_is_still_said() -> None:
    recorder, about = Recorder(), pod()
    say(recorder, about, "once", 0)
    say(recorder, about, "again", 0)
    streak = recorder.begin(
        about, "kubelet", (("Said", "again"),), range(SECOND, 2**62, SECOND), clock
    )
    assert streak is not None
    assert [event.note for event in recorder.all(2 * HOUR)] == ["again"]
    recorder.end(about, "kubelet", streak, 2 * HOUR)
    assert recorder.all(3 * HOUR) == []


def test_two_streaks_share_what_may_be_written() -> None:
    recorder, about = Recorder(), pod()
    for note in ("a", "b"):
        say(recorder, about, note, 0)
        texts = (("Said", note),)
        recorder.begin(about, "kubelet", texts, range(SECOND, 2**62, SECOND), clock)
    first, second = recorder.all(100 * SECOND)
    assert sorted([first.count, second.count]) == [12, 13]  # 25 in all
    assert first.said == second.said == 100
