"""Traffic: the loads of one world.

Rules: a load's name belongs to it for good, and its books stay readable after its end. Loads that run
at the same time and call one service share its replicas, and must agree on how those serve (unless the
directory says it).
"""

from __future__ import annotations

from emulator.cluster.kernel import Kernel
from emulator.cluster.streams import Streams
from emulator.cluster.traffic.course import Course, Result, Surroundings
from emulator.cluster.traffic.load import Load
from emulator.cluster.traffic.ports import Directory, Disturb, Network
from emulator.cluster.traffic.replicas import Replicas


class Traffic:
    """Starts loads, stops them, and tells what became of them."""

    def __init__(
        self,
        kernel: Kernel,
        streams: Streams,
        directory: Directory,
        network: Network | None = None,
        disturb: Disturb | None = None,
    ) -> None:
        replicas = Replicas(kernel, directory)
        self._around = Surroundings(kernel, streams, directory, network, disturb, replicas)
        self._courses: dict[str, Course] = {}

    def start(self, load: Load) -> None:
        """Starts a load; its arrivals begin at its start, or now.

        Raises ValueError for a name that is taken, a start in the past, and a load whose replicas
        would serve otherwise than those of a load that is under way.
        """
        now = self._around.kernel.now
        if load.name in self._courses:
            raise ValueError(f"name: there has been a load {load.name!r} already")
        if load.start is not None and load.start < now:
            raise ValueError(f"start: {load.start} is past, it is {now} already")
        course = Course(self._around, load)
        self._agree(course)
        self._courses[load.name] = course
        course.begin()

    def _agree(self, course: Course) -> None:
        for name in self.running():
            other = self._courses[name]
            if other.load.service == course.load.service and (
                other.serving.concurrency != course.serving.concurrency
                or other.serving.queue_limit != course.serving.queue_limit
            ):
                raise ValueError(
                    f"concurrency, queue_limit: load {name!r} calls {other.load.service!r} with"
                    " others, give both loads the same"
                )

    def stop(self, name: str) -> None:
        """Ends a load now; no effect on one that is over. Raises KeyError for an unknown name."""
        self._courses[name].stop()

    def running(self) -> list[str]:
        """The loads that are not over, in the order in which they were started."""
        return [name for name, course in self._courses.items() if not course.over]

    def over(self, name: str) -> bool:
        """Whether a load has ended or been stopped. Raises KeyError for an unknown name."""
        return self._courses[name].over

    def results(self, name: str) -> Result:
        """A load's books as they are now. Raises KeyError for an unknown name."""
        return self._courses[name].result()
