"""Asks both sides for what a write has left, once both have it, off everybody's path.

Only in the worker that sends second writes: it alone knows when both sides have one. The answers
are compared like those to mirrored reads. Two answers say something only if no other write to the
same place is under way, so a probe is dropped where one is in the journal before the question or
after the answers, or was settled in between. A first write shows itself to readers before its
answer brings it into the journal: where the answers differ, that is given some time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from routing.changes import Changes
from routing.config import ParityRules
from routing.delivery import Delivery, Outcome
from routing.group import Group
from routing.journal_order import Entry, touches
from routing.message import RequestHead
from routing.parity.compare import NotCompared
from routing.parity.observing import Observer, Pair
from routing.paths import normalise
from routing.stages import Access

TIMEOUT: Final = 10.0
"""Seconds for each answer."""
GRACE: Final = 1.0
"""Seconds in which a write that one of two differing answers already shows reaches the journal."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """A read that both sides can be asked now."""

    request: RequestHead
    old: Group
    new: Group
    rules: ParityRules
    changes: Changes | None
    """Of what the service gets."""


Resolve = Callable[[str, bytes], Question | None]
"""By capability and whole head; None: no read of the capability that both sides may see."""
Disturbed = Callable[[str], Awaitable[bool]]
"""Whether a read of a path may show another write than the one that is probed."""


@dataclass(slots=True)
class _Probe:
    capability: str
    path: str
    overtaken: bool = False


class Prober:
    """The probes of one worker."""

    def __init__(self, resolve: Resolve, loop: asyncio.AbstractEventLoop) -> None:
        self.observer: Observer | None = None
        """None: nothing is asked."""
        self._resolve = resolve
        self._loop = loop
        self._open: dict[asyncio.Task[None], _Probe] = {}

    def settled(self, entry: Entry) -> None:
        """An attempt to send `entry` has ended: the other side may just have changed."""
        for each in self._open.values():
            if each.capability == entry.capability and touches(entry.path, each.path):
                each.overtaken = True

    def probe(self, capability: str, head: bytes, disturbed: Disturbed) -> None:
        """Both sides have a write now; `head`: of the read that shows it."""
        observer = self.observer
        question = None if observer is None else self._resolve(capability, head)
        if observer is None or question is None:
            return
        if not observer.admits(capability, Access.WRITE):
            return
        probe = _Probe(capability, normalise(question.request.path).decode())
        task = self._loop.create_task(self._run(probe, question, head, disturbed, observer))
        self._open[task] = probe
        task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Leave what has no answer yet."""
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._open[task]
        if not task.cancelled() and task.exception() is not None:
            logger.error("probe.failed", exc_info=task.exception())

    async def _run(
        self,
        probe: _Probe,
        question: Question,
        head: bytes,
        disturbed: Disturbed,
        observer: Observer,
    ) -> None:
        if await disturbed(probe.path):
            observer.skip(probe.capability, Access.WRITE, NotCompared.OVERTAKEN)
            return
        changes, request = question.changes, question.request
        asks = [
            self._ask(question.old, head, observer.keep),
            self._ask(
                question.new,
                head if changes is None else changes.request(head, request),
                observer.keep,
            ),
        ]
        if observer.repeats(probe.capability, Access.WRITE):
            asks.append(self._ask(question.old, head, observer.keep))
        old, new, *again = await asyncio.gather(*asks)
        if (old.status, old.body) != (new.status, new.body):
            await asyncio.sleep(GRACE)
        if await disturbed(probe.path) or probe.overtaken:
            observer.skip(probe.capability, Access.WRITE, NotCompared.OVERTAKEN)
            return
        observer.observe(
            Pair(
                capability=probe.capability,
                access=Access.WRITE,
                rules=question.rules,
                method=request.method,
                target=request.target,
                old=old,
                new=new,
                again=again[0] if again else None,
                agreed=lambda _: None,
            )
        )

    async def _ask(self, group: Group, head: bytes, keep: int) -> Outcome:
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        delivery = Delivery(
            group.only or group.choose_again(),
            b"GET",
            head,
            lambda outcome: None if answer.done() else answer.set_result(outcome),
            repeatable=True,
            keep=keep,
        )
        delivery.start(self._loop, TIMEOUT)
        try:
            return await answer
        except asyncio.CancelledError:
            delivery.cancel()
            raise
