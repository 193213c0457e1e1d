"""What campaigns have found, as short histories that showed it."""

from __future__ import annotations

from player import SETTINGS, Player

from emulator.domain.timefmt import HOUR, MILLISECOND, MINUTE, SECOND
from emulator.testing.actions import Action, Advance, Delete, Deploy, Fault
from emulator.testing.invariants import Violation

SMALL, BOUNDED = SETTINGS[:2]
#: As much as leaves a node of the small worlds room for little else.
LARGE = (("cpu", "900m"),)
LITTLE = (("cpu", "50m"),)


def _broken(actions: list[Action]) -> tuple[Violation, ...]:
    found = Player(SMALL, 1).whole(actions)
    return found.violations if found is not None else ()


def test_an_alias_forgets_the_pods_of_its_last_owner_that_have_no_address() -> None:
    """One that waited for a node while its run lost the alias answered for the alias later."""
    actions: list[Action] = [
        Deploy("blocker", "slow", replicas=2, resources=LARGE),
        Advance(MINUTE),
        Deploy("old", "good", replicas=2, resources=LARGE),
        Advance(MINUTE),
        Deploy("new", "good", resources=LITTLE),
        Advance(MINUTE),
        Delete("blocker"),
        Advance(2 * MINUTE),
    ]
    assert _broken(actions) == ()


def test_a_run_keeps_the_alias_that_it_got_where_another_one_is_refused() -> None:
    """It was taken for refused as well, so that an older run took it when it became RUNNING."""
    actions: list[Action] = [
        Deploy("blocker", "slow", replicas=3, resources=LARGE),
        Deploy("first", "good", resources=LITTLE),
        Advance(MINUTE),
        Deploy("late", "good", resources=LARGE),
        Deploy("newest", "good", resources=LITTLE, service_name="green"),
        Advance(100 * MILLISECOND),
        Fault("full-range", name="full"),
        Advance(10 * SECOND),
        Delete("blocker"),
        Advance(MINUTE),
    ]
    assert _broken(actions) == ()


def test_a_refused_pod_is_tried_again_with_back_off_when_the_client_is_slow() -> None:
    """Pods whose creation waits for the client's rate were refused and tried again at once, for ever.

    A ReplicaSet tries again after 5 ms, then twice as late each time, up to 1000 s: 20 tries an hour.
    """
    player = Player(BOUNDED, 1)
    for name in ("a", "b", "c", "d", "e", "f"):
        player.do(Deploy(name, "good", replicas=4, resources=LITTLE))
    player.do(Advance(HOUR))
    tries = [each.serial for each in player.world.cluster.store.all("ReplicaSet")]
    player.close()
    assert sum(tries) > 24
    assert max(tries) <= 4 + 25
