"""What the pages ask about the running server, beyond what is stored."""

from collections.abc import Sequence
from typing import Protocol, TypedDict

from flags.evaluation import Context
from flags.model import Snapshot


class Stream(TypedDict):
    """One connected SDK."""

    sdk: str
    """As it calls itself: its User-Agent."""
    kind: str
    """Server-side, mobile or browser."""
    connected_seconds: float
    behind_seconds: float
    """0 when it has everything."""


class Live(Protocol):
    """Methods may be called from any thread."""

    def connections(self, project: str, environment: str) -> int:
        """SDKs that are connected now."""

    def streams(self, project: str, environment: str) -> Sequence[Stream]: ...

    def snapshot(self, project: str, environment: str) -> Snapshot: ...

    def recent(self, project: str, environment: str) -> Sequence[Context]:
        """Contexts that were seen lately, for previews."""
