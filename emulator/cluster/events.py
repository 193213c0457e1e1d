"""Events: what the cluster says of its objects, aggregated as Kubernetes' recorder does.

Rules: an identical event bumps the count of the earlier one; from the eleventh similar one (same
source, object, type and reason, other text) within 600 s on, the message is marked as combined; a
source may write 25 events about one object at once and then one in 300 s: what it says in between is
counted, and shows with the next event of that text that is written. An event lives an hour. Nothing
waits for that hour: what is over is dropped when somebody looks or writes. What is said again and again
at known instants is a `Streak`: nothing wakes for its repetitions either, they are counted, under the
same limits, when somebody looks, writes about that object, or ends it.
Source: Kubernetes facts section 4 (client-go tools/record/events_cache.go).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import ClassVar

from emulator.cluster.objects.stored import Stored
from emulator.domain.kube import EventRecord
from emulator.domain.timefmt import SECOND

LIFE = 3600 * SECOND
WINDOW = 600 * SECOND
SIMILAR = 10
BURST = 25
REFILL = 300 * SECOND
MAX_SHOWN = 100
_COMBINED = "(combined from similar events): "

#: The components that use the newer events API, which has no count until it repeats.
SERIES_SOURCES = frozenset({"default-scheduler"})


class Event(Stored):
    """An Event; `about` is its object, `first` and `last` are instants.

    `said` counts every time, `count` those until it was written last; 0 when it never was.
    """

    __slots__ = (
        "about",
        "count",
        "first",
        "last",
        "note",
        "number",
        "reason",
        "refresh",
        "said",
        "shown",
        "source",
        "type",
    )

    kind: ClassVar[str] = "Event"

    def __init__(
        self, number: int, about: Stored, source: str, level: str, reason: str, note: str, now: int
    ) -> None:
        super().__init__(f"{about.name}.{number:016x}", about.namespace or "default", now)
        self.number = number
        self.about = about
        self.source = source
        self.type = level
        self.reason = reason
        self.note = note
        self.first = self.last = now
        self.count = 0
        self.said = 0
        self.shown: EventRecord | None = None
        self.refresh: Callable[[], None] | None = None

    def write(self, now: int) -> None:
        """What has been said until now is written."""
        self.count = self.said
        self.last = now
        self.shown = None

    def record(self) -> EventRecord:
        """The event as an observation shows it."""
        if self.refresh is not None:
            self.refresh()
        if self.shown is None:
            about = self.about
            self.shown = EventRecord(
                self.type, self.reason, self.note, self.last, about.kind, about.name, self.count
            )
        return self.shown


class Streak:
    """Events that are said again, all of them in their order, at each of `instants` (ascending)."""

    __slots__ = ("events", "instants", "place")

    def __init__(self, events: tuple[Event, ...], instants: Sequence[int]) -> None:
        self.events = events
        self.instants = instants
        self.place = 0

    @property
    def next(self) -> int | None:
        """The next instant that has not been counted; None when all have."""
        return self.instants[self.place] if self.place < len(self.instants) else None


class _Said:
    """What one source has said about one object lately: its texts, and the tokens left.

    `similar` counts the different texts of a reason and keeps when the last one was said.
    """

    __slots__ = ("at", "events", "similar", "streaks", "tokens")

    def __init__(self, now: int) -> None:
        self.events: dict[tuple[str, str], Event] = {}
        self.streaks: list[Streak] = []
        self.similar: dict[str, tuple[int, int]] = {}
        self.tokens = BURST * REFILL
        self.at = now

    def spend(self, now: int) -> bool:
        """Takes a token; says whether there was one."""
        self.tokens = min(self.tokens + now - self.at, BURST * REFILL)
        self.at = now
        if self.tokens < REFILL:
            return False
        self.tokens -= REFILL
        return True

    def catch_up(self, before: int, late: Callable[[Event], None]) -> None:
        """Counts what the streaks have said at the instants before `before`.

        `late` is called with an event that is written for the first time.
        """
        while True:
            due = [(at, n) for n, each in enumerate(self.streaks) if (at := each.next) is not None]
            at, n = min(due, default=(before, 0))
            if at >= before:
                return
            if at + self.tokens - self.at < REFILL:
                self._skip(min(self.at + REFILL - self.tokens, before))
                continue
            streak = self.streaks[n]
            streak.place += 1
            for event in streak.events:
                event.said += 1
                if self.spend(at):
                    first = not event.count
                    event.write(at)
                    if first:
                        late(event)

    def _skip(self, until: int) -> None:
        """Counts what is said before `until`, when there is no token to write it."""
        for streak in self.streaks:
            place = bisect_left(streak.instants, until, streak.place)
            for event in streak.events:
                event.said += place - streak.place
            streak.place = place

    def combined(self, reason: str, now: int) -> bool:
        """Counts a new text of a reason; says whether it is one too many of its like."""
        last, count = self.similar.get(reason, (now, 0))
        count = 1 if now - last > WINDOW else count + 1
        self.similar[reason] = (now, count)
        return count > SIMILAR


class Recorder:
    """The events of a cluster, the oldest first."""

    def __init__(self) -> None:
        self._live: list[tuple[int, int, Event]] = []  # a heap: an event is due when it may be over
        self._said: dict[tuple[str, Stored], _Said] = {}
        self._repeating: dict[tuple[str, Stored], _Said] = {}
        self._serial = 0

    def say(
        self, about: Stored, source: str, level: str, reason: str, note: str, now: int
    ) -> Event | None:
        """Notes an event; None where the recorder's limits keep it from being written."""
        self.expire(now)
        key = (source, about)
        said = self._said.get(key)
        if said is None:
            said = self._said[key] = _Said(now)
        elif said.streaks:
            said.catch_up(now, self._late)
        event = said.events.get((reason, note))
        if event is None:
            known = note
            if said.combined(reason, now):
                known, note = _COMBINED, _COMBINED + note
                event = said.events.get((reason, known))
            if event is None:
                self._serial += 1
                event = Event(self._serial, about, source, level, reason, note, now)
                said.events[reason, known] = event
            event.note = note
        event.said += 1
        if not said.spend(now):
            return None
        first = not event.count
        event.write(now)
        if first:
            heappush(self._live, (now, event.number, event))
        return event

    def _late(self, event: Event) -> None:
        """An event of a streak is written for the first time."""
        heappush(self._live, (event.last, event.number, event))
        group = event.about.group
        if group is not None and not event.about.removed:
            group.events.append(event)

    # -- streaks ---------------------------------------------------------------------------------

    def begin(
        self,
        about: Stored,
        source: str,
        texts: Sequence[tuple[str, str]],
        instants: Sequence[int],
        clock: Callable[[], int],
    ) -> Streak | None:
        """Repeats events that have just been said, given by (reason, note), at `instants`.

        None where the recorder does not hold them, because it has combined them with others.
        """
        said = self._said.get((source, about))
        if said is None or not instants:
            return None
        events = tuple([held for text in texts if (held := said.events.get(text)) is not None])
        if len(events) < len(texts):
            return None
        streak = Streak(events, instants)
        said.streaks.append(streak)
        self._repeating[source, about] = said

        def refresh() -> None:
            said.catch_up(clock(), self._late)

        for event in events:
            event.refresh = refresh
        return streak

    def end(self, about: Stored, source: str, streak: Streak, before: int) -> None:
        """A streak says nothing at `before` or later; idempotent."""
        said = self._said.get((source, about))
        if said is None or streak not in said.streaks:
            return
        said.catch_up(before, self._late)
        said.streaks.remove(streak)
        for event in streak.events:
            event.refresh = None
        if not said.streaks:
            del self._repeating[source, about]

    # -- the end of events -----------------------------------------------------------------------

    def expire(self, now: int) -> None:
        """Drops what is older than an hour."""
        live = self._live
        while live and live[0][0] + LIFE <= now:
            at, number, event = heappop(live)
            if event.refresh is not None:
                self._said[event.source, event.about].catch_up(now, self._late)
            if event.last == at:
                self._drop(event)
            else:
                heappush(live, (event.last, number, event))

    def _drop(self, event: Event) -> None:
        event.removed = True
        key = (event.source, event.about)
        said = self._said.get(key)
        if said is None:
            return
        for known, held in tuple(said.events.items()):
            if held is event:
                del said.events[known]
        if not any(held.count for held in said.events.values()):
            del self._said[key]
            self._repeating.pop(key, None)
        group = event.about.group
        if group is not None and event in group.events:
            group.events.remove(event)

    def all(self, now: int) -> list[Event]:
        """Every event that lives, by the time at which it was last said."""
        self.expire(now)
        for said in self._repeating.values():
            said.catch_up(now, self._late)
        self.expire(now)
        return [event for _, _, event in sorted((each.last, n, each) for _, n, each in self._live)]
