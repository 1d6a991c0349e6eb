"""`migrator status|promote|pause|resume|…`: looking at rollouts and steering them."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from migrator.cli.options import JsonOption, ReasonOption, StateOption
from migrator.cli.output import console, print_json
from migrator.cli.progress import WIDE, status_table, watch
from migrator.client import ControllerClient
from migrator.rollout.verbs import Verb
from migrator.secrets import load_secrets, member
from migrator.state import StateDir, find_state
from routing.stages import Stage

Capability = Annotated[str, typer.Argument(help="Name of the capability.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the root command."""
    app.command()(status)
    for verb, text in (
        (Verb.PAUSE, "Stay at the current share; it is still watched and rolled back."),
        (Verb.RESUME, "Go on; after a rollback or an abort begin at the first step."),
        (Verb.ABORT, "Send everybody back to the monolith and stop."),
        (Verb.RETRY, "After a rollback: try the same step again."),
        (Verb.RESTART, "Begin the plan's schedule again at its first step."),
    ):
        app.command(verb.value, help=f"{text}\n\nExample: migrator {verb} publishing")(_verb(verb))
    app.command()(promote)
    app.command()(rollback)
    app.command("set")(set_stage)


def status(
    state: StateOption = None,
    as_json: JsonOption = False,
    follow: Annotated[bool, typer.Option("--watch", "-w", help="Draw until Ctrl-C.")] = False,
) -> None:
    """Show every capability: stage, share, phase, time left; errors and latencies by stage and
    origin, how often both origins agree, and metrics of your own.

    Example: migrator status --watch
    """
    asyncio.run(_status(find_state(state), as_json, follow))


async def _status(folder: StateDir, as_json: bool, follow: bool) -> None:
    out = console()
    async with _controller(folder) as client:
        now = await client.status()
        if not follow:
            if as_json:
                print_json(now)
            else:
                if not out.is_terminal:
                    # A pipe has no width to keep to.
                    out.width = WIDE
                out.print(status_table(now, time.time(), width=out.width))
        elif as_json or not out.is_terminal:
            async for event in client.events():
                print_json(event)
        else:
            await watch(client, out)


def _verb(verb: Verb) -> Callable[..., None]:
    def command(
        capability: Capability,
        reason: ReasonOption = "",
        state: StateOption = None,
        as_json: JsonOption = False,
    ) -> None:
        _say(capability, verb, {}, reason, state, as_json)

    return command


def promote(
    capability: Capability,
    full: Annotated[
        bool, typer.Option("--full", help="To the last step, past every gate but kill switches.")
    ] = False,
    reason: ReasonOption = "",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on to the next step now, without waiting for hold, data or approval.

    Example: migrator promote publishing
    """
    _say(capability, Verb.PROMOTE, {"full": full}, reason, state, as_json)


def rollback(
    capability: Capability,
    to: Annotated[str, typer.Option(help="Number of a step, or a stage: its last step.")],
    reason: ReasonOption = "",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to an earlier step and go on from there. A paused rollout stays paused.

    Example: migrator rollback publishing --to shadow -m "reads differ"
    """
    _say(capability, Verb.ROLLBACK, {"to": to}, reason, state, as_json)


def set_stage(
    capability: Capability,
    stage: Annotated[Stage, typer.Argument(help="Stage of the migration flag.")],
    share: Annotated[str, typer.Option(help="Of contexts, such as 5%.")] = "100%",
    reason: ReasonOption = "",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a stage outside of the schedule and stay there, watched, until `migrator resume`.

    Example: migrator set publishing live --share 2%
    """
    _say(capability, Verb.SET, {"stage": stage, "share": share}, reason, state, as_json)


def _say(
    capability: str,
    verb: Verb,
    details: dict[str, Any],
    reason: str,
    state: StateOption,
    as_json: bool,
) -> None:
    async def act() -> dict[str, Any]:
        async with _controller(find_state(state)) as client:
            return await client.act(capability, verb, by=member(), reason=reason, details=details)

    now = asyncio.run(act())
    if as_json:
        print_json(now)
    else:
        told = f": {now['reason']}" if now["reason"] else ""
        console().print(f"{capability} is {now['phase'].replace('_', ' ')}{told}")


def _controller(folder: StateDir) -> contextlib.AbstractAsyncContextManager[ControllerClient]:
    controller = folder.load_instance().addresses.controller
    return ControllerClient(controller, load_secrets(folder).controller_token)
