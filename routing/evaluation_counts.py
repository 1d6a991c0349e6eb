"""How often each flag gave which variation, as the summary events that LaunchDarkly's SDKs send.

Pure: the clock comes in. The proxy evaluates once for each context and counts once for each
request: the SDK's own events, which count evaluations, would show a fraction of the traffic. Shape
of the event: LaunchDarkly's event schema 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Given:
    """What a flag gave. `variation` and `version` are None where the flag is not known."""

    flag: str
    variation: int | None
    version: int | None
    value: str


class Tally:
    """Mutable: counting is on the path of every request."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class EvaluationCounts:
    """All tallies since the last `take`. Those made before `retire` count but are not given out."""

    def __init__(self, now: float) -> None:
        """`now`: seconds since 1970, here and below."""
        self._since = now
        self._tallies: dict[Given, Tally] = {}
        self._retired: list[tuple[Given, Tally]] = []
        self._kinds: dict[str, set[str]] = {}

    def tally(self, given: Given, context: Mapping[str, Any]) -> Tally:
        """What to count on for `given`; the same object until `retire`. `context`: its JSON."""
        kind = context["kind"]
        kinds = (name for name in context if name != "kind") if kind == "multi" else (kind,)
        self._kinds.setdefault(given.flag, set()).update(kinds)
        return self._tallies.setdefault(given, Tally())

    def retire(self) -> None:
        """No tally given out so far is counted on any more: flags or rules changed."""
        self._retired += self._tallies.items()
        self._tallies = {}

    def take(self, now: float) -> dict[str, Any] | None:
        """The summary event since the last one; None if nothing was counted."""
        counted: dict[Given, int] = {}
        for given, tally in (*self._retired, *self._tallies.items()):
            if tally.count:
                counted[given] = counted.get(given, 0) + tally.count
                tally.count = 0
        self._retired = []
        since, self._since = self._since, now
        if not counted:
            return None
        features: dict[str, dict[str, Any]] = {}
        for given, count in counted.items():
            feature = features.setdefault(
                given.flag,
                {"default": "off", "contextKinds": sorted(self._kinds[given.flag]), "counters": []},
            )
            feature["counters"].append(_counter(given, count))
        return {
            "kind": "summary",
            "startDate": int(since * 1000),
            "endDate": int(now * 1000),
            "features": features,
        }


def _counter(given: Given, count: int) -> dict[str, Any]:
    counter: dict[str, Any] = {"value": given.value, "count": count}
    if given.version is None:
        return {**counter, "unknown": True}
    counter["version"] = given.version
    if given.variation is not None:
        counter["variation"] = given.variation
    return counter
