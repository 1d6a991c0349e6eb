"""Between those who ask both sides the same question and whoever compares the answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from routing.config import ParityRules
from routing.delivery import Outcome
from routing.parity.compare import NotCompared
from routing.stages import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A request that both sides were asked. An outcome has no status if that side failed."""

    capability: str
    access: Access
    """READ: a mirrored read. WRITE: a read that shows what a write has left."""
    rules: ParityRules
    method: bytes
    target: bytes
    old: Outcome
    new: Outcome
    again: Outcome | None
    """The old side's answer to the same request a second time, if it was asked twice."""
    agreed: Callable[[bool | None], object]
    """To be called once: whether both sides agree; None: they were not compared."""
    asked: float = 0.0
    """Of a mirrored read: the monotonic time at which the first side was asked."""
    context: bytes = b""
    """Of a mirrored read: the value of the context header."""


class Observer(Protocol):
    """Whoever compares the sides."""

    @property
    def keep(self) -> int:
        """Bytes of content of each answer to keep."""

    def admits(self, capability: str, access: Access) -> bool:
        """Whether one more request is to be observed."""

    def repeats(self, capability: str, access: Access) -> bool:
        """Whether the old side is to be asked twice for a request that is observed."""

    def observe(self, pair: Pair) -> None:
        """Called on the event loop once both answers are known."""

    def skip(self, capability: str, access: Access, why: NotCompared) -> None:
        """What was admitted comes to nothing."""
