"""Reads that the other side sees too, off the client's path.

A mirrored read is sent when the authoritative origin has its request, and never waited for. What
finds no room is dropped and counted: reads lose nothing by it. The answers are thrown away here; an
`Observer` may look at the beginnings of both before.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from routing.changes import Changes
from routing.chunked import ChunkedBody
from routing.config import Mirroring
from routing.copies import Copy, Room, copied_head
from routing.copy_stats import CopyCell
from routing.delivery import Delivery, Outcome
from routing.group import Group
from routing.message import CHUNKED, RequestHead, ResponseHead
from routing.stages import SAFE_METHODS, Side
from routing.upstream_side import UpstreamConnection


@dataclass(frozen=True, slots=True)
class Pair:
    """A read that both sides have answered. `other` has no status if the other side failed."""

    capability: str
    authoritative: Side
    method: bytes
    target: bytes
    status: int
    seconds: float
    """To the head of the authoritative answer."""
    body: bytes
    """The beginning of its content."""
    other: Outcome


class Observer(Protocol):
    """Whoever compares the sides."""

    keep: int
    """Bytes of content of each answer to keep."""

    def observe(self, pair: Pair) -> None:
        """Called on the event loop once both answers are known."""


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

    __slots__ = ("authoritative", "capability", "cell", "changes", "group", "mirror")

    def __init__(
        self,
        mirror: Mirror,
        capability: str,
        authoritative: Side,
        group: Group,
        cell: CopyCell,
        changes: Changes | None = None,
    ) -> None:
        """`changes`: of what that side gets."""
        self.mirror = mirror
        self.capability = capability
        self.authoritative = authoritative
        self.group = group
        self.cell = cell
        self.changes = changes

    def copy(self, request: RequestHead, context: bytes, out: bytes) -> "ReadCopy | None":
        mirror = self.mirror
        if mirror.open >= mirror.rules.concurrency or request.body > mirror.rules.body:
            self.cell.dropped += 1
            return None
        return ReadCopy(self, request, out)


class ReadCopy:
    """One mirrored read."""

    __slots__ = (
        "_answer",
        "_answered",
        "_body",
        "_chunks",
        "_collecting",
        "_content",
        "_copier",
        "_keep",
        "_other",
        "_request",
        "_size",
        "_started",
        "head",
    )

    def __init__(self, copier: ReadCopier, request: RequestHead, out: bytes) -> None:
        self.head = out
        self._copier = copier
        self._request = request
        self._collecting = request.body != 0
        self._body: list[bytes] = []
        self._size = 0
        self._started = monotonic()
        observer = copier.mirror.observer
        self._keep = 0 if observer is None else observer.keep
        self._answer: tuple[int, float] | None = None
        self._answered = False
        self._chunks: ChunkedBody | None = None
        self._content: list[bytes] = []
        self._other: Outcome | None = None
        copier.mirror.open += 1

    def dispatched(self) -> None:
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
        elif self._copier.mirror.observer is not None and not fell_back:
            self._answer = (head.status, monotonic() - self._started)
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

    def _give_up(self) -> None:
        self._collecting = False
        self._copier.cell.dropped += 1
        self._release()

    def _send(self) -> None:
        copier = self._copier
        mirror = copier.mirror
        copier.cell.requests += 1
        method, head = self._request.method, self.head
        if copier.changes is not None:
            head = copier.changes.request(head, self._request)
        delivery = Delivery(
            copier.group.only or copier.group.choose_again(),
            method,
            b"".join((copied_head(head, b"read"), *self._body)),
            self._done,
            repeatable=method in SAFE_METHODS and not self._body,
            keep=0 if mirror.observer is None else mirror.observer.keep,
        )
        delivery.start(mirror.loop, mirror.rules.timeout)

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
        copier = self._copier
        observer = copier.mirror.observer
        if observer is None or self._answer is None or self._other is None or not self._answered:
            return
        request = self._request
        status, seconds = self._answer
        observer.observe(
            Pair(
                capability=copier.capability,
                authoritative=copier.authoritative,
                method=request.method,
                target=request.target,
                status=status,
                seconds=seconds,
                body=b"".join(self._content),
                other=self._other,
            )
        )
