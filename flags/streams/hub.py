"""All environments and their streams. Lives on one event loop; call every method on its thread."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from flags.evaluation.context import Context
from flags.model import Environment, Snapshot
from flags.store.changes import Change, Deleted
from flags.streams.channel import Channel
from flags.streams.client import (
    Available,
    ClientConnection,
    SecondClientConnection,
    affected_by,
)
from flags.streams.connection import Connection
from flags.streams.state import State, Stored
from flags.wire import client, v2
from flags.wire.encoding import chunk

StreamKind = Literal["server", "server-v2", "client", "ping"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """One connected SDK. Times in seconds; `behind` is 0 for one that has everything."""

    kind: StreamKind
    agent: str
    connected: float
    behind: float


class EnvironmentHub:
    """The state of one environment, and who follows it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.server = Channel()
        self.server_v2 = Channel()
        self.clients = Channel()
        self.pings = Channel()

    @property
    def channels(self) -> tuple[tuple[StreamKind, Channel], ...]:
        return (
            ("server", self.server),
            ("server-v2", self.server_v2),
            ("client", self.clients),
            ("ping", self.pings),
        )

    def follow(self, agent: str) -> Connection:
        """A server-side SDK of the first generation."""
        return self._joined(
            self.server, Connection(self.server, lambda: self.state.encoded.put, agent)
        )

    def follow_v2(self, agent: str, basis: str | None) -> Connection:
        """A server-side SDK of the second generation that has the state `basis`."""
        first: list[str | None] = [basis]

        def fresh() -> bytes:
            encoded = self.state.encoded
            known = first.pop() if first else None
            return chunk(v2.stream(encoded.since(known))) if known else encoded.full_stream

        return self._joined(self.server_v2, Connection(self.server_v2, fresh, agent))

    def follow_context(
        self,
        agent: str,
        context: Context,
        available: Available,
        *,
        with_reasons: bool,
        second: bool = False,
    ) -> Connection:
        """A browser or mobile SDK; `second` is the second protocol generation."""
        make = SecondClientConnection if second else ClientConnection
        connection = make(
            self.clients, self.state, context, available, with_reasons=with_reasons, agent=agent
        )
        return self._joined(self.clients, connection)

    def follow_pings(self, agent: str) -> Connection:
        return self._joined(self.pings, Connection(self.pings, lambda: chunk(client.PING), agent))

    def streams(self) -> Iterator[StreamInfo]:
        now = time.monotonic()
        for kind, channel in self.channels:
            for connection in channel.connections:
                behind = 0.0 if connection.stale is None else now - connection.stale
                yield StreamInfo(
                    kind=kind,
                    agent=connection.agent,
                    connected=now - connection.opened,
                    behind=behind,
                )

    def apply(self, change: Change) -> bool:
        """Tell everyone of a change; whether there was anything to tell."""
        before = self.state.snapshot if self.clients.connections else None
        stored = self.state.apply(change)
        if stored is None:
            return False
        if self.server.connections:
            self.server.send(stored.v1())
        if self.server_v2.connections:
            sequence = self.state.sequence
            closing = v2.transferred(self.state.epoch, sequence)
            self.server_v2.send(v2.stream((stored.v2(), closing)))
        if before is not None:
            self._tell_clients(stored, before)
        if self.pings.connections:
            self.pings.send(client.PING)
        return True

    def close(self) -> None:
        for _, channel in self.channels:
            channel.close()

    def _tell_clients(self, stored: Stored, before: Snapshot) -> None:
        affected = affected_by(stored, self.state.snapshot)
        for connection in self.clients.connections:
            if isinstance(connection, ClientConnection):
                connection.tell(stored, affected, before)

    @staticmethod
    def _joined(channel: Channel, connection: Connection) -> Connection:
        channel.join(connection)
        return connection


class Hub:
    """Environments by their keys, and whoever wants to hear of every change."""

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch
        self._hubs: dict[tuple[str, str], EnvironmentHub] = {}
        self._flags: dict[tuple[str, str], Change] = {}
        """The last change of each flag, by project and key: a new environment begins with them."""
        self._by_secret: dict[str, EnvironmentHub] = {}
        self._watchers: set[Callable[[Change], None]] = set()

    def environments(self) -> Iterable[EnvironmentHub]:
        return self._hubs.values()

    def get(self, project: str, environment: str) -> EnvironmentHub | None:
        return self._hubs.get((project, environment))

    def by_secret(self, key: str) -> EnvironmentHub | None:
        """For `sdk:` and an SDK key, `mobile:` and a mobile key, `client:` and a client-side id."""
        return self._by_secret.get(key)

    def channels(self) -> Iterator[Channel]:
        for hub in tuple(self._hubs.values()):
            for _, channel in hub.channels:
                yield channel

    def watch(self, watcher: Callable[[Change], None]) -> Callable[[], None]:
        """Call `watcher` for each change; returns what ends it."""
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    def publish(self, change: Change) -> None:
        """Tell everyone of one committed change."""
        if isinstance(change.item, Environment):
            self._set_environment(change, change.item)
        elif isinstance(change.item, Deleted) and change.item.kind == "environment":
            self._drop_environment((change.project, change.item.key))
        elif change.environment is None:
            self._flags[change.project, change.item.key] = change
            for (project, _), hub in self._hubs.items():
                if project == change.project:
                    hub.apply(change)
        elif (known := self._hubs.get((change.project, change.environment))) is not None:
            known.apply(change)
        for watcher in tuple(self._watchers):
            watcher(change)

    def close(self) -> None:
        """End every stream; SDKs reconnect by themselves."""
        for hub in self._hubs.values():
            hub.close()

    def _set_environment(self, change: Change, environment: Environment) -> None:
        name = (environment.project, environment.key)
        hub = self._hubs.get(name)
        if hub is None:
            hub = EnvironmentHub(State(environment, self._epoch, change.sequence))
            self._hubs[name] = hub
            for (project, _), flag in self._flags.items():
                if project == environment.project:
                    hub.apply(flag)
        else:
            old = hub.state.environment
            hub.state.environment = environment
            self._forget_keys(hub)
            # Whoever connected with a key that is no longer valid has to come again.
            if old.sdk_key != environment.sdk_key:
                hub.server.close()
                hub.server_v2.close()
            if (old.mobile_key, old.client_side_id, old.secure_mode) != (
                environment.mobile_key,
                environment.client_side_id,
                environment.secure_mode,
            ):
                hub.clients.close()
                hub.pings.close()
        for kind, key in (
            ("sdk", environment.sdk_key),
            ("mobile", environment.mobile_key),
            ("client", environment.client_side_id),
        ):
            self._by_secret[f"{kind}:{key}"] = hub

    def _drop_environment(self, name: tuple[str, str]) -> None:
        hub = self._hubs.pop(name, None)
        if hub is not None:
            self._forget_keys(hub)
            hub.close()

    def _forget_keys(self, hub: EnvironmentHub) -> None:
        self._by_secret = {k: h for k, h in self._by_secret.items() if h is not hub}
