"""Writes that the other side is to have, too: kept while they pass, journalled before the answer.

The answer of a first write that succeeded goes to the client once the second one is in the journal,
so no write that anybody was told of is lost, whatever dies. `routing.journal_sender` sends what is
in the journal. A write that cannot be kept is refused before any side has it whole.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import time

from routing.config import SecondWrites
from routing.copies import Copy, Sender, copied_head
from routing.copy_stats import CopyCell
from routing.delivery import Hearing, Outcome
from routing.errors import NoRoom
from routing.journal import Journal, State, Write
from routing.journal_order import succeeded
from routing.journal_writer import JournalWriter
from routing.message import RequestHead, ResponseHead
from routing.paths import normalise
from routing.probes import probe_head
from routing.reading import IDEMPOTENCY_KEY
from routing.record import Tell
from routing.spool import Spool, SpooledBody, busy
from routing.stages import Side, Stage
from routing.table import Route
from routing.upstream_side import UpstreamConnection

logger = logging.getLogger(__name__)


class SecondWriter:
    """The second writes of one worker, up to the journal."""

    def __init__(
        self,
        rules: SecondWrites,
        folder: Path,
        loop: asyncio.AbstractEventLoop,
        journalled: Callable[[], None],
    ) -> None:
        """`journalled`: called on the loop when there is more in the journal. Raises
        CannotStart."""
        self.rules = rules
        self.probe_share = 0.0
        """Of the writes: those after which both sides are to be asked what they have left."""
        self.journalled = journalled
        self.writer = JournalWriter(folder, loop, fsync=rules.fsync)
        self._files = ThreadPoolExecutor(1, "spool")
        self.spool = Spool(folder, rules, self._files.submit, loop.call_soon_threadsafe)
        self._loop = loop
        self._followed: dict[Hearing, Callable[[], None]] = {}
        """First writes whose clients are gone, and how to give them up."""

    def apply(self, rules: SecondWrites) -> None:
        """Obey `rules` from now on."""
        self.spool.apply(rules)
        self.rules = rules

    def follow(self, copy: "WriteCopy", connection: UpstreamConnection, *, fell_back: bool) -> None:
        """Wait for the answer on `connection` in place of the client."""

        def done(outcome: Outcome) -> None:
            del self._followed[hearing]
            if outcome.status is None:
                give_up()
            else:
                copy.settle(outcome.status, outcome.head, None, fell_back=fell_back)

        def give_up() -> None:
            copy.failed(seen=True, fell_back=fell_back)

        hearing = Hearing(done)
        self._followed[hearing] = give_up
        hearing.take_over(connection, self._loop, self.rules.timeout)

    async def stop(self) -> None:
        """Commit what was taken in; what is not answered yet is left to an operator."""
        for hearing, give_up in self._followed.items():
            hearing.cancel()
            give_up()
        self._followed.clear()
        await asyncio.to_thread(self.writer.close)
        await asyncio.to_thread(self._files.shutdown)


class WriteCopier:
    """Keeps the writes of one lane for the other side."""

    __slots__ = ("cell", "route", "second", "side", "stage")

    def __init__(
        self, second: SecondWriter, route: Route, stage: Stage, side: Side, cell: CopyCell
    ) -> None:
        self.second = second
        self.route = route
        self.stage = stage
        self.side = side
        """The one that does not answer."""
        self.cell = cell

    def copy(self, request: RequestHead, context: bytes, out: bytes) -> "WriteCopy | None":
        if not self.second.rules.enabled:
            return None
        try:
            if self.second.writer.full:
                raise busy()
            return WriteCopy(self, request, context, out)
        except NoRoom:
            self.cell.dropped += 1
            raise


class WriteCopy:
    """One write on its way to the journal."""

    __slots__ = (
        "_body",
        "_complete",
        "_context",
        "_copier",
        "_ended",
        "_key",
        "_request",
        "_sender",
        "head",
    )

    def __init__(
        self, copier: WriteCopier, request: RequestHead, context: bytes, out: bytes
    ) -> None:
        """Raises NoRoom."""
        self._copier = copier
        self._context = context
        self._request = request
        self._sender: Sender | None = None
        self._body: SpooledBody | None = None
        self._complete = request.body == 0
        if not self._complete:
            self._body = copier.second.spool.body(request.body, self._spooled)
        key = _idempotency_key(request)
        if key is None:
            # A string of RFC 9651: in quotes.
            key = b'"%b"' % str(uuid.uuid4()).encode()
            out = b"%bIdempotency-Key: %b\r\n\r\n" % (out[:-2], key)
        self.head = out
        self._key = key
        self._ended = False
        """It is known what became of the request."""

    @property
    def full(self) -> bool:
        return self._body is not None and self._body.full

    def dispatched(self, sender: Sender) -> None:
        self._sender = sender

    def add(self, data: bytes, *, complete: bool) -> None:
        if self._ended:
            return
        if self._body is not None:
            try:
                self._body.add(data)
            except NoRoom:
                self._copier.cell.dropped += 1
                raise
        self._complete = complete

    def answered(
        self, head: ResponseHead, *, fell_back: bool, release: Callable[[Copy], None]
    ) -> bool:
        return self.settle(head.status, head.forward, release, fell_back=fell_back)

    def settle(
        self, status: int, head: bytes, release: Callable[[Copy], None] | None, *, fell_back: bool
    ) -> bool:
        """What the first side has said, `head` with status line and fields; whether the write goes
        into the journal."""
        self._ended = True
        if succeeded(status):
            self._journal(State.PENDING, self._side(fell_back), release, self._probe(status, head))
            return True
        self._let_go()
        return False

    def content(self, data: bytes, *, complete: bool) -> None:
        pass

    def failed(self, *, seen: bool, fell_back: bool) -> None:
        if self._ended:
            return
        self._ended = True
        if seen and self._complete:
            self._journal(State.UNKNOWN, self._side(fell_back), None)
        else:
            self._let_go()

    def abandoned(self, connection: UpstreamConnection | None, *, fell_back: bool) -> bool:
        if self._ended or connection is None or not self._complete:
            self.failed(seen=connection is not None, fell_back=fell_back)
            return False
        # The first side goes on with it, and the other one is to have what comes of it.
        self._copier.second.follow(self, connection, fell_back=fell_back)
        return True

    def tell(self, tell: Tell) -> bool:
        return False

    def _spooled(self) -> None:
        """The disk has taken some of the body, or the body cannot be kept."""
        body, sender = self._body, self._sender
        if body is None or sender is None or self._complete:
            return
        if body.broken:
            self._copier.cell.dropped += 1
            sender.call_off(self, busy())
        elif not body.full:
            sender.go_on(self)

    def _side(self, fell_back: bool) -> Side:
        """Who is to get it: the service, where the monolith took what the service never saw."""
        return Side.NEW if fell_back else self._copier.side

    def _probe(self, status: int, answer: bytes) -> bytes:
        """Head of the read that both sides are to be asked; empty for most writes."""
        copier = self._copier
        if random.random() >= copier.second.probe_share:  # noqa: S311 - no secret
            return b""
        head = probe_head(copier.route.probe, self._request, self.head, status, answer)
        return copied_head(head, b"probe")

    def _journal(
        self,
        state: State,
        side: Side,
        release: Callable[[Copy], None] | None,
        probe: bytes = b"",
    ) -> None:
        copier, request = self._copier, self._request
        if not self._complete:
            state = State.INCOMPLETE
            self._let_go()
        if state is not State.PENDING:
            logger.error(
                "second_write.%s capability=%s side=%s method=%s path=%s",
                *(state, copier.route.capability, side),
                *(request.method.decode(), request.path.decode()),
            )
        content = None if self._body is None else self._body.seal()
        at = time()
        head = self.head
        if side is Side.NEW and copier.route.changes is not None:
            head = copier.route.changes.request(head, request)

        def append(journal: Journal) -> None:
            nonlocal state
            body = b""
            if content is not None:
                try:
                    body = content()
                except OSError as error:
                    # To try again would keep everything else out of the journal, too.
                    logger.error("second_write.not_read %s", error)
                    state = State.INCOMPLETE
            journal.append(
                Write(
                    at=at,
                    state=state,
                    capability=copier.route.capability,
                    service=copier.route.service,
                    side=side,
                    stage=copier.stage,
                    method=request.method.decode(),
                    target=request.target.decode(),
                    path=normalise(request.path).decode(),
                    idempotency_key=self._key.decode("latin-1"),
                    context=self._context,
                    head=copied_head(head, b"write"),
                    body=body,
                    probe=probe,
                )
            )

        def told(written: bool) -> None:
            if written:
                if state is not State.PENDING:
                    copier.cell.incomplete += 1
                self._let_go()
                copier.second.journalled()
            if release is not None:
                release(self)

        copier.second.writer.submit(append, told)

    def _let_go(self) -> None:
        """Of the body."""
        if self._body is not None:
            self._body.close()
            self._body = None


def _idempotency_key(request: RequestHead) -> bytes | None:
    """The client's, if the origin gets it: a field that Connection names ends here."""
    name = IDEMPOTENCY_KEY.encode()
    connection = request.fields.get(b"connection")
    if connection is not None and name in connection.lower():
        return None
    return request.fields.get(name)
