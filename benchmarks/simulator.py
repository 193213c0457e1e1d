"""How fast services live in the simulator, next to SimPy's own ceiling, and how the cost grows.

Run: `python benchmarks/simulator.py [--to LIVES] [--rest SERVICES] [--rounds N] [--json FILE]`.
A life is a whole one, control plane included: create, schedule, pull, start, ready, one invocation,
stop, delete. Each figure is CPU time (user and system) in a process of its own, the median of
`--rounds`.

- `simpy`: what SimPy alone takes for lives of as many events: a generator a life, nothing in it.
- `file`, `counts`: lives one after another, with the journal in a file, or only counted.
- The curve: cost per life by their number, one after another (`serial`) and with up to 10,000 at once
  (`overlapping`), counts only. It is flat when a life costs what it does itself.
- Rest: services that run and are left alone: memory each (growth of the resident set), and the events
  of one simulated hour, which must be none.

A life leaves no cyclic garbage (`unreachable` counts it), so the collector is told to look seldom:
with its defaults its passes over the living grow with their number. Compare within one run, by ratio:
the absolute figures are the machine's.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TextIO

AT_ONCE = 10_000
GAP = 200_000_000  # between arrivals, in ns: within what a controller manager may ask of an API server
WARM_UP = 50
#: The collector's thresholds here; a process that simulates many services does well with the like.
COLLECT = (50_000, 20, 50)
PORT = 8080
REAL = "a real control plane, measured elsewhere: 16 to 83 pods/s"


class Bench:
    """A world with room for every service, and a function to run in it."""

    def __init__(self, sink: TextIO | None = None) -> None:
        from emulator.cluster.settings import ClusterSettings, NodePool
        from emulator.world import World, WorldSettings

        pool = NodePool("node", 3, cpu=10**9, memory=2**60, disk=2**60, pods=10**7)
        settings = WorldSettings(cluster=ClusterSettings(pools=(pool,)))
        self.world = World(settings, sink=sink, keep=False)
        if sink is None:
            self.world.journal.count_only()
        self.plane = self.world.plane
        self.done = 0
        catalogue = self.plane.catalogue
        self._command(lambda now: catalogue.create_project(now, {"name": "demo"}))
        # each of its pods asks the registry
        image = {"image": "ghcr.io/acme/service:1", "image_pull_policy": "Always"}
        function = self._command(
            lambda now: catalogue.create_function(
                now, "demo", {"name": "service", "kind": "container", "spec": image}
            )
        )
        reference = f"container://demo/service:{function.id}"
        task = self._command(
            lambda now: catalogue.create_task(
                now, "demo", {"kind": "container+serve", "spec": {"function": reference}}
            )
        )
        self._body = {
            "kind": "container+serve:run",
            "spec": {
                "task": f"container+serve://demo/{task.id}",
                "function": reference,
                "service_ports": [{"port": PORT, "target_port": PORT}],
            },
        }
        self.serial(WARM_UP)

    def _command(self, fn: Callable[[int], Any]) -> Any:
        return self.world.command("bench", "Bench", fn)

    def create(self) -> Any:
        """A new run, on its way."""
        return self._command(lambda now: self.plane.intake.create(now, "demo", self._body))

    def invoke(self, run: Any) -> None:
        """One request through the platform's own routing."""
        from emulator.domain.workload import Request
        from emulator.platform import Route

        host = self.world.service_name(run)
        route = self.world.route(host, PORT)
        assert isinstance(route, Route)
        request = Request("GET", "/", (("host", host),), b"", host, PORT)
        answer = route.target(request)
        self.world.invoked(route, "GET", host, answer.status)
        assert answer.status == 200

    def stop(self, run: Any) -> None:
        """The client stops it."""
        self._command(lambda now: self.plane.runs.act(now, run, "stop"))

    def delete(self, run: Any) -> None:
        """The client deletes it."""
        self._command(lambda now: self.plane.runs.delete(now, run))
        self.done += 1

    def _until(self, condition: Callable[[], bool]) -> None:
        limit = self.world.now + 3600 * 10**9
        assert self.world.run_until(condition, limit), "a life has got stuck"

    def serial(self, lives: int) -> None:
        """Lives one after another."""
        for _ in range(lives):
            self._live()

    def _live(self) -> None:
        run = self.create()
        self._until(lambda: run.state == "RUNNING" and self._reachable(run))
        self.invoke(run)
        self.stop(run)
        self._until(lambda: not run.in_transition)
        self.delete(run)

    def _reachable(self, run: Any) -> bool:
        from emulator.platform import Route

        return isinstance(self.world.route(self.world.service_name(run), PORT), Route)

    def overlapping(self, lives: int) -> None:
        """Lives that begin one by one and last until `AT_ONCE` others have begun."""
        kernel, hold = self.world.kernel, AT_ONCE * GAP
        target = self.done + lives

        def begin(left: int) -> None:
            run = self.create()
            kernel.call_in(hold // 2, lambda: self.invoke(run))
            kernel.call_in(hold, lambda: self.stop(run))
            kernel.call_in(hold + 60 * 10**9, lambda: self.delete(run))
            if left > 1:
                kernel.call_in(GAP, lambda: begin(left - 1))

        begin(lives)
        kernel.run_while(lambda: self.done < target, sys.maxsize)
        assert self.done == target


def resident() -> int:
    """The resident set of this process in bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def timed(bench: Bench, work: Callable[[int], None], lives: int) -> dict[str, float]:
    """Microseconds of CPU a life, and the events that a life schedules."""
    before = next(bench.world.kernel._eid)
    began = time.process_time()
    work(lives)
    took = time.process_time() - began
    scheduled = next(bench.world.kernel._eid) - before
    return {"us": took / lives * 1e6, "events": scheduled / lives}


def arm_file(lives: int, events: int) -> dict[str, float]:
    """Lives one after another, their journal in a file."""
    with tempfile.TemporaryFile("w+", encoding="ascii", newline="\n") as sink:
        bench = Bench(sink)
        rows = bench.world.journal.count
        found = timed(bench, bench.serial, lives)
        found["rows"] = (bench.world.journal.count - rows) / lives
        return found


def arm_serial(lives: int, events: int) -> dict[str, float]:
    """Lives one after another, counted."""
    bench = Bench()
    found = timed(bench, bench.serial, lives)
    gc.collect()
    gc.disable()
    bench.serial(WARM_UP)
    found["unreachable"] = gc.collect() / WARM_UP
    return found


def arm_overlapping(lives: int, events: int) -> dict[str, float]:
    """Lives with many at once, counted."""
    bench = Bench()
    return timed(bench, bench.overlapping, lives)


def arm_simpy(lives: int, events: int) -> dict[str, float]:
    """Lives of SimPy alone, overlapping as ours do: as many events each, and nothing done in them."""
    import simpy

    env = simpy.Environment()
    step = AT_ONCE * GAP // max(events, 1)

    def life() -> Generator[Any, Any, None]:
        for _ in range(events - 2):  # its beginning and its end are events too
            yield env.timeout(step)

    def arrivals() -> Generator[Any, Any, None]:
        for _ in range(lives):
            env.process(life())
            yield env.timeout(GAP)

    env.process(arrivals())
    began = time.process_time()
    env.run()
    return {"us": (time.process_time() - began) / lives * 1e6, "events": float(events)}


def arm_rest(services: int, events: int) -> dict[str, float]:
    """Services that have become ready and are left alone: bytes each, and events of an hour."""
    bench = Bench()
    kernel = bench.world.kernel
    gc.collect()
    before = resident()
    runs = [bench.create()]
    for _ in range(services - 1):
        kernel.advance(kernel.now + GAP)
        runs.append(bench.create())
    kernel.advance(kernel.now + 3600 * 10**9)
    assert all(run.state == "RUNNING" for run in runs)
    gc.collect()
    each = (resident() - before) / services
    fired, until = 0, kernel.now + 3600 * 10**9
    while kernel.peek() <= until:
        kernel.step()
        fired += 1
    return {"bytes": each, "events": float(fired)}


ARMS: dict[str, Callable[[int, int], dict[str, float]]] = {
    "file": arm_file,
    "serial": arm_serial,
    "overlapping": arm_overlapping,
    "simpy": arm_simpy,
    "rest": arm_rest,
}


def measure(arm: str, lives: int, rounds: int, events: int = 0) -> dict[str, float]:
    """The median of an arm's figures, each round in a process of its own."""
    found: list[dict[str, float]] = []
    for _ in range(rounds):
        command = [sys.executable, __file__, "--arm", arm, str(lives), str(events)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout))
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def sizes(to: int) -> list[int]:
    """1,000 and its tenfolds up to `to`, which ends them."""
    found = [10**n for n in range(3, 9) if 10**n < to]
    return [*found, to]


def show(figures: dict[str, Any]) -> None:
    """The table."""

    def line(name: str, us: float, note: str = "") -> None:
        print(f"{name:<44} {us:9.1f} us {1e6 / us:9.0f} lives/s  {note}")

    python = sys.version.split()[0]
    print(f"python {python}, {os.cpu_count()} cores, median of {figures['rounds']}")
    counts, bare = figures["counts"], figures["simpy"]
    line("SimPy alone, as many events", bare["us"], f"{bare['events']:.0f} events a life")
    file = figures["file"]
    line("journal in a file", file["us"], f"{file['rows']:.0f} rows a life")
    line("counts only", counts["us"], f"{counts['us'] / bare['us']:.1f} times SimPy alone")
    print(f"cyclic garbage: {counts['unreachable']:.1f} objects a life")
    print(f"({REAL})")
    for form, points in figures["curve"].items():
        least = points[0]["us"]
        for point in points:
            line(f"{form}, {point['lives']:,} lives", point["us"], f"{point['us'] / least:.2f}x")
    rest = figures["rest"]
    print(
        f"{rest['services']:,.0f} services at rest: {rest['bytes']:,.0f} bytes each, "
        f"{rest['events']:.0f} events in a simulated hour"
    )


def main() -> None:
    """Measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--to", type=int, default=100_000, help="where the curve ends, in lives")
    parser.add_argument("--rest", type=int, default=10_000, help="services at rest")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each figure")
    parser.add_argument("--lives", type=int, default=3_000, help="lives of a figure of speed")
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    parser.add_argument("--arm", nargs=3, metavar=("ARM", "LIVES", "EVENTS"), help="one round")
    options = parser.parse_args()
    if options.arm:
        arm, lives, events = options.arm
        gc.set_threshold(*COLLECT)
        print(json.dumps(ARMS[arm](int(lives), int(events))))
        return
    rounds = options.rounds
    counts = measure("serial", options.lives, rounds)
    figures: dict[str, Any] = {
        "rounds": rounds,
        "counts": counts,
        "file": measure("file", options.lives, rounds),
        "simpy": measure("simpy", 10 * options.lives, rounds, round(counts["events"])),
        "curve": {
            form: [{"lives": n, **measure(form, n, rounds)} for n in sizes(options.to)]
            for form in ("serial", "overlapping")
        },
        "rest": {"services": options.rest, **measure("rest", options.rest, 1)},
        "elsewhere": REAL,
    }
    show(figures)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
