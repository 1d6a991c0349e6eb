"""Which second write is to be sent next: order, pauses after failures, holding back.

Pure: the clock comes in. Entries are numbered in the order in which their first writes were
answered. An entry waits for every earlier one of its path, and of each path above it: what creates
/articles/7 is a write to /articles. Entries of different capabilities or sides do not wait for each
other.
"""

from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from routing.decision import Evaluation
from routing.decisions import SERVED
from routing.stages import Side, Stage

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
CONFLICTS = 5
"""Attempts that may end in 409: draft-ietf-httpapi-idempotency-key-header, 2.7, has it for a
request whose first attempt is still being worked on, and applications for what stays wrong."""


Stream = tuple[str, Side]
"""A capability and the side that is owed its writes."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One second write that waits, without its content."""

    id: int
    capability: str
    service: str
    side: Side
    """Where it is to be sent."""
    path: str
    attempts: int
    """How often it was sent before this process did."""

    @property
    def stream(self) -> Stream:
        """Entries of other streams never wait for it."""
        return self.capability, self.side


class Verdict(Enum):
    """What an attempt has come to."""

    DONE = auto()
    AGAIN = auto()
    """Send it again, later."""
    REFUSED = auto()
    """Sending it again cannot help: a person must look at it."""


def succeeded(status: int) -> bool:
    """Whether a write with this answer has had its effect: then the other side is to have it, too.
    Redirections count, for forms answer with 303 (RFC 9110, 15.4.4)."""
    return 200 <= status < 400


def verdict(status: int | None, method: str, attempts: int) -> Verdict:
    """Of attempt number `attempts`, counted from 1; `status` None: no answer."""
    if status is None or status >= 500 or status in (408, 425, 429):
        return Verdict.AGAIN
    if succeeded(status):
        return Verdict.DONE
    if method == "DELETE" and status in (404, 410):
        # It is not there, which is all that was wanted.
        return Verdict.DONE
    if status == 409 and attempts < CONFLICTS:
        return Verdict.AGAIN
    return Verdict.REFUSED


def may_send(side: Side, stage: Stage) -> bool:
    """Whether the stage now in force lets an entry go. A flag that is off keeps the service from
    everything; what the service has acknowledged is always owed to the monolith."""
    return side is Side.OLD or stage is not Stage.OFF


def is_owed(stage: str, evaluation: Evaluation) -> bool:
    """Whether the service is to get a write of `stage` that it may not get now. One of `off` was
    journalled because a service was switched off, and is not, if its context is at `off` anyway."""
    return stage != Stage.OFF or evaluation.reason not in SERVED


def pause(attempts: int) -> float:
    """Seconds after failed attempt number `attempts`, counted from 1."""
    return min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 10), LONGEST_PAUSE)


_Key = tuple[str, Side, str]


@dataclass(slots=True)
class _Waiting:
    entry: Entry
    attempts: int
    not_before: float = 0.0
    in_flight: bool = False
    held: bool = False


class Order:
    """The entries that wait. At most `concurrency` are in flight."""

    def __init__(self, concurrency: int) -> None:
        self.concurrency = concurrency
        self.in_flight = 0
        self._waiting: dict[int, _Waiting] = {}
        self._queues: dict[_Key, list[int]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def room(self) -> int:
        """How many more may be in flight; negative if the concurrency was lowered."""
        return self.concurrency - self.in_flight

    def sync(self, entries: Iterable[Entry]) -> None:
        """Know exactly `entries` from now on; what is in flight stays as it is."""
        wanted = {entry.id: entry for entry in entries}
        for id in [
            id for id, each in self._waiting.items() if id not in wanted and not each.in_flight
        ]:
            self._forget(id)
        for id, entry in wanted.items():
            if id not in self._waiting:
                self._waiting[id] = _Waiting(entry, entry.attempts)
                insort(self._queues.setdefault(_key(entry, entry.path), []), id)

    def due(self, now: float) -> list[Entry]:
        """Entries to be sent now, oldest first; they count as in flight until one of `done`,
        `failed` and `hold` is called for each."""
        found: list[Entry] = []
        room = self.room
        if room <= 0:
            return found
        for id in sorted(queue[0] for queue in self._queues.values()):
            each = self._waiting[id]
            if each.in_flight or each.held or each.not_before > now or self._waits(each.entry):
                continue
            each.in_flight = True
            self.in_flight += 1
            found.append(each.entry)
            if len(found) == room:
                break
        return found

    def done(self, id: int) -> None:
        """It needs not be sent any more: applied, or refused for good."""
        self._land(id)
        self._forget(id)

    def failed(self, id: int, now: float) -> None:
        """It is to be sent again after a pause."""
        each = self._land(id)
        each.attempts += 1
        each.not_before = now + pause(each.attempts)

    def hold(self, id: int) -> None:
        """It was not sent and waits for `release`."""
        self._land(id).held = True

    def release(self) -> None:
        """What was held may be tried again: flags or the configuration changed."""
        for each in self._waiting.values():
            each.held = False

    def attempts(self, id: int) -> int:
        """How often it failed until now."""
        return self._waiting[id].attempts

    def _waits(self, entry: Entry) -> bool:
        """Whether an earlier entry of a path above this one has not been done yet."""
        for path in above(entry.path):
            queue = self._queues.get(_key(entry, path))
            if queue is not None and queue[0] < entry.id:
                return True
        return False

    def _land(self, id: int) -> _Waiting:
        each = self._waiting[id]
        if each.in_flight:
            each.in_flight = False
            self.in_flight -= 1
        return each

    def _forget(self, id: int) -> None:
        entry = self._waiting.pop(id).entry
        key = _key(entry, entry.path)
        queue = self._queues[key]
        queue.remove(id)
        if not queue:
            del self._queues[key]


def _key(entry: Entry, path: str) -> _Key:
    return entry.capability, entry.side, path


def touches(written: str, read: str) -> bool:
    """Whether a write to a path may change what a read of another one shows: the same, or one
    below it."""
    return written == read or written.startswith(read if read.endswith("/") else f"{read}/")


def above(path: str) -> Iterator[str]:
    """The paths above `path`, nearest first: /a and / for /a/b."""
    at = path.rfind("/", 0, len(path))
    while at > 0:
        path = path[:at]
        yield path
        at = path.rfind("/")
    if path != "/":
        yield "/"
