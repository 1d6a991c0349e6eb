"""How often the same person, or the same trace, goes from one group to another, and which tables
groups write together. Pure.

Bounded: of all people and traces, those that were seen last are remembered.
"""

from collections import Counter, OrderedDict
from typing import Final, NamedTuple

from migrator.discover.request import Request

SESSION_GAP: Final = 1800.0
"""Seconds without a request after which a person begins anew, as web analytics have it."""
SOON: Final = 60.0
"""Seconds within which a request after a write is likely to want to see it."""
MAX_REMEMBERED: Final = 50_000
"""People, and traces."""
MAX_TABLES: Final = 1000
"""Tables of one group."""
Pair = tuple[str, str]
"""Two groups in alphabetical order."""


class Partner(NamedTuple):
    """Another group, and how often people and traces cross to it or from it."""

    group: str
    crossings: int
    lift: float
    """Times as often as by chance."""


class SharedTable(NamedTuple):
    """A table, and the other groups that write it, too."""

    name: str
    groups: tuple[str, ...]


class _Last(NamedTuple):
    group: str
    at: float | None
    is_write: bool


class Coupling:
    """Add requests in the order of their times, or nearly so."""

    def __init__(self, remembered: int = MAX_REMEMBERED) -> None:
        self._remembered = remembered
        self._people: OrderedDict[int, _Last] = OrderedDict()
        self._traces: OrderedDict[int, set[str]] = OrderedDict()
        self.steps: Counter[str] = Counter()
        """By group: pairs of requests one after another of which at least one is the group's."""
        self.crossings: Counter[Pair] = Counter()
        """Those from one group to another."""
        self.writes: Counter[str] = Counter()
        """By group: writes after which the person's next request came soon."""
        self.writes_left: Counter[str] = Counter()
        """Those whose next request was another group's."""
        self.traces: Counter[str] = Counter()
        """By group: traces with a request of it."""
        self.shared_traces: Counter[str] = Counter()
        """Those with requests of other groups, too."""
        self.trace_crossings: Counter[Pair] = Counter()
        self.tables: dict[str, Counter[str]] = {}
        """By group: how many of its requests wrote each table."""

    def add(self, request: Request, group: str) -> None:
        if request.tables:
            known = self.tables.setdefault(group, Counter())
            known.update(t for t in request.tables if t in known or len(known) < MAX_TABLES)
        if request.trace is not None:
            self._add_trace(request.trace, group)
        if request.who is not None:
            self._add_step(request.who, _Last(group, request.at, request.is_write))

    def share(self, group: str) -> float:
        """Of the group's steps and traces, whichever is more: how many are shared, 0 to 1."""
        return max(self.step_share(group), self.trace_share(group))

    def step_share(self, group: str) -> float:
        crossed = sum(count for pair, count in self.crossings.items() if group in pair)
        return crossed / self.steps[group] if crossed else 0.0

    def trace_share(self, group: str) -> float:
        return self.shared_traces[group] / self.traces[group] if self.traces[group] else 0.0

    def write_share(self, group: str) -> float:
        """Of the group's writes: how many were soon followed in another group."""
        return self.writes_left[group] / self.writes[group] if self.writes[group] else 0.0

    def shared_tables(self, group: str) -> tuple[SharedTable, ...]:
        """The group's tables that others write, too: those it writes most first."""
        own = self.tables.get(group, Counter())
        shared = []
        for table, _ in sorted(own.items(), key=lambda item: (-item[1], item[0])):
            others = (name for name, tables in self.tables.items() if table in tables)
            groups = tuple(sorted(name for name in others if name != group))
            if groups:
                shared.append(SharedTable(table, groups))
        return tuple(shared)

    def table_share(self, group: str) -> float:
        """Of the group's writes to tables: how many are to tables that others write, too, 0 to
        1."""
        own = self.tables.get(group, Counter())
        shared = sum(own[table.name] for table in self.shared_tables(group))
        return shared / own.total() if shared else 0.0

    def partners(self, group: str) -> tuple[Partner, ...]:
        """Other groups, those first that are crossed to most beyond chance.

        Chance: the group's crossings spread over the others as often as those are crossed to.
        """
        pairs = self.crossings + self.trace_crossings
        ends: Counter[str] = Counter()
        for pair, count in pairs.items():
            ends.update(dict.fromkeys(pair, count))
        found = []
        for pair, count in pairs.items():
            if group in pair:
                other = pair[0] if pair[1] == group else pair[1]
                expected = ends[group] * ends[other] / (ends.total() - ends[group])
                found.append((expected - count, Partner(other, count, count / expected)))
        return tuple(partner for _, partner in sorted(found))

    def _add_step(self, who: int, now: _Last) -> None:
        before = self._people.pop(who, None)
        self._people[who] = now
        if len(self._people) > self._remembered:
            self._people.popitem(last=False)
        if before is None:
            return
        passed = 0.0 if before.at is None or now.at is None else abs(now.at - before.at)
        if passed > SESSION_GAP:
            return
        crosses = before.group != now.group
        self.steps[before.group] += 1
        if crosses:
            self.steps[now.group] += 1
            self.crossings[_pair(before.group, now.group)] += 1
        if before.is_write and passed <= SOON:
            self.writes[before.group] += 1
            self.writes_left[before.group] += crosses

    def _add_trace(self, trace: int, group: str) -> None:
        groups = self._traces.pop(trace, None) or set()
        self._traces[trace] = groups
        if len(self._traces) > self._remembered:
            self._traces.popitem(last=False)
        if group in groups:
            return
        self.traces[group] += 1
        if groups:
            self.shared_traces[group] += 1
        if len(groups) == 1:
            self.shared_traces.update(groups)
        for other in groups:
            self.trace_crossings[_pair(group, other)] += 1
        groups.add(group)


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)
