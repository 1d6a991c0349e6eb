"""How often something of several possible things happened, for figures that need no latency.

Pure. Workers count, the parent merges what they report.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "carried_decisions": ("honoured", "flag_off", "unknown", "late", "forged"),
    "tokens": ("valid", "invalid"),
    "overrides": ("valid", "late", "forged"),
    "endpoint_updates": ("applied", "refused"),
    "tls_renewals": ("applied", "refused"),
}
"""By subject; a figure is there from the start, at 0, so that a rate can be had of it."""


class Outcomes:
    """One process' counts."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {
            (subject, outcome): 0 for subject, names in OUTCOMES.items() for outcome in names
        }

    def count(self, subject: str, outcome: str) -> None:
        self.counts[subject, outcome] += 1

    def document(self) -> dict[str, dict[str, int]]:
        """JSON by subject and outcome."""
        return {
            subject: {outcome: self.counts[subject, outcome] for outcome in names}
            for subject, names in OUTCOMES.items()
        }


def merge_outcomes(
    documents: Iterable[Mapping[str, Mapping[str, int]]],
) -> dict[str, dict[str, int]]:
    """The sum of many workers' counts."""
    sums: dict[str, Counter[str]] = {
        subject: Counter(dict.fromkeys(names, 0)) for subject, names in OUTCOMES.items()
    }
    for document in documents:
        for subject, counts in document.items():
            sums[subject].update(counts)
    return {subject: dict(counts) for subject, counts in sums.items()}
