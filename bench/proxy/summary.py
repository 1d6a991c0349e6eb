"""Many rounds to one row for each proxy, and our row against the goals. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median
from typing import Final

from bench.proxy.measure import IDLE, Round
from bench.results import Result, significant

UNITS: Final = {
    "cpu_small": ("CPU, small GET", "µs"),
    "cpu_large": ("CPU, 64 KiB GET", "µs"),
    "cpu_post": ("CPU, 64 KiB POST", "µs"),
    "rate": ("small GET", "/s"),
    "p50": ("p50, 64 conn.", "µs"),
    "p99": ("p99, 64 conn.", "µs"),
    "added_p50": ("added p50, 1 conn.", "µs"),
    "added_p99": ("added p99, 1 conn.", "µs"),
    "memory": ("memory", "MB"),
}
"""What a round's value is called, and its unit."""
IDLE_MEMORY: Final = f"memory, {IDLE:,} idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Our `value` is at most `most` times that of `peer`; without a peer, at most `most`."""

    value: str
    peer: str | None
    most: float


GOALS: Final = (
    Goal(value="cpu_small", peer="envoy", most=0.7),
    Goal(value="cpu_small", peer="envoy lua", most=0.55),
    Goal(value="cpu_small", peer="nginx", most=1.8),
    Goal(value="p99", peer="envoy", most=1.0),
    Goal(value="added_p50", peer="nginx", most=1.5),
    Goal(value="memory", peer=None, most=60.0),
    Goal(value="cpu_large", peer="nginx", most=2.0),
    Goal(value="cpu_post", peer="nginx", most=2.0),
)


def middle(rounds: Sequence[Round]) -> Round:
    """The median of each value by itself."""
    return Round(
        **{each.name: median(getattr(r, each.name) for r in rounds) for each in fields(Round)}
    )


def compared(rows: Mapping[str, Round], ours: str) -> list[Result]:
    """Our value by each goal. A goal whose peer is missing, or did not measure, has no result."""
    results = []
    for goal in GOALS if ours in rows else ():
        value, (name, unit) = getattr(rows[ours], goal.value), UNITS[goal.value]
        if goal.peer is None:
            results.append(Result(name=f"{ours}: {name}", value=value, unit=unit, goal=goal.most))
        elif goal.peer in rows and (theirs := getattr(rows[goal.peer], goal.value)) > 0:
            title = f"{ours} / {goal.peer}: {name}"
            results.append(Result(name=title, value=value / theirs, unit="×", goal=goal.most))
    return results


def unmeasured(rows: Mapping[str, Round], ours: str) -> list[str]:
    """Goals that say nothing in this run, in words."""
    measured = {each.name for each in compared(rows, ours)}
    names = []
    for goal in GOALS:
        name = UNITS[goal.value][0]
        title = f"{ours} / {goal.peer}: {name}" if goal.peer else f"{ours}: {name}"
        if title not in measured:
            names.append(title)
    return names


def values(rows: Mapping[str, Round], idle: Mapping[str, float]) -> list[Result]:
    """Every value of every proxy, for comparison."""
    results = []
    for proxy, row in rows.items():
        for field, (name, unit) in UNITS.items():
            title = f"{proxy}: {name}"
            results.append(Result(name=title, value=getattr(row, field), unit=unit))
        if proxy in idle:
            results.append(Result(name=f"{proxy}: {IDLE_MEMORY}", value=idle[proxy], unit="MB"))
    return results


def matrix(rows: Mapping[str, Round], idle: Mapping[str, float]) -> str:
    """One line for each value, one column for each proxy."""
    lines = [["", *rows]]
    for field, (name, unit) in UNITS.items():
        lines.append([f"{name} ({unit})", *(_shown(getattr(row, field)) for row in rows.values())])
    lines.append([f"{IDLE_MEMORY} (MB)", *(_shown(idle.get(proxy)) for proxy in rows)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        )
        for line in lines
    )


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{significant(value):,}".removesuffix(".0")
