"""Compares the answers of both sides beside the requests of one worker, a little at a time.

The only part of this package that has a loop and a clock. A comparison costs Python as much as
some tens of requests, so their number per second is bounded, and each is done in slices with
pauses in between: the requests of that moment wait for one slice at most, not for a document.
"""

import asyncio
import logging
import random
import re
import time
from collections import deque
from collections.abc import Generator
from time import monotonic
from typing import Any, Final

from routing.config import ParityRules, ProxyConfig
from routing.delivery import Outcome
from routing.hiding import Hiding, readable
from routing.parity.compare import Answer, Differences, NotCompared, compare
from routing.parity.observing import Pair
from routing.parity.rules import Rules
from routing.parity.tally import MAX_GROUPS, MAX_TARGET, Tally
from routing.rate_bound import TokenBucket
from routing.stages import Access

SLICE: Final = 0.001
"""Seconds of comparing at a time; one step, such as parsing a document, may take longer."""
PAUSE: Final = 0.005
"""Seconds between two slices."""
MAX_WAITING: Final = 64
"""Pairs that wait for their comparison."""
ALL_GROUPS: Final = 400
"""Of all capabilities: it bounds the report to the parent."""
REPORT_EVERY: Final = 2.0
"""Seconds between two documents for the parent."""

logger = logging.getLogger(__name__)


class Comparing:
    """An `Observer` of mirrored reads and probes."""

    def __init__(self, config: ProxyConfig, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Pair] = deque()
        self._work: tuple[Pair, Generator[None, None, None]] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tallies: dict[tuple[str, Access], Tally] = {}
        self._changed = False
        self._reported = 0.0
        self._chance = random.random
        self.apply(config)

    def apply(self, config: ProxyConfig) -> None:
        """Compare by `config` from now on."""
        parity = config.parity
        self._config = parity
        self._headers = tuple(name.lower() for name in parity.headers)
        self._capabilities = frozenset(config.capabilities)
        self._rules: dict[ParityRules, Rules] = {}
        self._hiding = Hiding(config.redact.headers, config.redact.query)
        self._buckets = {
            Access.READ: TokenBucket(parity.per_second, monotonic()),
            Access.WRITE: TokenBucket(parity.probes_per_second, monotonic()),
        }
        names = {"content-type", "content-encoding", *self._headers}
        self._fields = re.compile(
            rb"\n(%b):[ \t]*([^\r\n]*)" % b"|".join(re.escape(name.encode()) for name in names),
            re.IGNORECASE,
        ).findall
        self.keep = parity.body + 1
        """One more than is compared, so that what is longer is known to be."""
        for tally in self._tallies.values():
            tally.learns_noise = parity.noise_share > 0

    # An observer's.

    def admits(self, capability: str, access: Access) -> bool:
        if capability in self._capabilities and self._buckets[access].take(monotonic()):
            return True
        self.skip(capability, access, NotCompared.BUSY)
        return False

    def repeats(self, capability: str, access: Access) -> bool:
        share = max(self._config.noise_share, self._tally(capability, access).noise_wanted)
        return self._chance() < share

    def observe(self, pair: Pair) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self.skip(pair.capability, pair.access, NotCompared.BUSY)
            pair.agreed(None)
            return
        self._waiting.append(pair)
        if self._timer is None:
            self._timer = self._loop.call_later(PAUSE, self._turn)

    def skip(self, capability: str, access: Access, why: NotCompared) -> None:
        self._tally(capability, access).skip(why)
        self._changed = True

    # For the worker.

    def stop(self) -> None:
        """Leave what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._work is not None:
            self._waiting.appendleft(self._work[0])
            self._work = None
        while self._waiting:
            self._waiting.popleft().agreed(None)

    def document(self, *, last: bool = False) -> list[dict[str, Any]] | None:
        """All tallies as JSON; None: there is nothing new, or not yet, unless it is the `last`."""
        now = monotonic()
        if not self._changed or (now - self._reported < REPORT_EVERY and not last):
            return None
        self._changed = False
        self._reported = now
        return [tally.document(*key) for key, tally in self._tallies.items()]

    def _turn(self) -> None:
        """One slice."""
        self._timer = None
        end = monotonic() + SLICE
        while monotonic() < end:
            if self._work is None:
                if not self._waiting:
                    return
                pair = self._waiting.popleft()
                self._work = pair, self._compare(pair)
            pair, work = self._work
            try:
                next(work)
            except StopIteration:
                self._work = None
            except Exception:
                # Whatever an origin's answer does to us, the next pair is compared.
                self._work = None
                logger.exception("parity.failed capability=%s", pair.capability)
                self.skip(pair.capability, pair.access, NotCompared.UNREADABLE)
                pair.agreed(None)
        self._timer = self._loop.call_later(PAUSE, self._turn)

    def _compare(self, pair: Pair) -> Generator[None, None, None]:
        rules = self._rules_of(pair)
        old, new = self._answer(pair.old), self._answer(pair.new)
        if old is None or new is None or old.status >= 500:
            self.skip(pair.capability, pair.access, NotCompared.UNANSWERED)
            pair.agreed(None)
            return
        tally = self._tally(pair.capability, pair.access)
        again = None if pair.again is None else self._answer(pair.again)
        if again is not None:
            noise = yield from self._differences(old, again, rules)
            if not isinstance(noise, NotCompared):
                tally.repeat(noise)
        differences = yield from self._differences(old, new, rules)
        self._changed = True
        if isinstance(differences, NotCompared):
            tally.skip(differences)
            pair.agreed(None)
        else:
            pair.agreed(tally.add(differences, self._request(pair, old, new), rules))

    def _differences(self, old: Answer, new: Answer, rules: Rules) -> Differences:
        return compare(old, new, rules, self._headers, self._config.body)

    def _request(self, pair: Pair, old: Answer, new: Answer) -> dict[str, Any]:
        """What a sample says of the request."""
        path, mark, query = pair.target.partition(b"?")
        return {
            "at": time.time(),
            "method": readable(pair.method),
            "target": readable(path + mark + self._hiding.query(query))[:MAX_TARGET],
            "status": [old.status, new.status],
        }

    def _answer(self, outcome: Outcome) -> Answer | None:
        if outcome.status is None:
            return None
        return Answer(outcome.status, self._read(outcome.head), outcome.body, outcome.complete)

    def _read(self, head: bytes) -> dict[str, str]:
        fields: dict[str, str] = {}
        for raw, value in self._fields(head):
            name = raw.decode().lower()
            text = value.decode("latin-1").rstrip()
            fields[name] = f"{fields[name]}, {text}" if name in fields else text
        return fields

    def _rules_of(self, pair: Pair) -> Rules:
        rules = self._rules.get(pair.rules)
        if rules is None:
            rules = self._rules[pair.rules] = Rules(pair.rules)
        return rules

    def _tally(self, capability: str, access: Access) -> Tally:
        tally = self._tallies.get((capability, access))
        if tally is None:
            most = ALL_GROUPS // max(len(self._capabilities) * len(Access), 1)
            tally = Tally(noise=self._config.noise_share > 0, groups=max(1, min(MAX_GROUPS, most)))
            self._tallies[capability, access] = tally
        return tally
