"""The commands that run one part alone: `flags …`, `proxy serve`, `controller run`.

`migrator up` starts the same commands; on a cluster each is a workload of its own.
"""

from pathlib import Path
from typing import Annotated

import typer

from flags.cli import app as flags_app


def register(app: typer.Typer) -> None:
    """Add the groups to the root command; that of the flag server is its own."""
    app.add_typer(flags_app, name="flags")
    for name, help_text, command, function in (
        ("proxy", "The flag-aware proxy.", "serve", proxy_serve),
        ("controller", "The rollout controller.", "run", controller_run),
    ):
        group = typer.Typer(help=help_text, no_args_is_help=True, rich_markup_mode=None)
        group.callback()(_group)
        group.command(command)(function)
        app.add_typer(group, name=name)


def _group() -> None:
    """Keeps a group of one command a group."""


def proxy_serve(
    config: Annotated[Path, typer.Option(help="JSON document with listeners, origins and routes.")],
    state: Annotated[Path, typer.Option(help="Folder for the last known flags.")],
    admin_host: Annotated[str, typer.Option(help="Address of /readyz, /routes and /stats.")] = (
        "127.0.0.1"
    ),
    admin_port: Annotated[int, typer.Option(help="Its TCP port; 0 takes a free one.")] = 0,
) -> None:
    """Route requests to the monolith and the services by flags.

    The SDK key and the addresses of the flag server come from LAUNCHDARKLY_SDK_KEY,
    LAUNCHDARKLY_BASE_URI, LAUNCHDARKLY_STREAM_URI and LAUNCHDARKLY_EVENTS_URI.
    """
    from routing.server import ServerSettings, serve

    raise typer.Exit(
        serve(
            ServerSettings(config=config, state=state, admin_host=admin_host, admin_port=admin_port)
        )
    )


def controller_run(
    state: Annotated[Path, typer.Option(help="State folder of the migration.")],
) -> None:
    """Drive the plan's rollouts: set flags, hold, judge, go on or roll back."""
    from migrator.controller.run import run

    raise typer.Exit(run(state))
