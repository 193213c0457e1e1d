"""The control plane in one hand: what the driver and the API hold.

Rules: every method that takes `now` is a command or an answer of the platform; afterwards `drain`
gives what the platform must do, `repository.drain` what must survive and `next_wake` the next instant.
"""

from __future__ import annotations

from emulator.control.catalogue import Catalogue
from emulator.control.effects import Effect
from emulator.control.entities import Entity, Run
from emulator.control.intake import Intake
from emulator.control.repository import Repository
from emulator.control.runs import Runs
from emulator.control.settings import ControlSettings, Ids
from emulator.domain import kinds
from emulator.domain.journal import Journal


class ControlPlane:
    """DigitalHub core, without its sockets and its clock."""

    def __init__(
        self, settings: ControlSettings, journal: Journal, ids: Ids, *, complete_watch: bool
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.repository = Repository()
        self.kinds = kinds.load()
        self.runs = Runs(self.repository, settings, journal, complete_watch=complete_watch)
        self.catalogue = Catalogue(self.repository, self.runs, self.kinds, settings, ids)
        self.intake = Intake(self.repository, self.runs, self.kinds, settings, ids)

    def restore(self, now: int, entities: list[Entity]) -> None:
        """Takes back what survived a restart, and sets it going again."""
        for entity in entities:
            self.repository.add(entity)
        self.repository.drain()
        self.runs.recover(now, list(self.repository.runs()))

    def drain(self) -> list[Effect]:
        """What the platform must do, in order; each effect is given out once."""
        effects = list(self.runs.outbox)
        self.runs.outbox.clear()
        return effects

    def next_wake(self) -> int | None:
        """When `wake` wants to be called, or None."""
        return self.runs.watching.next_wake()

    def wake(self, now: int) -> None:
        """The instant has come."""
        self.runs.watching.wake(now)

    def moving(self) -> list[Run]:
        """The runs that are on their way to a settled state."""
        return list(self.runs.moving.values())
