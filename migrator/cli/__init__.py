"""The command line: one typer app, one file for each group of commands."""

import sys
from typing import Annotated, NoReturn

import typer

from flags.errors import FlagsError
from migrator import __version__
from migrator.cli.commands import Commands
from migrator.errors import MigratorError
from routing.errors import RoutingError

app = typer.Typer(
    name="migrator",
    cls=Commands,
    help="Move a monolith to microservices a few percent of users at a time, by feature flags.",
    epilog="Start with: migrator init, then migrator plan validate, then migrator up.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"migrator {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command in `sys.argv`. Errors raised on purpose become two lines and an exit code."""
    try:
        app()
    except (MigratorError, FlagsError, RoutingError) as error:
        sys.stderr.write(f"error: {error}\n")
        hint = getattr(error, "hint", None)
        if hint:
            sys.stderr.write(f"hint: {hint}\n")
        sys.exit(getattr(error, "exit_code", 1))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)
