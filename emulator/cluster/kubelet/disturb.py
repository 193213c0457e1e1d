"""What can be made worse about the kubelets and the registry, while the world runs.

Rules: everything here is neutral until somebody writes it, and neutral again when it is written back;
nobody but a fault or a test does. The kubelet reads it at the moment when it acts, and the registry's
bandwidth tells the pulls under way (`RegistryState.throttle`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from emulator.cluster.distributions import Distribution
from emulator.cluster.objects import Pod
from emulator.cluster.streams import Stream


@dataclass(frozen=True, slots=True)
class Refusal:
    """Pulls of images that match `pattern` fail with `error`, `numerator` of `denominator` of them."""

    pattern: str
    error: str
    numerator: int = 1
    denominator: int = 1


@dataclass(frozen=True, slots=True)
class SlowStart:
    """The containers of the pods that `matches` takes `delay` longer to start."""

    delay: Distribution
    matches: Callable[[Pod], bool]


class RegistryState:
    """The registry's present troubles: more latency a request, less bandwidth, refusals."""

    __slots__ = ("_changed", "denominator", "latency", "numerator", "refusals")

    def __init__(self) -> None:
        self.latency: Distribution | None = None
        self.refusals: list[Refusal] = []
        self.numerator = 1
        self.denominator = 1
        self._changed: Callable[[], None] = _nothing

    def on_change(self, changed: Callable[[], None]) -> None:
        """Calls `changed` after every change of the bandwidth."""
        self._changed = changed

    def throttle(self, numerator: int, denominator: int) -> None:
        """From now on bytes come at `numerator`/`denominator` of the usual speed; 0 stops them.

        Raises ValueError unless 0 <= numerator and 1 <= denominator.
        """
        if numerator < 0 or denominator < 1:
            raise ValueError(f"throttle: give a share of at least 0, got {numerator}/{denominator}")
        self.numerator, self.denominator = numerator, denominator
        self._changed()

    def slowed(self, bandwidth: int) -> int:
        """A bandwidth, as it is at present."""
        return bandwidth * self.numerator // self.denominator

    def refuses(self, image: str, stream: Callable[[], Stream]) -> str:
        """The error that a pull of the image gets; empty for none. `stream` gives the pull's dice."""
        found = [each for each in self.refusals if fnmatchcase(image, each.pattern)]
        if not found:
            return ""
        dice = stream()
        for each in found:
            if dice.chance(each.numerator, each.denominator):
                return each.error
        return ""


class Disturb:
    """Every trouble of the kubelets in one place."""

    __slots__ = ("registry", "starts")

    def __init__(self) -> None:
        self.registry = RegistryState()
        self.starts: list[SlowStart] = []


def _nothing() -> None:
    """Nobody listens yet."""
