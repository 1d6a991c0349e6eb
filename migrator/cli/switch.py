"""`kill` and `restore`: the switch of a capability or a service, which is its flag. They need only
the flag server.
"""

import asyncio
import difflib
import os
import time
from collections.abc import Iterable
from typing import Annotated, Final

import typer

from migrator import flagaccess
from migrator.cli.options import JsonOption, ReasonOption, StateOption
from migrator.cli.output import console, print_json
from migrator.controller.flags import claim
from migrator.errors import InvalidInput
from migrator.flagclient import FlagClient, RetryPolicy
from migrator.flagclient import Target as FlagTarget
from migrator.plan.dependencies import all_needed, needed, service_flag
from migrator.plan.load import load
from migrator.plan.model import Migration
from migrator.secrets import load_secrets, member
from migrator.state import find_state

PATIENCE: Final = RetryPolicy(total=75.0)
"""A person rather waits for a limit of LaunchDarkly's, a minute at most, than tries again."""
Target = Annotated[
    str,
    typer.Argument(help="A capability or a service; service/NAME where both have that name."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the root command."""
    app.command()(kill)
    app.command()(restore)


def kill(
    target: Target,
    reason: ReasonOption = "",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch a capability or a service off everywhere, at once, by its flag.

    Every proxy and every service obeys within 200 ms; the monolith answers again. Needs only the
    flag server. Examples: migrator kill publishing, migrator kill service/media -m "leaks memory"
    """
    _turn(target, False, reason, state, as_json)


def restore(
    target: Target,
    reason: ReasonOption = "",
    state: StateOption = None,
    as_json: JsonOption = False,
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
