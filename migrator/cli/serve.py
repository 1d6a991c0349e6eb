"""The commands that run one part alone: `flags …`, `controller run`; `proxy …` is in `proxy`.

`migrator up` starts the same commands; on a cluster each is a workload of its own.
"""

from pathlib import Path
from typing import Annotated

import typer

from flags.cli import app as flags_app


def register(app: typer.Typer) -> None:
    """Add the groups to the root command; that of the flag server is its own."""
    app.add_typer(flags_app, name="flags")
    group = typer.Typer(help="The rollout controller.", no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_group)
    group.command("run")(controller_run)
    app.add_typer(group, name="controller")


def _group() -> None:
    """Keeps a group of one command a group."""


def controller_run(
    state: Annotated[Path, typer.Option(help="State folder of the migration.")],
) -> None:
    """Drive the plan's rollouts: set flags, hold, judge, go on or roll back."""
    from migrator.controller.run import run

    raise typer.Exit(run(state))
