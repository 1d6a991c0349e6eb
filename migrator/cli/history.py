"""`migrator history`: what happened to rollouts, and how they were at a past moment.

Reads the log itself, so that it works while the controller is down.
"""

from datetime import datetime
from typing import Annotated, Any

import typer

from migrator.cli.options import JsonOption, StateOption
from migrator.cli.output import console, print_json
from migrator.cli.progress import event_line
from migrator.controller.api import event_json
from migrator.controller.store import EventLog
from migrator.errors import InvalidInput
from migrator.plan.units import FULL_SHARE, format_share
from migrator.rollout.events import Event
from migrator.rollout.history import at_moment
from migrator.rollout.service import service_of
from migrator.rollout.state import Rollout
from migrator.state import find_state


def register(app: typer.Typer) -> None:
    """Add the command to the root command."""
    app.command()(history)


def history(
    capability: Annotated[
        str | None,
        typer.Argument(help="One capability, or service/NAME; default: all.", show_default=False),
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="A moment, such as 2026-03-02T14:30; shows the state then.")
    ] = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the events of rollouts, or with --at how they were at a past moment.

    Example: migrator history publishing --at 2026-03-02T14:30
    """
    moment = None if at is None else _moment(at)
    path = find_state(state).rollout_database
    if not path.is_file():
        raise InvalidInput(f"{path} is not there: nothing has happened yet")
    with EventLog(path) as log:
        events = log.read(capability=capability)
    if moment is None:
        _print_events(events, as_json)
        return
    names = dict.fromkeys(e.capability for e in events if service_of(e.capability) is None)
    then = [
        _state(at_moment([e for e in events if e.capability == name], name, moment))
        for name in names
    ]
    if as_json:
        print_json(then)
        return
    for each in then:
        told = f": {each['reason']}" if each["reason"] else ""
        share = format_share(each["share"])
        line = f"{each['name']} was {each['phase'].replace('_', ' ')} at {each['stage']} {share}"
        console().print(line + told, markup=False, highlight=False, soft_wrap=True)


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(
            f"--at: found {text!r}, expected a moment such as 2026-03-02T14:30 (local time) or "
            "2026-03-02T13:30Z"
        ) from None


def _print_events(events: list[Event], as_json: bool) -> None:
    for event in events:
        shown = event_json(event)
        if as_json:
            print_json(shown)
        elif (line := event_line(shown)) is not None:
            console().print(line, soft_wrap=True)


def _state(rollout: Rollout) -> dict[str, Any]:
    """What the controller wanted then; `off` where the flag was another's, too."""
    shown = None if rollout.hands_off else rollout.shown
    return {
        "name": rollout.capability,
        "phase": str(rollout.phase),
        "stage": str(shown.stage) if shown else "off",
        "share": shown.share if shown else FULL_SHARE,
        "step": min(rollout.step + 1, len(rollout.steps)) if rollout.begun else 0,
        "steps": len(rollout.steps),
        "reason": rollout.reason,
        "since": rollout.since,
    }
