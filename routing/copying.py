"""All copies of one worker: which lanes have any, and what runs beside the requests for them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from routing.config import Parity, ProxyConfig
from routing.copies import Copier
from routing.copy_stats import CopyStats
from routing.decision import Decision, Evaluation
from routing.group import Group
from routing.journal_sender import Destination, JournalSender
from routing.mirror import Mirror, ReadCopier
from routing.parity.observing import Observer
from routing.prober import Prober
from routing.prober import Resolve as Ask
from routing.second_writes import SecondWriter, WriteCopier
from routing.stages import Access, Side
from routing.table import Route
from routing.undisturbed import Undisturbed

Find = Callable[[str, str, Side, bytes], tuple[Group, Evaluation] | None]
"""Group and present evaluation by capability, service, side and context header; None: the
configuration has no such thing."""


class Copying:
    """Mirrored reads and second writes."""

    def __init__(
        self,
        config: ProxyConfig,
        folder: Path,
        find: Find,
        ask: Ask,
        loop: asyncio.AbstractEventLoop,
        observer: Observer,
    ) -> None:
        """`folder`: where the journal is. Raises CannotStart."""
        self.stats = CopyStats()
        self._find = find
        self._loop = loop
        self._observer = observer
        self._mirror = Mirror(config.mirroring, loop)
        self._prober = Prober(ask, loop)
        self._second = SecondWriter(config.second_writes, folder, loop, lambda: self._sender.stir())
        self._sender = JournalSender(
            *(lambda: self._second.rules, folder, self._second.writer, self._resolve),
            *(self._prober, loop),
        )
        self._undisturbed = Undisturbed(observer, self._sender.overtakes, loop)
        self._compare(config.parity)
        self._sending: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Send what is in the journal."""
        self._sending = self._loop.create_task(self._sender.run())

    async def stop(self) -> None:
        """Commit what was taken in, and leave the rest to the next start."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait((self._sending,))
        await self._undisturbed.stop()
        await self._sender.stop()
        await self._second.stop()

    def apply(self, config: ProxyConfig) -> None:
        """Obey these rules from now on, but `fsync` from the next start."""
        self._mirror.apply(config.mirroring)
        self._second.apply(config.second_writes)
        self._compare(config.parity)
        self.changed()

    def changed(self) -> None:
        """A flag or the configuration changed."""
        self._sender.changed()

    def copier(
        self,
        config: ProxyConfig,
        route: Route,
        access: Access,
        decision: Decision,
        other: Group,
        old: Group,
    ) -> Copier | None:
        """What copies the requests of a lane by `config`, which need not be in force yet; `other`
        does not answer there, `old` is the monolith."""
        changes = route.changes
        if decision.also is None or decision.stage is None:
            return None
        if changes is not None and changes.redirects:
            # The service never sees these requests.
            return None
        cell = self.stats.cell(route.capability, access)
        if access is Access.READ:
            if not config.mirroring.enabled:
                return None
            return ReadCopier(
                self._mirror,
                route,
                decision.origin,
                other,
                cell,
                old,
                changes if decision.also is Side.NEW else None,
            )
        if not config.second_writes.enabled:
            return None
        return WriteCopier(self._second, route, decision.stage, decision.also, cell)

    def _compare(self, parity: Parity) -> None:
        self._mirror.observer = self._undisturbed if parity.enabled else None
        self._prober.observer = self._observer if parity.enabled else None
        self._second.probe_share = parity.probe_share if parity.enabled else 0.0

    def _resolve(
        self, capability: str, service: str, side: Side, context: bytes
    ) -> Destination | None:
        found = self._find(capability, service, side, context)
        return found and Destination(*found, self.stats.cell(capability, Access.WRITE))
