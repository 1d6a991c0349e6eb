"""Is a service plainly broken? What it did for users in the last moments decides, no statistics.

Pure. The controller gives each reading of the proxy's `/endpoints` to `Pulse.read`, several times
a second, and switches off what `broken` names. By service and not by capability: of several
services behind one capability only the broken one is to go. Two rules, for the newest reading:

1. *Refused*: connections could not be made, and at least `MIN_REFUSED` requests in a row failed or
   tried in vain, whenever the last good answer was.
2. *Half*: at least half of at least `MIN_REQUESTS` requests failed in some window of at most
   `WINDOW` seconds that ends with it, and some of the newest.

If the monolith fails too, at least an eighth as often, nobody is judged: the fault may be shared,
and going back would not help. The statistics will tell.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final

from pydantic import BaseModel, Field, ValidationError

from migrator.errors import Unavailable

WINDOW: Final = 2.0
"""Seconds."""
MIN_REQUESTS: Final = 20
MIN_REFUSED: Final = 3
MIN_MONOLITH: Final = 20
"""Requests at the monolith below which it is not known to fail, too."""

MONOLITH: Final = None
"""Its name among the origins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Requests of users that an origin was the first to be asked: those that are over, those it
    failed, and connections for them that could not be made."""

    asked: int = 0
    failed: int = 0
    unreached: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            asked=self.asked + other.asked,
            failed=self.failed + other.failed,
            unreached=self.unreached + other.unreached,
        )

    def minus(self, earlier: "Tally") -> "Tally":
        """What came after `earlier`; nothing if a counter fell, as after a restart of the proxy."""
        asked = self.asked - earlier.asked
        failed = self.failed - earlier.failed
        unreached = self.unreached - earlier.unreached
        if min(asked, failed, unreached) < 0:
            return NOTHING
        return Tally(asked=asked, failed=failed, unreached=unreached)

    def __str__(self) -> str:
        return f"{self.failed}/{self.asked} requests failed"


NOTHING: Final = Tally()
Tallies = Mapping[str | None, Tally]
"""By the service's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What each origin did between two readings of the counters."""

    since: float
    at: float
    origins: Tallies


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What a service did since its last good answer, from `since` on."""

    since: float
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The readings of the last `WINDOW` seconds, oldest first. `last`: the newest counters."""

    at: float
    last: Tallies
    readings: tuple[Reading, ...] = ()
    silences: Mapping[str, Silence]

    @classmethod
    def begin(cls, counters: Tallies, *, at: float) -> "Pulse":
        return cls(at=at, last=counters, silences={})

    def read(self, counters: Tallies, *, at: float, off: Iterable[str] = ()) -> "Pulse":
        """With one more reading. What the services in `off` did is forgotten: once they are on
        again they begin anew. A clock set back makes the reading last no time."""
        at, gone = max(at, self.at), frozenset(off)
        origins = {
            name: tally.minus(self.last.get(name, NOTHING))
            for name, tally in counters.items()
            if name not in gone
        }
        kept = (
            replace(each, origins={n: t for n, t in each.origins.items() if n not in gone})
            for each in self.readings
            if each.since >= at - WINDOW
        )
        return Pulse(
            at=at,
            last=counters,
            readings=(*kept, Reading(since=self.at, at=at, origins=origins)),
            silences=dict(self._silences(origins)),
        )

    def broken(self) -> dict[str, str]:
        """The services that are plainly broken, each with the evidence."""
        if not self.readings:
            return {}
        found = {}
        for name, newest in self.readings[-1].origins.items():
            if name is not MONOLITH and newest != NOTHING:
                evidence = self._refused(name) or self._half(name, newest)
                if evidence:
                    found[name] = evidence
        return found

    def silent(self, names: Iterable[str]) -> bool:
        """Whether one of those services has begun to fail everything, so lately that it may yet be
        found to be broken."""
        return any(
            name in self.silences and self.at - self.silences[name].since < WINDOW for name in names
        )

    def _silences(self, origins: Tallies) -> Iterable[tuple[str, Silence]]:
        for name, tally in origins.items():
            if name is MONOLITH or tally.asked > tally.failed:
                continue
            before = self.silences.get(name)
            if before is not None:
                yield name, replace(before, tally=before.tally + tally)
            elif tally != NOTHING:
                yield name, Silence(since=self.at, tally=tally)

    def _refused(self, name: str) -> str:
        silence = self.silences.get(name)
        if silence is None or not silence.tally.unreached:
            return ""
        tally = silence.tally
        if max(tally.failed, tally.unreached) < MIN_REFUSED or self._shared(tally):
            return ""
        times = "connection" if tally.unreached == 1 else "connections"
        return f"{tally.unreached} {times} refused, {tally} in {self.at - silence.since:.1f} s"

    def _half(self, name: str, newest: Tally) -> str:
        if not newest.failed:
            return ""
        tally = NOTHING
        for index in range(len(self.readings) - 1, -1, -1):
            tally += self.readings[index].origins.get(name, NOTHING)
            if tally.asked >= MIN_REQUESTS and tally.failed * 2 >= tally.asked:
                if self._shared(tally):
                    return ""
                return f"{tally} in {self.at - self.readings[index].since:.1f} s"
        return ""

    def _shared(self, service: Tally) -> bool:
        """Whether the monolith fails, too. A service that nothing reached failed everything."""
        old = NOTHING
        for reading in self.readings:
            old += reading.origins.get(MONOLITH, NOTHING)
        rate = service.failed / service.asked if service.asked else 1.0
        return old.asked >= MIN_MONOLITH and 8 * old.failed >= rate * old.asked


Count = Annotated[int, Field(ge=0)]


class _Origin(BaseModel):
    service: Annotated[str, Field(max_length=100)] | None
    asked: Count
    failed: Count
    unreached: Count


class _Endpoints(BaseModel):
    origins: Annotated[tuple[_Origin, ...], Field(max_length=10_000)]


def parse_endpoints(document: bytes) -> Tallies:
    """The counters in the proxy's `/endpoints`. Raises Unavailable when it is not that."""
    try:
        origins = _Endpoints.model_validate_json(document).origins
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "document"
        raise Unavailable(
            f"the proxy's /endpoints: {place}: {first['msg']}",
            hint="is something else listening on the proxy's admin port?",
        ) from error
    return {
        each.service: Tally(asked=each.asked, failed=each.failed, unreached=each.unreached)
        for each in origins
    }
