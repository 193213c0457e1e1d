"""Every quirk in force, in every profile: what core does, what the promise is, and the quirk alone.

A check is given a profile and whether the quirk is on in it. Each runs three times: in `documented`, in
`core-0.15`, and in `documented` with nothing but this quirk turned on, so that the row and no other
makes the difference.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import (
    IMAGE,
    MISSING,
    PORT,
    Deployment,
    act,
    advance,
    delete,
    deploy,
    events,
    exists,
    leftovers,
    make_world,
    one_node,
    path,
    put,
    reached,
    settle,
    state,
    status,
    until,
)

from emulator.api.app import create_app
from emulator.api.hub import Hub
from emulator.control.entities import Run
from emulator.control.verdicts import is_ready
from emulator.domain.errors import Refused
from emulator.domain.health import Health
from emulator.domain.kube import Condition, ContainerState, ContainerStatus, Observation, PodStatus
from emulator.domain.lifecycle import State
from emulator.domain.quirk_table import TABLE
from emulator.domain.quirks import CORE_0_15, DOCUMENTED, Profile, Quirk
from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND
from emulator.platform import NoRoute, Route
from emulator.store.memory import MemoryStore
from emulator.world import World

Check = Callable[[Profile, bool], None]
CHECKS: dict[Quirk, Check] = {}

POLL = 10 * SECOND
CRASHING = {"image": "crash", "echo": True, "exit": {"after": "5s"}}
SLOW = {"image": "slow", "echo": True, "startup": "20s"}


def shows(quirk: Quirk) -> Callable[[Check], Check]:
    """Registers the check of a quirk."""

    def register(check: Check) -> Check:
        assert quirk not in CHECKS, f"{quirk} has a check already"
        CHECKS[quirk] = check
        return check

    return register


def running(world: World, **spec: Any) -> Run:
    """A run that has come to RUNNING."""
    run = settle(world, deploy(world, **spec))
    assert run.state is State.RUNNING, run.message
    advance(world, 50 * MILLISECOND)  # its endpoints, and its alias, are where they are to be
    return run


# -- what is built ------------------------------------------------------------------------------


@shows(Quirk.SERVICE_URL_NAMESPACE)
def service_url_namespace(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = running(world)
    block = status(run)["service"]
    name = f"s-containerserve-{run.id}"
    assert block["url"] == (f"{name}.digitalhub:{PORT}" if on else f"{name}:{PORT}")
    assert ("namespace" in block) is on
    assert ("aliases" in block) is on
    for host in (name, f"{name}.digitalhub"):
        assert isinstance(world.route(host, PORT), Route)


@shows(Quirk.DEFAULT_SERVICE_TYPE)
def default_service_type(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    assert status(running(world))["service"]["type"] == ("NodePort" if on else "ClusterIP")
    for asked in ("ClusterIP", "NodePort"):
        assert status(running(world, service_type=asked))["service"]["type"] == asked


@shows(Quirk.CONTAINER_REPLICAS_IGNORED)
def container_replicas_ignored(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = running(world, replicas=3)
    advance(world, MINUTE)
    assert run.seen is not None
    assert run.seen.deployment is not None
    assert run.seen.deployment.desired == (1 if on else 3)
    assert len(status(run)["pods"]) == (1 if on else 3)


@shows(Quirk.PULL_POLICY_DROPPED)
def pull_policy_dropped(profile: Profile, on: bool) -> None:
    world = make_world(profile, pools=one_node())
    deployment = Deployment(world, image_pull_policy="Always")
    for _ in range(2):
        settle(world, deployment.run())
    assert len(events(world, "Pulling")) == (1 if on else 2)


@shows(Quirk.ALIAS_TOO_LONG)
def alias_too_long(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = settle(world, deploy(world, function="f" * 60))
    if on:
        assert run.state is State.ERROR
        assert f"s-demo-{'f' * 60}-latest" in status(run)["message"]
        assert leftovers(world) == {"runs": [run.id]}
    else:
        assert run.state is State.RUNNING
        (alias,) = run.alias_names
        assert len(alias) == 62
        advance(world, 50 * MILLISECOND)
        assert isinstance(world.route(alias, PORT), Route)


@shows(Quirk.K8S_RAW_ERRORS)
def k8s_raw_errors(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = settle(world, deploy(world, id="abc", service_ports=[]))
    refusal = 'Service "s-containerserve-abc" is invalid: spec.ports: Required value'
    assert run.state is State.ERROR
    text = status(run)["message"]
    if not on:
        assert text == f"k8s: {refusal}: give the run service_ports with port and target_port"
        return
    start, _, body = text.partition("{")
    assert start == "k8s: Unprocessable Entity "
    assert text.endswith(" ")
    refused = json.loads("{" + body)
    assert refused["kind"] == "Status"
    assert (refused["code"], refused["reason"], refused["message"]) == (422, "Invalid", refusal)
    assert refused["details"]["causes"] == [
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.ports"}
    ]


@shows(Quirk.K8S_DOUBLY_NESTED)
def k8s_doubly_nested(profile: Profile, on: bool) -> None:
    world = make_world(profile, rules=[SLOW])
    run = deploy(world, image="slow")
    until(world, lambda: run.state is State.PENDING)
    for kind in ("deployment", "service"):
        shown = status(run)["k8s"][kind]
        assert (kind in shown) is on
        assert (shown[kind] if on else shown)["kind"] == kind.capitalize()
    advance(world, POLL)
    assert status(run)["k8s"]["deployment"]["kind"] == "Deployment"


# -- readiness and loss ---------------------------------------------------------------------------


@shows(Quirk.NO_PROBES)
def no_probes(profile: Profile, on: bool) -> None:
    world = make_world(profile, rules=[SLOW])
    run = running(world, image="slow")
    (started,) = events(world, "Started")
    waited = reached(world, run, State.RUNNING) - started.t
    assert waited < SECOND if on else waited >= 20 * SECOND


@shows(Quirk.READY_ANY_POD)
def ready_any_pod(profile: Profile, on: bool) -> None:
    """The two pods of the source's condition: one runs and is not ready, the other the reverse."""

    def pod(name: str, phase: str, ready: str) -> PodStatus:
        container = ContainerStatus(name, IMAGE, ready == "True", 0, ContainerState("running"))
        return PodStatus(
            name, "digitalhub", phase, (Condition("Ready", ready, 0),), (container,), created=0
        )

    def seen(*pods: PodStatus) -> Observation:
        return Observation(0, None, None, (), pods, ())

    runs, waits = pod("a", "Running", "False"), pod("b", "Pending", "True")
    assert is_ready(seen(runs, waits), profile) is on
    assert not is_ready(seen(runs), profile)
    assert not is_ready(seen(waits), profile)
    assert is_ready(seen(waits, pod("c", "Running", "True")), profile)


@shows(Quirk.RESTARTS_ARE_FATAL)
def restarts_are_fatal(profile: Profile, on: bool) -> None:
    world = make_world(profile, rules=[CRASHING])
    run = deploy(world, image="crash")
    world.run_until(lambda: run.state is State.ERROR, HOUR)
    if on:
        assert run.state is State.ERROR
        assert status(run)["message"] == "Multiple pod restarts"
        advance(world, MINUTE)
        assert set(leftovers(world)) == {"runs"}
    else:
        assert run.state is State.RUNNING
        assert run.health is Health.UNHEALTHY
        assert "exited with code 1 (Error) and was restarted" in run.message


@shows(Quirk.RUNNING_IS_STICKY)
def running_is_sticky(profile: Profile, on: bool) -> None:
    world = make_world(profile, rules=[CRASHING])
    run = running(world, image="crash")
    assert "message" not in status(run)
    until(world, lambda: run.health is Health.UNHEALTHY)
    assert run.state is State.RUNNING
    assert ("message" in status(run)) is not on
    if not on:
        assert "exited with code 1 (Error)" in status(run)["message"]


@shows(Quirk.PENDING_WITHOUT_END)
def pending_without_end(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = deploy(world, image=MISSING)
    advance(world, MINUTE)
    assert state(run) is State.PENDING
    assert ("message" in status(run)) is not on
    advance(world, 24 * HOUR)
    if on:
        assert run.state is State.PENDING
        assert "message" not in status(run)
    else:
        assert run.state is State.ERROR
        assert reached(world, run, State.ERROR) == 601 * SECOND
        assert status(run)["message"].startswith("not ready within 600 s: ImagePullBackOff: ")


@shows(Quirk.WATCH_EVENT_DROPPED)
def watch_event_dropped(profile: Profile, on: bool) -> None:
    """A container that exits 3.3 s after its start, and again 3.6 s later.

    Lost, the exits are seen with the next event that comes late enough: the back-off's, a second on.
    """
    rules = [{"image": "*", "echo": True, "exit": {"after": "3300ms", "code": 1}}]
    world = make_world(profile, rules=rules)
    deploy(world)
    advance(world, 2 * POLL)
    exits = [row.t for row in world.journal.rows if row.kind == "exit"]
    seen = [row.t for row in world.journal.rows if row.data.get("health") == "unhealthy"]
    late = seen[0] - exits[0]
    assert (late > SECOND) if on else (0 < late <= SECOND)


# -- actions --------------------------------------------------------------------------------------


@shows(Quirk.STOP_PENDING_IGNORED)
def stop_pending_ignored(profile: Profile, on: bool) -> None:
    for wait in (0, POLL // 2):
        world = make_world(profile)
        run = deploy(world, image=MISSING)
        advance(world, wait)
        before = run.state
        assert before is (State.PENDING if wait else State.READY)
        act(world, run, "stop")
        advance(world, MINUTE)
        assert run.state is (State.PENDING if on else State.STOPPED)
        assert (set(leftovers(world)) == {"runs"}) is not on


@shows(Quirk.SECOND_STOP_JUMPS)
def second_stop_jumps(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = running(world)
    act(world, run, "stop")
    assert state(run) is State.STOP
    act(world, run, "stop")
    assert run.state is (State.STOPPED if on else State.STOP)
    assert run.id in world.cluster.groups
    settle(world, run)
    assert run.state is State.STOPPED
    advance(world, MINUTE)
    assert set(leftovers(world)) == {"runs"}
    assert path(run)[-2:] == ["RUNNING", "STOPPED"]


@shows(Quirk.ILLEGAL_ACTION_SWALLOWED)
def illegal_action_swallowed(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = running(world)
    for action, code, words in (
        ("build", 400, "a run in state RUNNING cannot BUILD; it allows: STOP, DELETE"),
        ("foo", 404, "No such action: 'foo'"),
    ):
        if on:
            act(world, run, action)
        else:
            with pytest.raises(Refused) as refused:
                act(world, run, action)
            assert refused.value.status == code
            assert words in refused.value.message
        assert run.state is State.RUNNING


@shows(Quirk.INTERNAL_EVENTS_PUBLIC)
def internal_events_public(profile: Profile, on: bool) -> None:
    for action, target in (
        ("complete", State.COMPLETED),
        ("error", State.ERROR),
        ("loop", State.RUNNING),
    ):
        world = make_world(profile)
        run = running(world)
        if on:
            act(world, run, action)
            assert run.state is target
            told = ["BUILT", "READY", "PENDING", "RUNNING"]
            assert path(run) == (told if target is State.RUNNING else [*told, target.value])
            assert isinstance(world.route(f"s-containerserve-{run.id}", PORT), Route)
        else:
            with pytest.raises(Refused, match=f"{action}: only the platform itself") as refused:
                act(world, run, action)
            assert refused.value.status == 400
            assert run.state is State.RUNNING
    for action, target in (("schedule", State.PENDING), ("execute", State.RUNNING)):
        world = make_world(profile)
        run = deploy(world)
        if on:
            act(world, run, action)
        else:
            with pytest.raises(Refused, match="only the platform itself"):
                act(world, run, action)
        assert run.state is (target if on else State.READY)


@shows(Quirk.RESUME_UNREACHABLE)
def resume_unreachable(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = running(world)
    act(world, run, "stop")
    settle(world, run)
    if on:
        act(world, run, "resume")
    else:
        with pytest.raises(Refused, match="start it again by a new run") as refused:
            act(world, run, "resume")
        assert refused.value.status == 400
    assert run.state is State.STOPPED


@shows(Quirk.SECOND_DELETE_ORPHANS)
def second_delete_orphans(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = running(world)
    delete(world, run)
    assert run.state is State.DELETING
    delete(world, run)
    assert exists(world, run) is not on
    assert run.id in world.cluster.groups
    advance(world, MINUTE)
    assert leftovers(world) == {}


@shows(Quirk.PUT_OVERWRITES_STATUS)
def put_overwrites_status(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = running(world)
    put(world, run, {"status": {"state": "RUNNING", "service": {"url": "mine:1"}, "mine": 1}})
    assert (status(run)["service"] == {"url": "mine:1"}) is on
    assert ("mine" in status(run)) is on
    put(world, run, {"status": {"state": "COMPLETED"}})
    assert run.state is (State.COMPLETED if on else State.RUNNING)
    put(world, run, {"status": {"state": "CREATED"}})  # no row leads there: swallowed
    assert run.state is (State.COMPLETED if on else State.RUNNING)


# -- what stays -------------------------------------------------------------------------------------


@shows(Quirk.SERVICE_STALE)
def service_stale(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = running(world)
    act(world, run, "stop")
    settle(world, run)
    assert run.state is State.STOPPED
    for key in ("service", "pods", "events"):
        assert (key in status(run)) is on
    if on:
        assert set(status(run)["k8s"]) >= {"deployment"}
    assert path(run) == ["BUILT", "READY", "PENDING", "RUNNING", "STOPPED"]
    assert isinstance(world.route(f"s-containerserve-{run.id}", PORT), NoRoute)


@shows(Quirk.ALIAS_TAKEOVER_EARLY)
def alias_takeover_early(profile: Profile, on: bool) -> None:
    world = make_world(profile, rules=[{"image": "slow", "echo": True, "startup": "20s"}])
    deployment = Deployment(world, function="f", image="slow")

    def owner() -> str:
        service = world.cluster.store.get("Service", "digitalhub/s-demo-f-latest")
        return service.group.name if service else ""

    first = deployment.run("first")
    advance(world, 15 * SECOND)
    assert owner() == ("first" if on else "")
    settle(world, first)
    assert owner() == "first"
    second = deployment.run("second")
    advance(world, SECOND)
    assert owner() == ("second" if on else "first")
    settle(world, second)
    assert owner() == "second"
    advance(world, SECOND)
    found = world.route("s-demo-f-latest", PORT)
    assert isinstance(found, Route)
    assert found.workload == "second"
    act(world, second, "stop")
    advance(world, MINUTE)
    assert owner() == ("" if on else "first")


@shows(Quirk.LOG_SHAPE)
def log_shape(profile: Profile, on: bool) -> None:
    world = make_world(profile)
    run = running(world)
    (log,) = _get(world, f"/api/v1/-/demo/runs/{run.id}/logs")
    assert set(log) >= {"id", "run", "project", "extensions", "content"}
    assert ("name" in log) is not on
    assert ("spec" in log) is not on
    if not on:
        assert log["spec"] == {"run": run.id}


def _get(world: World, url: str) -> Any:
    """The JSON that the API answers."""

    async def ask() -> Any:
        store = MemoryStore()
        store.open()
        app = create_app(Hub(world, store, "http://dhemu"))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://dhemu") as client:
            answer = await client.get(url)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return asyncio.run(ask())


# -- the tests --------------------------------------------------------------------------------------

PROFILES: dict[str, Callable[[Quirk], Profile]] = {
    "documented": lambda quirk: DOCUMENTED,
    "core-0.15": lambda quirk: CORE_0_15,
    "this-one-alone": lambda quirk: DOCUMENTED.with_settings(on=[quirk]),
}


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize("quirk", list(CHECKS))
def test_quirk(quirk: Quirk, profile: str) -> None:
    chosen = PROFILES[profile](quirk)
    CHECKS[quirk](chosen, chosen.has(quirk))


def test_every_quirk_in_force_has_a_check() -> None:
    """Here, or by its name in a file of the part that it belongs to."""
    in_force = {row.quirk for row in TABLE if row.in_force}
    others = [
        each.read_text(encoding="utf-8")
        for each in Path(__file__).parents[1].rglob("test_*.py")
        if each != Path(__file__)
    ]
    assert set(CHECKS) <= in_force
    untested = in_force - set(CHECKS)
    assert {
        each for each in untested if not any(f"Quirk.{each.name}" in text for text in others)
    } == set()


def test_a_profile_is_its_name_and_its_quirks() -> None:
    assert DOCUMENTED.quirks == frozenset()
    assert CORE_0_15.quirks == frozenset(Quirk)
    one = CORE_0_15.with_settings(on=["no-probes"], off=["service-stale"])
    assert one.quirks == CORE_0_15.quirks - {Quirk.SERVICE_STALE}
    with pytest.raises(ValueError, match="unknown quirk 'no-such': see the table"):
        DOCUMENTED.with_settings(on=["no-such"])
