"""Passes on those mirrored reads that no second write has overtaken.

A read that comes between a write and its second one finds two states, which says nothing of the
service. Whether one did is asked once both answers are there, so that nobody waits for it. A first
write shows itself to readers before its answer brings it into the journal: where the answers
differ, that is given some time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from routing.parity.compare import NotCompared
from routing.parity.observing import Observer, Pair
from routing.paths import normalise
from routing.prober import GRACE
from routing.stages import Access

MAX_WAITING: Final = 64
"""Pairs that are asked for at a time."""

Overtaken = Callable[[str, str, bytes, float], Awaitable[bool]]
"""Whether a read may show a write that the other side did not have yet: by capability, path, the
value of the context header, and the monotonic time at which it was asked."""
logger = logging.getLogger(__name__)


class Undisturbed:
    """An `Observer` of mirrored reads in front of `observer`."""

    def __init__(
        self, observer: Observer, overtaken: Overtaken, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._observer = observer
        self._overtaken = overtaken
        self._loop = loop
        self._open: set[asyncio.Task[bool]] = set()
        self._stopped = False

    @property
    def keep(self) -> int:
        return self._observer.keep

    def admits(self, capability: str, access: Access) -> bool:
        return self._observer.admits(capability, access)

    def repeats(self, capability: str, access: Access) -> bool:
        return self._observer.repeats(capability, access)

    def skip(self, capability: str, access: Access, why: NotCompared) -> None:
        self._observer.skip(capability, access, why)

    def observe(self, pair: Pair) -> None:
        if self._stopped:
            pair.agreed(None)
            return
        if len(self._open) >= MAX_WAITING:
            self._leave(pair, NotCompared.BUSY)
            return
        task = self._loop.create_task(self._ask(pair))
        self._open.add(task)
        task.add_done_callback(partial(self._asked, pair))

    async def stop(self) -> None:
        """Leave what waits, and what still comes."""
        self._stopped = True
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    async def _ask(self, pair: Pair) -> bool:
        """Whether it was overtaken."""
        path = normalise(pair.target.partition(b"?")[0]).decode()
        if (pair.old.status, pair.old.body) != (pair.new.status, pair.new.body):
            await asyncio.sleep(GRACE)
        return await self._overtaken(pair.capability, path, pair.context, pair.asked)

    def _asked(self, pair: Pair, task: asyncio.Task[bool]) -> None:
        """Also if `task` was cancelled before it could begin."""
        self._open.discard(task)
        if task.cancelled():
            pair.agreed(None)
        elif task.exception() is not None:
            logger.error("pair.not_compared", exc_info=task.exception())
            pair.agreed(None)
        elif task.result():
            self._leave(pair, NotCompared.OVERTAKEN)
        else:
            self._observer.observe(pair)

    def _leave(self, pair: Pair, why: NotCompared) -> None:
        self._observer.skip(pair.capability, pair.access, why)
        pair.agreed(None)
