"""`migrator simulate`: what a plan's rollouts would do, by the engine that will drive them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from migrator.cli.options import JsonOption
from migrator.cli.output import console, print_json
from migrator.controller.api import event_json
from migrator.errors import InvalidInput
from migrator.plan.load import load
from migrator.plan.units import FULL_SHARE, format_duration, format_share
from migrator.rollout.events import Event, Kind
from migrator.simulate.read import built_in, parse
from migrator.simulate.scenario import BUILT_IN
from migrator.simulate.world import START, Result
from migrator.simulate.world import simulate as run

_QUIET = frozenset({Kind.FLAG_APPLIED, Kind.STARTED, Kind.MEASURED})


def register(app: typer.Typer) -> None:
    """Add the command to the root command."""
    app.command()(simulate)


def simulate(
    plan: Annotated[Path, typer.Argument(help="The plan.", exists=True, dir_okay=False)],
    scenario: Annotated[
        str, typer.Option(help=f"A file, or one of {', '.join(BUILT_IN)}.")
    ] = "clean",
    seed: Annotated[int, typer.Option(help="Of what is random.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Run the plan's rollouts on a virtual clock, with traffic and faults, in a second or two.

    \b
    Examples:
      migrator simulate migration.yaml --scenario errors
      migrator simulate migration.yaml --scenario wrong-answers
    """
    what, path = load(plan), Path(scenario)
    if path.is_file():
        try:
            given = parse(path.read_text(), scenario, what)
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{scenario}: {error}") from error
    else:
        given = built_in(scenario, what)
    result = run(what, given, seed=seed)
    if as_json:
        print_json(
            {
                "seconds": result.seconds,
                "events": [
                    {**event_json(event), "at": event.at - START} for event in result.events
                ],
                "capabilities": _final(result),
                "refused": list(result.refused),
            }
        )
        return
    out = console()
    for event in result.events:
        if event.kind not in _QUIET:
            out.print(_line(event), markup=False, highlight=False, soft_wrap=True)
    for each in _final(result):
        told = f": {each['reason']}" if each["reason"] else ""
        out.print(
            f"after {format_duration(round(result.seconds))} {each['name']} is {each['phase']} at "
            f"{each['stage']} {format_share(each['share'])}{told}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    for refused in result.refused:
        out.print(f"refused: {refused}", markup=False, soft_wrap=True)


def _line(event: Event) -> str:
    at = format_duration(round(event.at - START))
    told = f": {event.why}" if event.why else ""
    return f"{at:>10} {event.capability} {event.kind.replace('_', ' ')}{told}"


def _final(result: Result) -> list[dict[str, Any]]:
    """As in `migrator status`."""
    final = []
    for name, rollout in result.rollouts.items():
        shown = None if rollout.hands_off else rollout.shown
        final.append(
            {
                "name": name,
                "phase": str(rollout.phase),
                "stage": str(shown.stage) if shown else "off",
                "share": shown.share if shown else FULL_SHARE,
                "reason": result.waiting_for[name] or rollout.reason,
            }
        )
    return final
