"""Streams of browser and mobile SDKs: each hears what the flags are for its own context."""

from collections.abc import Callable
from typing import Any

from flags.evaluation.context import Context
from flags.evaluation.evaluator import evaluate
from flags.evaluation.everything import evaluate_all
from flags.model import Flag, Snapshot
from flags.streams.channel import Channel
from flags.streams.connection import Connection
from flags.streams.state import State, Stored
from flags.wire import client
from flags.wire.encoding import chunk

Available = Callable[[Flag], bool]


def for_browsers(flag: Flag) -> bool:
    return flag.using_environment_id


def for_mobile(flag: Flag) -> bool:
    return flag.using_mobile_key


def evaluated(
    state: State, context: Context, available: Available, *, with_reasons: bool
) -> dict[str, dict[str, Any]]:
    """Everything that is available to a kind of client, for one context."""
    details = evaluate_all(state.snapshot, context, available)
    return {
        key: client.client_flag(
            state.snapshot.flags[key],
            state.environment.key,
            detail,
            version=state.sequence,
            with_reasons=with_reasons,
        )
        for key, detail in details.items()
    }


class ClientConnection(Connection):
    __slots__ = ("_available", "_context", "_state", "_with_reasons")

    def __init__(
        self,
        channel: Channel,
        state: State,
        context: Context,
        available: Available,
        *,
        with_reasons: bool,
        agent: str,
    ) -> None:
        super().__init__(channel, self._put, agent)
        self._state = state
        self._context = context
        self._available = available
        self._with_reasons = with_reasons

    def tell(self, changed: Stored, affected: frozenset[str], before: Snapshot) -> None:
        """Of the flags that a change affects, for this context; others are never named."""
        messages = []
        snapshot = self._state.snapshot
        for key in affected:
            flag, old = snapshot.flags.get(key), before.flags.get(key)
            if flag is None or not self._available(flag):
                if old is not None and self._available(old):
                    messages.append(client.delete(key, changed.sequence))
                continue
            wire = client.client_flag(
                flag,
                self._state.environment.key,
                evaluate(flag, self._context, snapshot),
                version=changed.sequence,
                with_reasons=self._with_reasons,
            )
            messages.append(client.patch(key, wire))
        if messages:
            self.send(chunk(b"".join(messages)))

    def _put(self) -> bytes:
        flags = evaluated(
            self._state, self._context, self._available, with_reasons=self._with_reasons
        )
        return chunk(client.put(flags))


def affected_by(changed: Stored, snapshot: Snapshot) -> frozenset[str]:
    """Flags whose values may differ after a change: its own, and those that need it.

    A segment may be anywhere, so after its change all are looked at.
    """
    if changed.kind == "segment":
        return frozenset(snapshot.flags)
    users: dict[str, list[str]] = {}
    for flag in snapshot.flags.values():
        for prerequisite in flag.config(snapshot.environment).prerequisites:
            users.setdefault(prerequisite.key, []).append(flag.key)
    found: set[str] = set()
    left = [changed.key]
    while left:
        key = left.pop()
        if key not in found:
            found.add(key)
            left += users.get(key, ())
    return frozenset(found)
