"""What one worker has learned of a capability's parity, of its reads or of what its writes leave:
counters, and groups of differences.

Pure. Differences are grouped by path and kind. The number of groups is bounded; what is beyond it
is one group more. All numbers only grow, so that the parent can add those of many workers up.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from routing.parity.compare import NotCompared
from routing.parity.difference import Difference, Kind, shown
from routing.parity.noise import Class, classify
from routing.parity.rules import Rules
from routing.stages import Access

MAX_GROUPS: Final = 40
"""Of one capability."""
MAX_PATH: Final = 300
"""Characters; what two paths have behind them is one group."""
MAX_SAMPLES: Final = 2
"""Of one group."""
MAX_TARGET: Final = 500
OTHER: Final = ("*", Kind.OTHER)
FIRST: Final = 5
"""Pairs of a capability, in one worker, for which the monolith is always asked twice: from five
of five different ones on it is sure that noise does not explain them."""
OPEN_FOR: Final = 200
"""Pairs after one of which it is open whether it differs by noise."""
OPEN_SHARE: Final = 0.5
"""Of those that follow: for which the monolith is asked twice."""
COUNTERS: Final = ("compared", "equal", "different", "noise", "open", "repeated")


class Group:
    """One path and kind. Mutable."""

    __slots__ = ("count", "noise", "samples")

    def __init__(self) -> None:
        self.count = 0
        """Pairs of old and new that differ there."""
        self.noise = 0
        """Pairs of old and old that do."""
        self.samples: list[dict[str, Any]] = []


class Tally:
    """See the module."""

    def __init__(self, *, noise: bool = True, groups: int = MAX_GROUPS) -> None:
        """`noise`: the monolith is asked twice now and then; `groups`: at most so many."""
        self.learns_noise = noise
        self._most_groups = groups
        self.compared = 0
        """Pairs of old and new: equal + different + noise + open."""
        self.equal = 0
        self.different = 0
        """With a difference that noise does not explain."""
        self.noise = 0
        """With nothing but differences in which the monolith differs from itself."""
        self.open = 0
        """With none that is surely real, and one of which that is not known yet."""
        self.repeated = 0
        """Pairs of old and old."""
        self.not_compared: Counter[NotCompared] = Counter()
        self.groups: dict[tuple[str, Kind], Group] = {}
        self._open_for = 0

    @property
    def noise_wanted(self) -> float:
        """Least share of reads for which the monolith should be asked twice now."""
        if not self.learns_noise:
            return 0.0
        if self.repeated < FIRST:
            return 1.0
        return OPEN_SHARE if self._open_for else 0.0

    def repeat(self, differences: Iterable[Difference]) -> None:
        """The monolith's two answers to one request differ so."""
        self.repeated += 1
        for group in self._groups(differences):
            group.noise += 1

    def add(self, differences: Sequence[Difference], request: dict[str, Any], rules: Rules) -> bool:
        """Old and new differ so. `request`: what a sample says of it, without secrets. Whether
        both sides agree, as far as is known."""
        self.compared += 1
        self._open_for = max(self._open_for - 1, 0)
        if not differences:
            self.equal += 1
            return True
        classes = set()
        for difference in differences:
            group = self._group(_key(difference))
            if len(group.samples) < MAX_SAMPLES and group is not self.groups.get(OTHER):
                group.samples.append(_sample(difference, request, rules))
        for group in self._groups(differences):
            group.count += 1
            classes.add(self._classify(group))
        if Class.REAL in classes:
            self.different += 1
        elif Class.OPEN in classes:
            self.open += 1
            self._open_for = OPEN_FOR
        else:
            self.noise += 1
        return Class.REAL not in classes

    def skip(self, why: NotCompared) -> None:
        """A pair was not compared."""
        self.not_compared[why] += 1

    def document(self, capability: str, access: Access = Access.READ) -> dict[str, Any]:
        """JSON of it all, see `routing.parity.report`."""
        return {
            "capability": capability,
            "access": str(access),
            "learns_noise": self.learns_noise,
            **{name: getattr(self, name) for name in COUNTERS},
            "not_compared": {str(why): count for why, count in self.not_compared.items()},
            "groups": [
                {
                    "path": path,
                    "kind": str(kind),
                    "count": group.count,
                    "noise": group.noise,
                    "samples": group.samples,
                }
                for (path, kind), group in self.groups.items()
            ],
        }

    def _classify(self, group: Group) -> Class:
        if not self.learns_noise:
            return Class.REAL
        return classify(group.count, self.compared, group.noise, self.repeated)

    def _groups(self, differences: Iterable[Difference]) -> set[Group]:
        """Those that the differences of one pair belong to: each counts a pair once."""
        return set(map(self._group, map(_key, differences)))

    def _group(self, key: tuple[str, Kind]) -> Group:
        group = self.groups.get(key)
        if group is None:
            if len(self.groups) >= self._most_groups:
                key = OTHER
            group = self.groups.setdefault(key, Group())
        return group


def _key(difference: Difference) -> tuple[str, Kind]:
    return difference.path[:MAX_PATH], difference.kind


def _sample(difference: Difference, request: dict[str, Any], rules: Rules) -> dict[str, Any]:
    # A number of elements says nothing about anybody.
    seen = difference.kind is Kind.LENGTH or rules.shows(difference.path)
    return {
        **request,
        "old": shown(difference.path, difference.old, seen=seen),
        "new": shown(difference.path, difference.new, seen=seen),
    }
