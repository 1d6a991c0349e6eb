"""`migrator up`: run a whole migration on this machine until stopped."""

import asyncio
import contextlib
import json
import os
import secrets as random
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

from migrator.cli.options import JsonOption, StateOption
from migrator.cli.output import console, print_json
from migrator.cli.progress import follow
from migrator.compose import Composition, compose, wanted_ports
from migrator.controller.preflight import preflight
from migrator.errors import Unavailable
from migrator.flagaccess import ACCESS_TOKEN, SDK_KEY, from_environment, target
from migrator.plan.load import load
from migrator.plan.model import Migration
from migrator.runtimes.local import record
from migrator.runtimes.local.ports import choose
from migrator.runtimes.local.program import ProcessEvent
from migrator.runtimes.local.supervisor import Supervisor, check_commands
from migrator.secrets import CONTROLLER, Secrets, ensure_secrets, member
from migrator.state import Instance, StateDir, find_state, read_json, write_atomically


def register(app: typer.Typer) -> None:
    """Add the command to the root command."""
    app.command()(up)


def up(
    plan: Annotated[Path, typer.Argument(help="The plan, a YAML file.", show_default=False)],
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run flag server, monolith, services, proxy and controller until Ctrl-C or `migrator down`.

    With `server: launchdarkly` in the plan no flag server is started; the SDK key is taken from
    $LAUNCHDARKLY_SDK_KEY and the access token from $LAUNCHDARKLY_ACCESS_TOKEN.

    Example: migrator up migration.yaml
    """
    migration = load(plan)
    folder = find_state(state, migration.metadata.name)
    folder.create()
    with folder.locked():
        composition = _prepare(migration, plan, folder)
        raise typer.Exit(uvloop.run(_run(composition, folder, as_json)))


def _prepare(migration: Migration, plan: Path, state: StateDir) -> Composition:
    """Choose ports and write what the programs read. Raises before anything is started."""
    former = read_json(state.instance, Instance) if state.instance.exists() else None
    running = [p for p in record.load(state).processes if record.is_alive(p)]
    held = {p.port for p in running}
    if former and any(p.name == "proxy" for p in running):
        held |= {former.ports[name] for name in ("proxy", "gateway")}
    if migration.spec.flags.server == "launchdarkly":
        # Both are named at once if both are missing.
        from_environment(os.environ, SDK_KEY, ACCESS_TOKEN)
    ports = choose(wanted_ports(migration), former.ports if former else {}, held)
    secrets = ensure_secrets(state, migration.spec.secrets, random.token_hex)
    composition = compose(
        migration,
        folder=plan.absolute().parent,
        ports=ports,
        secrets=secrets,
        state=state,
        environment=os.environ,
        python=sys.executable,
    )
    check_commands(composition.specs)
    if migration.spec.flags.server == "launchdarkly":
        _preflight(migration, composition, secrets, started_before=former is not None)
    write_atomically(state.plan, plan.read_text())
    write_atomically(state.endpoints_token, secrets.endpoints_token)
    write_atomically(state.routes, json.dumps(composition.routes, indent=1))
    _write_access(composition, secrets, state)
    instance = Instance(
        plan=plan.absolute(),
        supervisor=os.getpid(),
        ports=ports,
        addresses=composition.addresses,
    )
    write_atomically(state.instance, instance.model_dump_json(indent=1))
    return composition


def _preflight(
    plan: Migration, composition: Composition, secrets: Secrets, *, started_before: bool
) -> None:
    flags = plan.spec.flags
    (sdk_key,) = from_environment(os.environ, SDK_KEY)
    server = target(flags, composition.addresses.flags, CONTROLLER, secrets, os.environ)
    try:
        asyncio.run(preflight(plan, server, sdk_key))
    except Unavailable as error:
        # What ran before runs on the flags that it knows; an outage must not keep it down.
        if not started_before:
            raise
        sys.stderr.write(f"warning: {error}\n")


def _write_access(composition: Composition, secrets: Secrets, state: StateDir) -> None:
    """What the embedded flag server and its users need; nothing of another one is kept."""
    if composition.credentials is None:
        state.credentials.unlink(missing_ok=True)
        state.dashboard_url.unlink(missing_ok=True)
        return
    write_atomically(state.credentials, json.dumps(composition.credentials, indent=1))
    token = secrets.flags_tokens[member()]
    write_atomically(state.dashboard_url, f"{composition.addresses.flags}/login#token={token}\n")


async def _run(composition: Composition, state: StateDir, as_json: bool) -> int:
    out = console()
    supervisor = Supervisor(state, composition.specs, _reporter(out, as_json))
    stop = asyncio.Event()
    began = time.time()

    def interrupt() -> None:
        if stop.is_set():
            supervisor.kill()
        stop.set()

    def hang_up() -> None:
        """The terminal is gone: what is still said to it must not fail."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(nowhere, descriptor)
        os.close(nowhere)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    try:
        if await _unless(stop, supervisor.start()):
            secrets = read_json(state.secrets, Secrets)
            _announce(composition, state, out, as_json)
            await _unless(
                stop,
                follow(
                    composition.addresses.controller,
                    secrets.controller_token,
                    since=began,
                    console=out,
                    json_mode=as_json,
                ),
            )
    finally:
        try:
            if not as_json:
                out.print("stopping")
        finally:
            await supervisor.stop()
    if as_json:
        print_json({"event": "all_stopped"})
    return 0


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do `work` until it ends (True) or `stop` is set (False). Raises what `work` raises."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return working.done() and not stop.is_set()
    finally:
        for task in (working, stopping):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Unavailable):
            await working


def _reporter(out: Console, as_json: bool) -> Callable[[ProcessEvent], None]:
    def report(event: ProcessEvent) -> None:
        # Whoever reads this may be gone; the programs are to be looked after all the same.
        with contextlib.suppress(OSError):
            say(event)

    def say(event: ProcessEvent) -> None:
        if as_json:
            print_json(
                {
                    "event": event.event,
                    "process": event.process,
                    "detail": event.detail,
                    "seconds": round(event.seconds, 3),
                }
            )
        elif event.event == "ready":
            out.print(f"{event.process} is ready ({event.seconds:.1f} s)")
        elif event.event in {"ended", "adopted", "unready"}:
            out.print(f"{event.process} {event.event}: {event.detail}")

    return report


def _announce(composition: Composition, state: StateDir, out: Console, as_json: bool) -> None:
    """Addresses. The sign-in link is a secret: only a terminal gets it, others its file."""
    addresses = composition.addresses
    if as_json:
        print_json({"event": "all_ready", "addresses": addresses.model_dump(), "state": state.root})
        return
    embedded = composition.credentials is not None
    shown = embedded and out.is_terminal
    link = state.dashboard_url.read_text().strip() if shown else addresses.flags
    out.print(f"users come in at   {addresses.proxy}")
    out.print(f"flag dashboard at  {link}")
    if embedded and not out.is_terminal:
        out.print(f"sign-in link in    {state.dashboard_url}")
    out.print("stop with Ctrl-C or `migrator down`; look with `migrator status --watch`")
