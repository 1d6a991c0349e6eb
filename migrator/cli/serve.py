"""The commands that run one part alone: `flags serve`, `proxy serve`, `controller run`.

`migrator up` starts the same commands; on a cluster each is a workload of its own.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from migrator.errors import InvalidInput

Host = Annotated[str, typer.Option(help="Address to listen on.")]


def register(app: typer.Typer) -> None:
    """Add the three groups to the root command."""
    for name, help_text, command, function in (
        ("flags", "The flag server.", "serve", flags_serve),
        ("proxy", "The flag-aware proxy.", "serve", proxy_serve),
        ("controller", "The rollout controller.", "run", controller_run),
    ):
        group = typer.Typer(help=help_text, no_args_is_help=True, rich_markup_mode=None)
        group.callback()(_group)
        group.command(command)(function)
        app.add_typer(group, name=name)


def _group() -> None:
    """Keeps a group of one command a group."""


def flags_serve(
    database: Annotated[Path, typer.Option(help="SQLite file; made when missing.")],
    credentials: Annotated[Path, typer.Option(help="JSON file with the SDK key and API tokens.")],
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one.")] = 8765,
) -> None:
    """Serve LaunchDarkly's SDK streams, its REST API and the dashboard."""
    from flags.server import ServerSettings, serve

    raise typer.Exit(
        serve(ServerSettings(host=host, port=port, database=database, credentials=credentials))
    )
