"""Many rounds to one row for each proxy, and our row against the goals. Pure."""

from collections.abc import Iterable, Mapping, Sequence
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
    "busy_added_p50": ("added p50, 64 conn.", "µs"),
    "busy_added_p99": ("added p99, 64 conn.", "µs"),
    "rate_large": ("64 KiB GET", "/s"),
    "p50_large": ("64 KiB GET, p50", "µs"),
    "p99_large": ("64 KiB GET, p99", "µs"),
    "rate_post": ("64 KiB POST", "/s"),
    "p50_post": ("64 KiB POST, p50", "µs"),
    "p99_post": ("64 KiB POST, p99", "µs"),
    "added_p50": ("added p50, 1 conn.", "µs"),
    "added_p99": ("added p99, 1 conn.", "µs"),
    "memory": ("memory", "MB"),
}
"""What a round's value is called, and its unit."""
IDLE_MEMORY: Final = f"memory, {IDLE:,} idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Our `value` is at most `most` times that of `peer`; without a peer, at most `most`."""

    name: str
    value: str
    peer: str | None
    most: float


GOALS: Final = (
    Goal(name="CPU time of a small GET, by Envoy's", value="cpu_small", peer="Envoy", most=0.7),
    Goal(
        name="CPU time of a small GET, by that of Envoy with Lua that picks the side",
        value="cpu_small",
        peer="Envoy + Lua",
        most=0.55,
    ),
    Goal(name="CPU time of a small GET, by nginx's", value="cpu_small", peer="nginx", most=1.8),
    Goal(name="p99 at 64 connections, by Envoy's", value="p99", peer="Envoy", most=1.0),
    Goal(name="added p50 at one connection, by nginx's", value="added_p50", peer="nginx", most=1.5),
    Goal(name="CPU time of a 64 KiB GET, by nginx's", value="cpu_large", peer="nginx", most=2.0),
    Goal(name="CPU time of a 64 KiB POST, by nginx's", value="cpu_post", peer="nginx", most=2.0),
    Goal(name="memory of a worker", value="memory", peer=None, most=60.0),
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
        value, unit = getattr(rows[ours], goal.value), UNITS[goal.value][1]
        if goal.peer is None:
            results.append(Result(name=goal.name, value=value, unit=unit, goal=goal.most))
        elif goal.peer in rows and (theirs := getattr(rows[goal.peer], goal.value)) > 0:
            ratio = value / theirs
            results.append(Result(name=goal.name, value=ratio, unit="×", goal=goal.most))
    return results


def unmeasured(rows: Mapping[str, Round], ours: str) -> list[str]:
    """Goals that say nothing in this run."""
    measured = {each.name for each in compared(rows, ours)}
    return [goal.name for goal in GOALS if goal.name not in measured]


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


def matrix(shown: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """One line for each value, one column for each proxy, from `by_proxy`; headings first."""
    lines = [["", *shown]]
    for name, unit in (*UNITS.values(), (IDLE_MEMORY, "MB")):
        if any(name in each for each in shown.values()):
            lines.append([f"{name} ({unit})", *(_cell(each.get(name)) for each in shown.values())])
    return lines


def by_proxy(results: Iterable[tuple[str, float]]) -> dict[str, dict[str, float]]:
    """What `values` named, by the name of the proxy and of the value."""
    names = {*(name for name, _ in UNITS.values()), IDLE_MEMORY}
    shown: dict[str, dict[str, float]] = {}
    for title, value in results:
        proxy, _, name = title.partition(": ")
        if name in names:
            shown.setdefault(proxy, {})[name] = value
    return shown


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """For a terminal."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        )
        for line in lines
    )


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{significant(value):,}".removesuffix(".0")
