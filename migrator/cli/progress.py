"""How rollouts look in a terminal: the status table, and one line per event.

Called by `up` and `status`. Only draws; the documents come from the controller.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from migrator.cli.output import print_json
from migrator.client import ControllerClient
from migrator.errors import Unavailable
from migrator.plan.units import FULL_SHARE, format_duration, format_share

REFRESH: Final = 0.5
"""Seconds between two looks of a table that follows."""
BAR: Final = 10
"""Characters of the share's bar."""
WIDE: Final = 120
"""Columns that the whole table takes."""
_STYLES: Final[Mapping[str, str]] = {
    "complete": "green",
    "holding": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "rolled_back": "red",
    "aborted": "red",
    "pending": "dim",
}
_BAD: Final = frozenset({"rolled_back", "killed", "aborted", "switched_off"})
_QUIET: Final = frozenset({"flag_applied", "step_passed"})
"""Events that say nothing new to people."""


def status_table(status: Mapping[str, Any], now: float, *, width: int) -> RenderableType:
    """The document of `migrator status`; on less than `WIDE` columns without what matters least."""
    wide = width >= WIDE
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (
        ("capability", "left"),
        ("stage", "left"),
        ("share", "left"),
        ("step", "right"),
        ("phase", "left"),
        ("left", "right"),
        *((("monolith", "right"),) if wide else ()),
        ("services", "right"),
    ):
        table.add_column(title, justify="right" if justify == "right" else "left", no_wrap=True)
    notes = Text()
    for each in status["capabilities"]:
        style = _STYLES.get(each["phase"], "")
        table.add_row(
            each["name"],
            each["stage"],
            _share(each, BAR if wide else 0),
            f"{each['step']}/{each['steps']}",
            Text(each["phase"].replace("_", " "), style=style),
            _left(each["hold_until"], now),
            *([_figures(each["origins"]["old"])] if wide else []),
            _figures(each["origins"]["new"], tail=wide),
        )
        if (
            each["phase"] in ("pending", "waiting", "paused", "rolled_back", "aborted")
            and each["reason"]
        ):
            notes.append(f"{each['name']}: ", style="bold")
            notes.append(f"{each['reason']}\n")
    for service in status["services"]:
        if service["enabled"] is False:
            notes.append(f"{service['name']} is switched off", style="red")
            notes.append(f" (migrator restore service/{service['name']})\n")
    for problem in status["problems"]:
        notes.append(f"{problem}\n", style="red")
    notes.rstrip()
    below = [each for each in (_cohorts(status), _metrics(status)) if each.row_count]
    return Group(
        table,
        *([notes] if notes else []),
        *(Padding(each, (1, 0, 0, 0), expand=False) for each in below),
    )


def _cohorts(status: Mapping[str, Any]) -> Table:
    """Who got which stage at the present steps, and how it went for them."""
    table = _table("capability", "stage", "origin")
    for title in ("requests", "errors", "p50", "p95", "p99", "consistent"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in status["capabilities"]:
        cohorts, consistency = each["cohorts"] or (), each["consistency"] or {}
        last = len(cohorts) - 1
        for index, cohort in enumerate(cohorts):
            rate = consistency.get("rate") if index == last else None
            table.add_row(
                each["name"] if index == 0 else "",
                cohort["stage"],
                "monolith" if cohort["origin"] == "old" else "services",
                str(cohort["requests"]),
                f"{cohort['error_rate']:.1%}",
                *(_milliseconds(cohort[name]) for name in ("p50_ms", "p95_ms", "p99_ms")),
                "" if rate is None else f"{rate:.2%}",
            )
    return table


def _metrics(status: Mapping[str, Any]) -> Table:
    """What users measure themselves, at the present steps."""
    table = _table("capability", "metric")
    for title in ("monolith", "services"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", style="red")
    for each in status["capabilities"]:
        for metric in each["metrics"]:
            table.add_row(
                each["name"],
                metric["name"],
                _measured(metric["old"]),
                _measured(metric["new"]),
                Text(metric["problem"] or ""),
            )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in columns:
        table.add_column(title, no_wrap=True)
    return table


def _measured(figure: Mapping[str, int] | float | None) -> str:
    if figure is None:
        return "-"
    if isinstance(figure, Mapping):
        return f"{figure['count']}/{figure['total']}"
    return f"{figure:g}"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.{0 if value >= 10 else 1}f} ms"


def event_line(event: Mapping[str, Any]) -> Text | None:
    """What happened, in one line; None: not worth one."""
    if event["kind"] in _QUIET:
        return None
    at = datetime.fromtimestamp(event["at"]).strftime("%H:%M:%S")
    kind = event["kind"].replace("_", " ")
    style = "red" if event["kind"] in _BAD else ""
    line = Text.assemble((at, "dim"), " ", (event["capability"], "bold"), " ", (kind, style))
    return line.append(f": {event['why']}") if event["why"] else line


async def follow(
    origin: str, token: str, *, since: float, console: Console, json_mode: bool
) -> None:
    """Show events after `since` (Unix seconds) and, on a terminal, the table below them, until
    cancelled."""
    async with ControllerClient(origin, token) as client:
        events = (event async for event in client.events() if event["at"] >= since)
        if json_mode:
            async for event in events:
                print_json({"event": "rollout", **event})
        elif console.is_terminal:
            with Live(console=console, auto_refresh=False, transient=True) as live:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_print_events(events, console))
                    group.create_task(_draw(client, live))
        else:
            await _print_events(events, console)


async def watch(client: ControllerClient, console: Console) -> None:
    """The table, drawn again and again, until cancelled."""
    with Live(console=console, auto_refresh=False) as live:
        await _draw(client, live)


async def _draw(client: ControllerClient, live: Live) -> None:
    while True:
        with contextlib.suppress(Unavailable):
            now = await client.status()
            live.update(status_table(now, time.time(), width=live.console.width), refresh=True)
        await asyncio.sleep(REFRESH)


async def _print_events(events: AsyncIterator[Mapping[str, Any]], console: Console) -> None:
    async for event in events:
        line = event_line(event)
        if line is not None:
            console.print(line)


def _share(each: Mapping[str, Any], size: int) -> str:
    if each["stage"] == "off":
        return ""
    filled = round(size * each["share"] / FULL_SHARE)
    return f"{'█' * filled}{'░' * (size - filled)} {format_share(each['share'])}".strip()


def _left(until: float | None, now: float) -> str:
    return "" if until is None else format_duration(max(0.0, float(round(until - now))))


def _figures(figures: Mapping[str, Any], *, tail: bool = True) -> str:
    if not figures["requests"]:
        return "-"
    shown = f"{figures['requests']} req, {figures['errors']} failed"
    p99 = figures["p99_ms"]
    if tail and p99 is not None:
        shown += f", p99 {_milliseconds(p99)}"
    return shown
