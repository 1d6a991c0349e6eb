"""Contexts that were seen lately, to tell whom a change would move. In memory only.

They are people's keys and attributes: nothing of them is written anywhere.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from flags.evaluation.context import Context
from flags.model import Environment

KEPT: Final = 10_000
"""Of each environment."""


class Seen:
    """May be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contexts: dict[tuple[str, str], OrderedDict[str, Context]] = {}

    def add(self, environment: Environment, context: Context) -> None:
        """The newest one of the same key counts; the oldest are forgotten."""
        with self._lock:
            contexts = self._contexts.setdefault(
                (environment.project, environment.key), OrderedDict()
            )
            key = context.canonical_key
            contexts[key] = context
            contexts.move_to_end(key)
            if len(contexts) > KEPT:
                contexts.popitem(last=False)

    def find(self, environment: Environment, key: str) -> Context | None:
        """By its fully qualified key."""
        with self._lock:
            contexts = self._contexts.get((environment.project, environment.key), OrderedDict())
            return contexts.get(key)

    def recent(self, project: str, environment: str) -> Sequence[Context]:
        with self._lock:
            return tuple(self._contexts.get((project, environment), {}).values())
