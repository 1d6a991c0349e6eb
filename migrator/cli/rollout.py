"""`migrator status|promote|pause|resume|…`: looking at rollouts and steering them.

`kill` and `restore` go straight to the flag server, so that they work while the controller is down.
"""

import asyncio
import contextlib
import difflib
import os
import time
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final

import typer

from migrator import flagaccess
from migrator.cli.options import JsonOption, StateOption
from migrator.cli.output import console, print_json
from migrator.cli.progress import WIDE, status_table, watch
from migrator.client import ControllerClient
from migrator.controller.flags import claim
from migrator.errors import InvalidInput
from migrator.flagclient import FlagClient, RetryPolicy
from migrator.flagclient import Target as FlagTarget
from migrator.plan.dependencies import all_needed, needed, service_flag
from migrator.plan.load import load
from migrator.plan.model import Migration, Stage
from migrator.rollout.verbs import Verb
from migrator.secrets import load_secrets, member
from migrator.state import StateDir, find_state

PATIENCE: Final = RetryPolicy(total=75.0)
"""A person rather waits for a limit of LaunchDarkly's, a minute at most, than tries again."""
Capability = Annotated[str, typer.Argument(help="Name of the capability.")]
Target = Annotated[
    str,
    typer.Argument(help="A capability or a service; service/NAME where both have that name."),
]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the log.")]


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
    app.command()(kill)
    app.command()(restore)


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
        reason: Reason = "",
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
    reason: Reason = "",
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
    reason: Reason = "",
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
    reason: Reason = "",
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


def kill(
    target: Target, reason: Reason = "", state: StateOption = None, as_json: JsonOption = False
) -> None:
    """Switch a capability or a service off everywhere, at once, by its flag.

    Every proxy and every service obeys within 200 ms; the monolith answers again. Needs only the
    flag server. Examples: migrator kill publishing, migrator kill service/media -m "leaks memory"
    """
    _turn(target, False, reason, state, as_json)


def restore(
    target: Target, reason: Reason = "", state: StateOption = None, as_json: JsonOption = False
) -> None:
    """Switch on again what `kill` switched off. A paused rollout goes on with `migrator resume`.

    Example: migrator restore publishing
    """
    _turn(target, True, reason, state, as_json)


def _turn(target: str, on: bool, reason: str, state: StateOption, as_json: bool) -> None:
    folder = find_state(state)
    address = folder.load_instance().addresses.flags
    plan = load(folder.plan)
    server = flagaccess.target(plan.spec.flags, address, member(), load_secrets(folder), os.environ)
    kind, name, key = flag_of(plan, target)
    verb = "restore" if on else "kill"
    comment = reason or f"migrator {verb} {target}"
    began = time.monotonic()
    version = asyncio.run(_turn_flag(server, kind, key, on, comment))
    took = (time.monotonic() - began) * 1000
    if as_json:
        print_json({"kind": kind, "name": name, "flag": key, "on": on, "version": version})
        return
    out = console()
    out.print(
        f"{kind} {name} is switched {'on' if on else 'off'} "
        f"(flag {key}, version {version}, {took:.0f} ms)"
    )
    if on:
        out.print(
            f"a rollout that it paused goes on with: migrator resume {_some(plan, kind, name)}"
        )
    else:
        back = f"service/{name}" if kind == "service" else name
        out.print(f"switch it on again with: migrator restore {back}")


async def _turn_flag(server: FlagTarget, kind: str, key: str, on: bool, comment: str) -> int:
    async with FlagClient(server, via="cli", policy=PATIENCE) as flags:
        flag = await flags.turn(key, on=on, comment=comment)
        if kind == "service":
            flag = await claim(flags, flag, comment)
        return flag.version


def flag_of(plan: Migration, target: str) -> tuple[str, str, str]:
    """Kind, name and flag key of `target`; a bare name means the capability first.

    Raises InvalidInput that names what is there.
    """
    services = all_needed(plan.spec.capabilities)
    kind, slash, name = target.partition("/")
    if not slash:
        kind, name = ("capability" if target in plan.spec.capabilities else "service"), target
    if kind == "capability" and name in plan.spec.capabilities:
        return kind, name, name
    if kind == "service" and name in services:
        return kind, name, service_flag(name)
    known = [*plan.spec.capabilities, *(f"service/{s}" for s in sorted(services))]
    raise InvalidInput(
        f"no capability and no service {target!r}; there are: {', '.join(known)}",
        hint=_suggest(target, (*plan.spec.capabilities, *services)),
    )


def _suggest(target: str, known: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(target, list(known), n=1)
    return f"did you mean {close[0]}?" if close else None


def _some(plan: Migration, kind: str, name: str) -> str:
    if kind == "capability":
        return name
    capabilities = plan.spec.capabilities
    return ", ".join(each for each in capabilities if name in needed(capabilities, each))


def _controller(folder: StateDir) -> contextlib.AbstractAsyncContextManager[ControllerClient]:
    controller = folder.load_instance().addresses.controller
    return ControllerClient(controller, load_secrets(folder).controller_token)
