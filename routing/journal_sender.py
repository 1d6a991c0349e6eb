"""Sends what is in the journal to the other side, in one worker for all of them.

The worker that holds the lock sends; when it dies, the kernel gives the lock to another one. What
is sent is removed afterwards, so that after a crash in between it is sent again, with the same
idempotency key.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic, time
from typing import Final

from routing.config import SecondWrites
from routing.copy_stats import CopyCell
from routing.decision import Evaluation
from routing.delivery import Delivery, Outcome
from routing.group import Group
from routing.journal import FILE, Content, Journal, State
from routing.journal_order import Entry, Order, Verdict, is_owed, may_send, pause, verdict
from routing.journal_reader import JournalReader
from routing.journal_writer import Change, JournalWriter
from routing.prober import Prober
from routing.settled import Settled
from routing.stages import TABLE, Access, Side, Stage

LOOK_EVERY: Final = 0.1
"""Seconds between two looks for what other workers or an operator have changed."""
STOP_WITHIN: Final = 2.0
"""Seconds that second writes in flight may still take at a stop; they are sent again otherwise."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a second write goes now, and what its context gets now."""

    group: Group
    evaluation: Evaluation
    cell: CopyCell

    @property
    def stage(self) -> Stage:
        return self.evaluation.stage


Resolve = Callable[[str, str, Side, bytes], Destination | None]
"""By capability, service, side and context header; None: the configuration has no such thing."""


class JournalSender:
    """`run` is its whole life."""

    def __init__(
        self,
        rules: Callable[[], SecondWrites],
        folder: Path,
        writer: JournalWriter,
        resolve: Resolve,
        prober: Prober,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """`rules`: those in force; `prober` is told what both sides have. Raises CannotStart."""
        self._rules = rules
        self._writer = writer
        self._resolve = resolve
        self._prober = prober
        self._loop = loop
        self._order = Order(rules().concurrency)
        self._journal = Journal(folder, fsync=rules().fsync)
        self._reader = JournalReader(self._journal)
        self._settled = Settled(folder)
        # One thread, so that nothing reads the journal while it is being closed.
        self._thread = ThreadPoolExecutor(1, "journal-reader")
        self._lock = os.open(folder / f"{FILE}-sender", os.O_RDWR | os.O_CREAT, 0o600)
        self._gone: set[int] = set()
        """Entries whose removal is not committed yet."""
        self._deliveries: set[Delivery] = set()
        self._stirred = asyncio.Event()

    def changed(self) -> None:
        """Flags or the configuration changed: what was held back may go now."""
        self._order.concurrency = self._rules().concurrency
        self._order.release()
        self.stir()

    def stir(self) -> None:
        """There may be something to send."""
        self._stirred.set()

    async def overtakes(self, capability: str, path: str, context: bytes, asked: float) -> bool:
        """Whether a read of `path` by `context` that was asked at the monotonic time `asked` may
        have come between a write and its second one. Raises sqlite3.Error."""
        # In this order: what is not owed any more has been noted before.
        owed = await self._loop.run_in_executor(
            self._thread, self._journal.owes, capability, path, context
        )
        return owed or self._settled.since(capability, path, context, asked, monotonic())

    async def run(self) -> None:
        """Send until cancelled. Whatever goes wrong is tried again: this worker has the lock, and
        without it nobody would send."""
        failures = 0
        elected = False
        while True:
            self._stirred.clear()
            try:
                elected = elected or self._elected()
                if elected:
                    await self._send_what_waits()
                failures = 0
            except Exception:
                failures += 1
                logger.exception("journal.sender.failed again_in=%.1f", pause(failures))
                await asyncio.sleep(pause(failures))
                continue
            if not elected:
                await asyncio.sleep(LOOK_EVERY)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._stirred.wait()

    async def stop(self) -> None:
        """After `run` has ended: wait for what is in flight, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_WITHIN):
                while self._order.in_flight:
                    self._stirred.clear()
                    await self._stirred.wait()
        for delivery in self._deliveries:
            delivery.cancel()
        await self._prober.stop()
        await self._loop.run_in_executor(self._thread, self._journal.close)
        self._thread.shutdown()
        self._settled.close()
        os.close(self._lock)

    def _elected(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def _send_what_waits(self) -> None:
        if self._writer.full:
            return
        room = self._order.room > 0
        found = await self._loop.run_in_executor(
            self._thread, lambda: self._reader.read(monotonic(), room=room)
        )
        if found is not None:
            self._order.sync(entry for entry in found if entry.id not in self._gone)
        while due := self._order.due(monotonic()):
            try:
                contents = await self._loop.run_in_executor(
                    self._thread, self._journal.contents, [entry.id for entry in due]
                )
            except BaseException:
                for entry in due:
                    self._order.failed(entry.id, monotonic())
                raise
            for entry in due:
                try:
                    self._send(entry, contents.get(entry.id))
                except Exception:
                    # One that cannot be sent keeps none but those of its path waiting.
                    logger.exception("second_write.not_sent id=%d", entry.id)
                    self._order.failed(entry.id, monotonic())

    def _send(self, entry: Entry, content: Content | None) -> None:
        if content is None:
            # Discarded, or done and read before that was committed.
            self._order.done(entry.id)
            return
        to = self._resolve(entry.capability, entry.service, entry.side, content.context)
        if to is None or not may_send(entry.side, to.stage):
            if to is not None and not is_owed(content.stage, to.evaluation):
                self._order.done(entry.id)
                self._remove(entry.id, lambda journal: journal.remove(entry.id))
            else:
                self._order.hold(entry.id)
            return

        def done(outcome: Outcome) -> None:
            self._deliveries.discard(delivery)
            self._settle(entry, content, to, outcome)

        delivery = Delivery(
            to.group.only or to.group.choose_again(),
            content.method.encode(),
            content.head + content.body,
            done,
            repeatable=False,
        )
        self._deliveries.add(delivery)
        delivery.start(self._loop, self._rules().timeout)

    def _settle(self, entry: Entry, content: Content, to: Destination, outcome: Outcome) -> None:
        id, status, cell = entry.id, outcome.status, to.cell
        cell.requests += 1
        cell.times.record(outcome.seconds * 1000.0)
        found = verdict(status, content.method, self._order.attempts(id) + 1)
        self._prober.settled(entry)
        self._settled.note(entry.capability, entry.path, content.context, monotonic())
        if found is Verdict.DONE:
            self._order.done(id)
            self._remove(id, lambda journal: journal.remove(id))
            if content.probe and TABLE[to.stage, Access.WRITE].also is not None:
                self._prober.probe(entry.capability, content.probe, partial(self._disturbs, entry))
        else:
            cell.errors += 1
            at = time()
            problem = None if outcome.failure is None else outcome.failure.name.lower()
            state = State.PENDING if found is Verdict.AGAIN else State.REFUSED

            def tried(journal: Journal) -> None:
                journal.tried(id, at, status, problem, state)

            if found is Verdict.AGAIN:
                self._order.failed(id, monotonic())
                self._writer.submit(tried, lambda _: None)
            else:
                cell.refused += 1
                logger.warning(
                    "second_write.refused id=%d capability=%s side=%s status=%s",
                    *(id, entry.capability, entry.side, status),
                )
                self._order.done(id)
                self._remove(id, tried)
        self.stir()

    async def _disturbs(self, entry: Entry, path: str) -> bool:
        """See `Journal.disturbs`."""
        gone = {*self._gone, entry.id}
        return await self._loop.run_in_executor(
            self._thread, self._journal.disturbs, entry, path, gone
        )

    def _remove(self, id: int, change: Change) -> None:
        """Take it from what waits, also while the journal does not know yet."""
        self._gone.add(id)

        def told(written: bool) -> None:
            if written:
                self._gone.discard(id)

        self._writer.submit(change, told)
