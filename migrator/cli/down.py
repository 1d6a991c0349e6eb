"""`migrator down`: stop everything that `migrator up` started, whether it still runs or not."""

import asyncio
import os
import signal
import time

import typer

from migrator.cli.options import JsonOption, StateOption
from migrator.cli.output import console, print_json
from migrator.errors import Unavailable
from migrator.runtimes.local import record
from migrator.runtimes.local.exitwatch import wait_exit
from migrator.runtimes.local.supervisor import stop_recorded
from migrator.state import StateDir, find_state

PATIENCE = 60.0
"""Seconds a supervisor may take to stop everything."""


def register(app: typer.Typer) -> None:
    """Add the command to the root command."""
    app.command()(down)


def down(state: StateOption = None, as_json: JsonOption = False) -> None:
    """Stop everything in order. Traffic stops; flags, rollouts and data are kept.

    Example: migrator down
    """
    folder = find_state(state)
    running = [p for p in record.load(folder).processes if record.is_alive(p)]
    began = time.monotonic()
    supervisor = folder.is_locked()
    if supervisor == 0:
        raise Unavailable(
            f"{folder.root}: `migrator up` is about to start", hint="run `migrator down` again"
        )
    if supervisor is not None:
        os.kill(supervisor, signal.SIGTERM)
        try:
            asyncio.run(asyncio.wait_for(wait_exit(supervisor), PATIENCE))
        except TimeoutError:
            raise Unavailable(
                f"process {supervisor} has not stopped everything within {PATIENCE:.0f} s",
                hint="look at its terminal, or run `migrator down` again",
            ) from None
    asyncio.run(stop_recorded(_left(folder)))
    stopped = [p.name for p in running]
    if as_json:
        print_json({"stopped": stopped, "seconds": round(time.monotonic() - began, 3)})
    elif stopped:
        console().print(f"stopped {', '.join(stopped)}")
    else:
        console().print("nothing runs")


def _left(folder: StateDir) -> list[record.Process]:
    return [p for p in record.load(folder).processes if record.is_alive(p)]
