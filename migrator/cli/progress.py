"""How rollouts look in a terminal: the status table, and one line per event.

Called by `up` and `status`. Only draws; the documents come from the controller.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
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
_STYLES: Final[Mapping[str, str]] = {
    "complete": "green",
    "holding": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "rolled_back": "red",
    "aborted": "red",
    "pending": "dim",
}
_QUIET: Final = frozenset({"flag_applied", "step_passed"})
"""Events that say nothing new to people."""


def status_table(status: Mapping[str, Any], now: float, *, width: int) -> RenderableType:
    """The document of `migrator status`; below 100 columns the monolith's figures are left out."""
    wide = width >= 100
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (
        ("capability", "left"),
        ("stage", "left"),
        ("share", "left"),
        ("step", "right"),
        ("phase", "left"),
        ("left", "right"),
        *((("monolith: requests, failed, p99", "right"),) if wide else ()),
        ("services: requests, failed, p99", "right"),
    ):
        table.add_column(title, justify="right" if justify == "right" else "left")
    notes = Text()
    for each in status["capabilities"]:
        style = _STYLES.get(each["phase"], "")
        table.add_row(
            each["name"],
            each["stage"],
            _share(each),
            f"{each['step']}/{each['steps']}",
            Text(each["phase"].replace("_", " "), style=style),
            _left(each["hold_until"], now),
            *([_figures(each["origins"]["old"])] if wide else []),
            _figures(each["origins"]["new"]),
        )
        if each["phase"] in ("waiting", "paused", "rolled_back", "aborted") and each["reason"]:
            notes.append(f"{each['name']}: ", style="bold")
            notes.append(f"{each['reason']}\n")
    for service in status["services"]:
        if service["enabled"] is False:
            notes.append(f"{service['name']} is switched off", style="red")
            notes.append(f" (migrator restore service/{service['name']})\n")
    for problem in status["problems"]:
        notes.append(f"{problem}\n", style="red")
    notes.rstrip()
    return Group(table, notes) if notes else table


def event_line(event: Mapping[str, Any]) -> Text | None:
    """What happened, in one line; None: not worth one."""
    if event["kind"] in _QUIET:
        return None
    at = datetime.fromtimestamp(event["at"]).strftime("%H:%M:%S")
    kind = event["kind"].replace("_", " ")
    style = "red" if event["kind"] in ("rolled_back", "killed", "aborted") else ""
    line = Text.assemble((at, "dim"), " ", (event["capability"], "bold"), " ", (kind, style))
    return line.append(f": {event['why']}") if event["why"] else line


async def follow(origin: str, token: str, *, console: Console, json_mode: bool) -> None:
    """Show events and, on a terminal, the table below them, until cancelled."""
    async with ControllerClient(origin, token) as client:
        if json_mode:
            async for event in client.events():
                print_json({"event": "rollout", **event})
        elif console.is_terminal:
            with Live(console=console, auto_refresh=False, transient=True) as live:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_print_events(client, console))
                    group.create_task(_draw(client, live))
        else:
            await _print_events(client, console)


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


async def _print_events(client: ControllerClient, console: Console) -> None:
    async for event in client.events():
        line = event_line(event)
        if line is not None:
            console.print(line)


def _share(each: Mapping[str, Any]) -> str:
    if each["stage"] == "off":
        return ""
    filled = round(BAR * each["share"] / FULL_SHARE)
    return f"{'█' * filled}{'░' * (BAR - filled)} {format_share(each['share'])}"


def _left(until: float | None, now: float) -> str:
    return "" if until is None else format_duration(max(0.0, float(round(until - now))))


def _figures(figures: Mapping[str, Any]) -> str:
    if not figures["requests"]:
        return "-"
    p99 = figures["p99_ms"]
    tail = "" if p99 is None else f", {p99:.0f} ms"
    return f"{figures['requests']}, {figures['errors']}{tail}"
