"""What of an entity must survive, and how it comes back.

Rules: times are stored as Unix nanoseconds, since each world begins anew at zero; what a restart can
see again (pods, events) is not stored; what it cannot (state, story, address, logs) is. The same
version reads what it wrote.
"""

from __future__ import annotations

from typing import Any

from emulator.control.entities import Entity, Run, Type
from emulator.control.settings import ControlSettings
from emulator.domain.kinds import KindRegistry
from emulator.domain.lifecycle import State
from emulator.domain.status import Moment
from emulator.platform import ContainerLog


def dump(entity: Entity, epoch: int) -> dict[str, Any]:
    """The entity as a JSON object."""
    body: dict[str, Any] = {
        "name": entity.name,
        "kind": entity.kind,
        "user": entity.user,
        "created": epoch + entity.created,
        "updated": epoch + entity.updated,
        "metadata": entity.metadata,
        "spec": entity.spec,
        "status": entity.status,
    }
    if isinstance(entity, Run):
        body["run"] = {
            "state": entity.state.value,
            "story": [[each.state.value, epoch + each.time, each.message] for each in entity.story],
            "failure": entity.failure,
            "extensions": entity.extensions,
            "aliases": list(entity.alias_names),
            "named": entity.named,
            "pinned": pinned(entity),
            "logs": [
                [each.namespace, each.pod, each.container, each.content] for each in entity.logs
            ],
        }
    return body


def pinned(run: Run) -> dict[str, Any]:
    """The addresses that a run holds: `clusterIP` and `nodePorts` by port."""
    if run.seen is None or run.seen.service is None:
        return run.pinned
    service = run.seen.service
    return {
        "clusterIP": service.cluster_ip,
        "nodePorts": {str(port.port): port.node_port for port in service.ports if port.node_port},
    }


def load(
    type: Type,
    identifier: str,
    project: str,
    body: dict[str, Any],
    kinds: KindRegistry,
    settings: ControlSettings,
) -> Entity:
    """The entity of a JSON object made by `dump`."""
    epoch = settings.epoch
    created = body["created"] - epoch
    if type is not Type.RUN:
        entity = Entity(
            type,
            identifier,
            body["name"],
            body["kind"],
            project,
            body["user"],
            created,
            body["metadata"],
            body["spec"],
        )
        entity.updated, entity.status = body["updated"] - epoch, body["status"]
        return entity
    run = Run(
        identifier,
        body["name"],
        kinds.run(body["kind"]),
        project,
        body["user"],
        created,
        body["metadata"],
        body["spec"],
        settings.profile,
    )
    run.updated, run.status = body["updated"] - epoch, body["status"]
    _load_life(run, body["run"], epoch)
    return run


def _load_life(run: Run, life: dict[str, Any], epoch: int) -> None:
    run.state = State(life["state"])
    run.story = [Moment(State(state), time - epoch, text) for state, time, text in life["story"]]
    run.failure = life["failure"]
    run.extensions = life["extensions"]
    run.alias_names = tuple(life["aliases"])
    run.named = life["named"]
    run.pinned = life["pinned"]
    run.logs = tuple(ContainerLog(*each) for each in life["logs"])
    run.health = run.current_health
