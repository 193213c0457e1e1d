"""Nodes are lost, return, fall ill, are cordoned, drained, removed and added at random.

Sources: Kubernetes facts sections 0.6 and 8. Held at every step: taints match the state of their node,
nobody is evicted before the toleration is over, what is planned has its reason. Held in the end: with
all nodes back nothing is planned, nothing is scheduled, and every replica is ready.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from nodes_rig import NEVER, Rig

from emulator.cluster.objects import Node
from emulator.cluster.settings import NodePool
from emulator.domain.journal import Row
from emulator.domain.timefmt import MILLISECOND, SECOND

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
CORDONED = "node.kubernetes.io/unschedulable"
KEY = {"True": None, "False": NOT_READY, "Unknown": UNREACHABLE}
REPLICAS = 6
HEARD = 20 * MILLISECOND

#: Which node a rule is about; the machine takes it modulo the nodes that there are.
which = st.integers(0, 5)


class Machine(RuleBasedStateMachine):
    """A cluster of two zones whose nodes come and go."""

    @initialize(seed=st.integers(0, 50), zoned=st.booleans(), step=st.booleans())
    def begin(self, seed: int, zoned: bool, step: bool) -> None:
        """Four nodes in one zone or in two; leases in step or not."""
        zones = ("a", "b") if zoned else ("", "")
        self.rig = Rig(
            seed=seed, pools=tuple(NodePool(f"p{i}", 2, zone=zone) for i, zone in enumerate(zones))
        )
        self.deployment = self.rig.deploy(REPLICAS)
        if step:
            self.rig.in_step()
        self.zones = {node.zone for node in self.rig.cluster.nodes}
        self.joined = 0
        self.drains = 0
        self.tainted: dict[str, int] = {}  # since when a node has a NoExecute taint without a break
        self.early: list[str] = []
        self.changed = self.rig.now  # when a node changed last
        self.rig.kernel.journal.listen(self._row)

    def _row(self, row: Row) -> None:
        name = row.subject.removeprefix("Node/")
        if row.kind == "node":
            self.changed = row.t
            if any(taint.endswith(":NoExecute") for taint in row.data["taints"]):
                self.tainted.setdefault(name, row.t)
            else:
                self.tainted.pop(name, None)
        elif row.kind == "event" and str(row.data["note"]).startswith("Marking for deletion"):
            pod = self.rig.cluster.store.get("Pod", f"default/{row.subject.removeprefix('Pod/')}")
            assert pod is not None
            since = self.tainted.get(pod.node.name)
            if since is None or row.t - since < 300 * SECOND:
                self.early.append(f"{row.subject} at {row.t}, its node tainted since {since}")

    def _heard(self) -> None:
        """Goes on until everybody has heard of the last change of a node."""
        while self.rig.now - self.changed < HEARD:
            self.rig.advance(0.02)

    def _node(self, number: int) -> Node:
        nodes = self.rig.cluster.nodes
        return nodes[number % len(nodes)]

    # -- what happens ----------------------------------------------------------------------------

    @rule(number=which)
    def lose(self, number: int) -> None:
        self.rig.nodes.lose(self._node(number))

    @rule()
    def lose_all(self) -> None:
        for node in self.rig.cluster.nodes:
            self.rig.nodes.lose(node)

    @rule(number=which)
    def restore(self, number: int) -> None:
        self.rig.nodes.restore(self._node(number))

    @rule(number=which)
    def not_ready(self, number: int) -> None:
        self.rig.nodes.not_ready(self._node(number))

    @rule(number=which)
    def cordon(self, number: int) -> None:
        self.rig.nodes.cordon(self._node(number))

    @rule(number=which)
    def uncordon(self, number: int) -> None:
        self.rig.nodes.uncordon(self._node(number))

    @rule(number=which)
    def drain(self, number: int) -> None:
        self.drains += 1
        self.rig.nodes.drain(self._node(number), self._drained)

    def _drained(self) -> None:
        self.drains -= 1

    @precondition(lambda self: len(self.rig.cluster.nodes) > 2)
    @rule(number=which)
    def remove(self, number: int) -> None:
        self.rig.nodes.remove(self._node(number))

    @precondition(lambda self: len(self.rig.cluster.nodes) < 6)
    @rule(number=which, up=st.booleans())
    def add(self, number: int, up: bool) -> None:
        self.joined += 1
        node = Node(f"late-{self.joined}", self._node(number).pool, self.rig.now)
        node.up = up
        self.rig.nodes.add(node)

    @rule(seconds=st.sampled_from([0.3, 4.7, 11, 31, 58, 130, 301, 420]))
    def wait(self, seconds: float) -> None:
        self.rig.advance(seconds)

    # -- what holds ------------------------------------------------------------------------------

    @invariant()
    def taints_match_their_node(self) -> None:
        """NoSchedule within the time in which a change is heard, NoExecute by the next look."""
        self._heard()
        for node in self.rig.cluster.nodes:
            key = KEY[node.ready] if node.conditions else None
            ours = {each.key for each in node.taints if each.effect == "NoSchedule"}
            wanted = {CORDONED} if node.unschedulable else set()
            assert ours == wanted | ({key} if key else set())
            beyond = {each.key for each in node.taints if each.effect == "NoExecute"}
            assert len(beyond) <= 1
            if beyond != {key}:
                since = node.conditions["Ready"].since if node.conditions else 0
                assert not beyond or self.rig.now - since <= 5 * SECOND

    @invariant()
    def nobody_is_evicted_early(self) -> None:
        assert self.early == []

    @invariant()
    def what_is_planned_has_its_reason(self) -> None:
        self._heard()
        for pod in self.rig.nodes.taints.planned:
            assert not pod.removed
            assert pod.node is not None
            assert pod.node.removed or pod.node.name in self.tainted

    @invariant()
    def nodes_hold_what_is_placed_on_them(self) -> None:
        for node in self.rig.cluster.nodes:
            assert node.used["pods"] == len(self.rig.pods_on(node))

    def teardown(self) -> None:
        if not hasattr(self, "rig"):
            return
        rig = self.rig
        rig.advance(1800)  # no rest: the scheduler tries every five minutes what fits nowhere
        nodes = rig.cluster.nodes
        same = {
            node.zone for node in nodes
        } == self.zones  # see test_disruption on a zone that goes
        if same and all(node.ready != "True" for node in nodes):
            assert not any(each.effect == "NoExecute" for node in nodes for each in node.taints)
            assert not any(pod.node in nodes for pod in rig.nodes.taints.planned)
        for node in nodes:
            rig.nodes.restore(node)
            rig.nodes.uncordon(node)
        rig.rest(7200)
        assert rig.kernel.peek() == NEVER
        assert [node.taints for node in nodes] == [()] * len(nodes)
        assert {node.ready for node in nodes} == {"True"}
        assert rig.nodes.taints.planned == ()
        assert self.drains == 0
        assert [pod.ready for pod in rig.pods] == [True] * REPLICAS
        assert self.deployment.ready == REPLICAS
        assert self.early == []


TestNodes = Machine.TestCase
TestNodes.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
