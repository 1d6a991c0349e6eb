"""`migrator init`: a plan to start from."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.output import console
from migrator.errors import InvalidInput
from migrator.plan.load import parse
from migrator.state import write_atomically


def register(app: typer.Typer) -> None:
    """Add the command to the root command."""
    app.command()(init)


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("migration.yaml"),
    name: Annotated[str, typer.Option(help="Name of the migration.")] = "my-app",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented plan to start from.

    Example: migrator init migration.yaml --name shop
    """
    text = (files("migrator.plan") / "starter.yaml").read_text().replace("my-app", name)
    parse(text, str(file))
    if file.exists() and not force:
        raise InvalidInput(f"{file} exists already", hint="choose another file, or add --force")
    if not file.absolute().parent.is_dir():
        raise InvalidInput(f"{file.parent} is not a folder", hint="make it first")
    write_atomically(file.absolute(), text)
    file.chmod(0o644)
    console().print(f"wrote {file}; next: edit it, then migrator plan validate {file}")
