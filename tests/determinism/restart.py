"""A kill and the start after it, offline: the world that a store would bring back.

Rules: only what the store keeps comes over (the archive's documents, as JSON); the new world is the next
boot of the same seed and settings, and its time goes on where the old one's ended.
"""

from __future__ import annotations

import json
from dataclasses import replace

from emulator.control.archive import dump, load
from emulator.control.entities import Type
from emulator.domain.timefmt import HOUR
from emulator.scenario.loader import Loaded
from emulator.scenario.result import Result
from emulator.scenario.runner import Runner
from emulator.testing.invariants import Survivor
from emulator.world import World


def run_and_keep(loaded: Loaded) -> tuple[Result, World]:
    """A scenario's result, and its world as the last step and `until` leave it."""
    runner = Runner(loaded)
    return runner.run(), runner.world


def restarted(old: World) -> World:
    """The world after a kill of `old`, at its beginning: what was kept is restored."""
    plane = old.plane
    epoch = plane.settings.epoch
    kept = [
        (kind, entity.id, entity.project, json.loads(json.dumps(dump(entity, epoch))))
        for kind in Type
        for entity in plane.repository.all(kind)
    ]
    settings = old.settings
    later = epoch + old.now
    world = World(
        replace(
            settings,
            boot=settings.boot + 1,
            control=replace(settings.control, epoch=later),
            cluster=replace(settings.cluster, epoch=later),
        )
    )
    entities = [load(*each, world.plane.kinds, world.plane.settings) for each in kept]
    world.command("restore", "World", lambda now: world.plane.restore(now, entities))
    return world


def survivors(world: World) -> dict[str, Survivor]:
    """The runs that a world knows, as the checker of invariant 11 wants them."""
    found = {}
    for run in world.plane.repository.runs():
        shown = run.current_status(0).get("service", {})
        found[run.id] = Survivor(run.state, shown.get("name", ""), shown.get("clusterIP", ""))
    return found


def digest_after_kill(loaded: Loaded) -> str:
    """SHA-256 of the journal of the hour after a kill at the scenario's end."""
    _, old = run_and_keep(loaded)
    world = restarted(old)
    world.kernel.advance(HOUR)
    old.close()
    world.close()
    return world.journal.sha256
