"""Streams of browser and mobile SDKs: each hears what the flags are for its own context."""

from collections.abc import Callable, Mapping
from typing import Any

from flags.evaluation.context import Context
from flags.evaluation.evaluator import evaluate
from flags.evaluation.everything import evaluate_all
from flags.model import Flag, Snapshot
from flags.streams.channel import Channel
from flags.streams.connection import Connection
from flags.streams.state import State, Stored
from flags.wire import client, v2
from flags.wire.encoding import chunk

Available = Callable[[Flag], bool]


def for_servers(_: Flag) -> bool:
    return True


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
    """Of the first protocol generation."""

    __slots__ = ("_available", "_context", "_with_reasons", "state")

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
        super().__init__(channel, lambda: chunk(self.everything(self._evaluated())), agent)
        self.state = state
        self._context = context
        self._available = available
        self._with_reasons = with_reasons

    def tell(self, changed: Stored, affected: frozenset[str], before: Snapshot) -> None:
        """Of the flags that a change affects, for this context; others are never named."""
        found: dict[str, dict[str, Any] | None] = {}
        snapshot = self.state.snapshot
        for key in affected:
            flag, old = snapshot.flags.get(key), before.flags.get(key)
            if flag is not None and self._available(flag):
                found[key] = client.client_flag(
                    flag,
                    self.state.environment.key,
                    evaluate(flag, self._context, snapshot),
                    version=changed.sequence,
                    with_reasons=self._with_reasons,
                )
            elif old is not None and self._available(old):
                found[key] = None
        if found:
            self.send(chunk(self.changes(found)))

    def everything(self, flags: Mapping[str, Any]) -> bytes:
        return client.put(flags)

    def changes(self, changed: client.Changed) -> bytes:
        return client.changes(changed, self.state.sequence)

    def _evaluated(self) -> Mapping[str, Any]:
        return evaluated(
            self.state, self._context, self._available, with_reasons=self._with_reasons
        )


class SecondClientConnection(ClientConnection):
    """Of the second protocol generation. It gets everything, whatever basis it names."""

    __slots__ = ()

    def everything(self, flags: Mapping[str, Any]) -> bytes:
        return v2.stream(client.transfer(flags, self.state.epoch, self.state.sequence))

    def changes(self, changed: client.Changed) -> bytes:
        return client.transferred_changes(changed, self.state.epoch, self.state.sequence)


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
