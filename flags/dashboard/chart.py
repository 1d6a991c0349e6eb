"""Evaluations by minute become columns of a chart, and rows of the table beside it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

HEIGHT: Final = 100.0
"""Of the drawing; it is stretched to whatever room there is."""
NONE: Final = -1
"""Index of what had no variation."""


class Span(NamedTuple):
    title: str
    minutes: int
    step: int
    """Minutes of one column."""


SPANS: Final[Mapping[str, Span]] = {
    "hour": Span("Last hour", 60, 1),
    "day": Span("Last 24 hours", 24 * 60, 15),
}


class Part(NamedTuple):
    variation: int
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    minute: int
    """Epoch minute of its start."""
    counts: Mapping[int, int]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    span: Span
    columns: tuple[Column, ...]
    top: int
    """The count that the full height stands for."""
    totals: Mapping[int, int]
    """By variation."""

    @property
    def total(self) -> int:
        return sum(self.totals.values())


def chart(by_minute: Mapping[int, Mapping[int, int]], span: Span, now_minute: int) -> Chart:
    """Of the whole columns up to and with the one that `now_minute` is in."""
    end = now_minute // span.step * span.step + span.step
    starts = range(end - span.minutes, end, span.step)
    counts: dict[int, dict[int, int]] = {start: {} for start in starts}
    for minute, of in by_minute.items():
        column = counts.get(minute // span.step * span.step)
        if column is not None:
            for variation, count in of.items():
                column[variation] = column.get(variation, 0) + count
    top = _ceiling(max(sum(column.values()) for column in counts.values()))
    totals: dict[int, int] = {}
    for column in counts.values():
        for variation, count in column.items():
            totals[variation] = totals.get(variation, 0) + count
    return Chart(
        span=span,
        columns=tuple(
            Column(minute=start, counts=column, parts=_parts(column, top))
            for start, column in counts.items()
        ),
        top=top,
        totals=dict(sorted(totals.items())),
    )


def since(span: Span, now_minute: int) -> int:
    """The first minute that `chart` looks at."""
    return now_minute // span.step * span.step + span.step - span.minutes


def _parts(counts: Mapping[int, int], top: int) -> tuple[Part, ...]:
    parts, bottom = [], HEIGHT
    for variation, count in sorted(counts.items()):
        height = HEIGHT * count / top
        bottom -= height
        parts.append(Part(variation, round(bottom, 3), round(height, 3)))
    return tuple(parts)


def _ceiling(count: int) -> int:
    """The next round number: 1, 2 or 5 with zeros."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power >= count:
                return digit * power
        power *= 10
