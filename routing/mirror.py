"""Reads that the other side sees too, off the client's path.

A mirrored read is sent when the authoritative origin has its request, and never waited for. What
finds no room is dropped and counted: reads lose nothing by it. The answers are thrown away here; an
`Observer` may look at the beginnings of both before, and have the old side asked twice.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

from routing.changes import Changes
from routing.chunked import ChunkedBody
from routing.config import Mirroring
from routing.copies import Copy, Room, Sender, copied_head
from routing.copy_stats import CopyCell
from routing.delivery import Delivery, Outcome
from routing.group import Group
from routing.message import CHUNKED, RequestHead, ResponseHead
from routing.parity.observing import Observer, Pair
from routing.record import Attempt, Tell
from routing.stages import SAFE_METHODS, Access, Side
from routing.table import Route
from routing.upstream_side import UpstreamConnection


class Mirror:
    """The mirrored reads of one worker."""

    def __init__(
        self, rules: Mirroring, loop: asyncio.AbstractEventLoop, observer: Observer | None = None
    ) -> None:
        self.rules = rules
        self.loop = loop
        self.observer = observer
        self.room = Room(rules.memory)
        self.open = 0
        """Copies that have not been answered, or given up, yet."""

    def apply(self, rules: Mirroring) -> None:
        """Obey `rules` from now on."""
        self.room.give(rules.memory - self.rules.memory)
        self.rules = rules


class ReadCopier:
    """Mirrors the reads of one lane to `group`."""

    __slots__ = ("authoritative", "cell", "changes", "group", "mirror", "old", "route")

    def __init__(
        self,
        mirror: Mirror,
        route: Route,
        authoritative: Side,
        group: Group,
        cell: CopyCell,
        old: Group,
        changes: Changes | None = None,
    ) -> None:
        """`old`: the monolith, to be asked twice now and then; `changes`: of what the other side
        gets."""
        self.mirror = mirror
        self.route = route
        self.authoritative = authoritative
        self.group = group
        self.cell = cell
        self.old = old
        self.changes = changes

    def copy(self, request: RequestHead, context: bytes, out: bytes) -> "ReadCopy | None":
        mirror = self.mirror
        if not mirror.rules.enabled:
            return None
        if mirror.open >= mirror.rules.concurrency or request.body > mirror.rules.body:
            self.cell.dropped += 1
            return None
        return ReadCopy(self, request, context, out)


class ReadCopy:
    """One mirrored read."""

    full = False
    """What finds no room is dropped."""

    __slots__ = (
        "_again",
        "_agreement",
        "_answer",
        "_answered",
        "_body",
        "_chunks",
        "_collecting",
        "_content",
        "_context",
        "_copier",
        "_keep",
        "_observer",
        "_other",
        "_repeating",
        "_request",
        "_size",
        "_started",
        "_tell",
        "head",
    )

    def __init__(
        self, copier: ReadCopier, request: RequestHead, context: bytes, out: bytes
    ) -> None:
        self.head = out
        self._context = context
        self._copier = copier
        self._request = request
        self._collecting = request.body != 0
        self._body: list[bytes] = []
        self._size = 0
        self._started = monotonic()
        observer = copier.mirror.observer
        if observer is not None and not observer.admits(copier.route.capability, Access.READ):
            observer = None
        self._observer = observer
        self._keep = 0 if observer is None else observer.keep
        self._answer: tuple[int, float, bytes] | None = None
        self._answered = False
        self._chunks: ChunkedBody | None = None
        self._content: list[bytes] = []
        self._other: Outcome | None = None
        self._again: Outcome | None = None
        self._repeating = False
        self._tell: Tell | None = None
        self._agreement: tuple[bool | None] | None = None
        copier.mirror.open += 1

    def dispatched(self, sender: Sender) -> None:
        if not self._collecting:
            self._copier.mirror.loop.call_soon(self._send)

    def add(self, data: bytes, *, complete: bool) -> None:
        if not self._collecting:
            return
        mirror = self._copier.mirror
        size = self._size + len(data)
        if size > mirror.rules.body or not mirror.room.take(len(data)):
            self._give_up()
            return
        self._size = size
        self._body.append(data)
        if complete:
            self._collecting = False
            self._send()

    def answered(
        self, head: ResponseHead, *, fell_back: bool, release: Callable[[Copy], None]
    ) -> bool:
        if self._collecting:
            # The rest of the body may never come.
            self._give_up()
        elif self._observer is not None and not fell_back:
            self._answer = (head.status, monotonic() - self._started, head.forward)
            if head.body == CHUNKED and self._request.minor:
                self._chunks = ChunkedBody()
        return False

    def content(self, data: bytes, *, complete: bool) -> None:
        if self._answer is None:
            return
        if self._keep:
            pieces = [data]
            if self._chunks is not None:
                pieces = []
                self._chunks.feed(data, 0, pieces)
            kept = b"".join(pieces)[: self._keep]
            self._content.append(kept)
            self._keep -= len(kept)
        if complete:
            self._answered = True
            self._compare()

    def failed(self, *, seen: bool, fell_back: bool) -> None:
        if self._collecting:
            self._give_up()

    def abandoned(self, connection: UpstreamConnection | None, *, fell_back: bool) -> bool:
        if self._collecting:
            self._give_up()
        return False

    def tell(self, tell: Tell) -> bool:
        if not self._answered:
            return False
        self._tell = tell
        self._tell_agreement()
        return True

    def _give_up(self) -> None:
        self._collecting = False
        self._copier.cell.dropped += 1
        self._release()

    def _send(self) -> None:
        copier = self._copier
        mirror = copier.mirror
        copier.cell.requests += 1
        head = self.head
        if copier.changes is not None:
            head = copier.changes.request(head, self._request)
        observer = self._observer
        self._repeating = (
            observer is not None
            and mirror.open < mirror.rules.concurrency
            and observer.repeats(copier.route.capability, Access.READ)
        )
        if self._repeating:
            mirror.open += 1
            self._deliver(copier.old, self.head, self._repeated)
        self._deliver(copier.group, head, self._done)

    def _deliver(self, group: Group, head: bytes, done: Callable[[Outcome], None]) -> None:
        mirror = self._copier.mirror
        method = self._request.method
        Delivery(
            group.only or group.choose_again(),
            method,
            b"".join((copied_head(head, b"read"), *self._body)),
            done,
            repeatable=method in SAFE_METHODS and not self._body,
            keep=0 if self._observer is None else self._observer.keep,
        ).start(mirror.loop, mirror.rules.timeout)

    def _repeated(self, outcome: Outcome) -> None:
        self._copier.mirror.open -= 1
        self._repeating = False
        self._again = outcome
        self._compare()

    def _done(self, outcome: Outcome) -> None:
        cell = self._copier.cell
        cell.times.record(outcome.seconds * 1000.0)
        if outcome.status is None or outcome.status >= 500:
            cell.errors += 1
        self._release()
        self._other = outcome
        self._compare()

    def _release(self) -> None:
        mirror = self._copier.mirror
        mirror.open -= 1
        mirror.room.give(self._size)
        self._body = []
        self._size = 0

    def _compare(self) -> None:
        observer = self._observer
        if observer is None or self._answer is None or self._other is None:
            return
        if self._repeating or not self._answered:
            return
        copier = self._copier
        request = self._request
        status, seconds, head = self._answer
        first = Outcome(status, None, seconds, b"".join(self._content), True, head)
        ours = copier.authoritative is Side.OLD
        observer.observe(
            Pair(
                capability=copier.route.capability,
                access=Access.READ,
                rules=copier.route.parity,
                method=request.method,
                target=request.target,
                asked=self._started,
                context=self._context,
                old=first if ours else self._other,
                new=self._other if ours else first,
                again=self._again,
                agreed=self._agreed,
            )
        )

    def _agreed(self, consistent: bool | None) -> None:
        self._agreement = (consistent,)
        self._tell_agreement()

    def _tell_agreement(self) -> None:
        other = self._other
        if self._tell is None or self._agreement is None or other is None:
            return
        copier = self._copier
        side = Side.OLD if copier.authoritative is Side.NEW else Side.NEW
        attempt = Attempt(side, self._started)
        attempt.ended = self._started + other.seconds
        attempt.status = other.status
        attempt.error = None if other.failure is None else other.failure.name.lower()
        self._tell(attempt, self._agreement[0])
