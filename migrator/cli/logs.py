"""`migrator logs`: what the supervised programs wrote."""

import difflib
import time
from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.options import StateOption
from migrator.errors import InvalidInput
from migrator.runtimes.local.logfile import log_path, tail
from migrator.state import StateDir, find_state

LOOK_EVERY = 0.2
"""Seconds between two looks for new lines."""


def register(app: typer.Typer) -> None:
    """Add the command to the root command."""
    app.command()(logs)


def logs(
    name: Annotated[str | None, typer.Argument(help="One program; default: all.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Last lines of each.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    state: StateOption = None,
) -> None:
    """Show the last lines of the programs' output.

    Example: migrator logs articles --follow
    """
    files = _files(find_state(state), name)
    width = max((len(program) for program in files), default=0)

    def show(program: str, line: str) -> None:
        typer.echo(line if name else f"{program:<{width}} | {line}")

    ends = {program: path.stat().st_size for program, path in files.items()}
    for program, path in files.items():
        for line in tail(path, lines):
            show(program, line)
    while follow:
        for program, path in files.items():
            text, ends[program] = _new(path, ends[program])
            for line in text.splitlines():
                show(program, line)
        time.sleep(LOOK_EVERY)


def _files(state: StateDir, name: str | None) -> dict[str, Path]:
    known = {path.stem: path for path in sorted(state.logs.glob("*.log"))}
    if name is None:
        return known
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise InvalidInput(
            f"no log of {name!r} in {state.logs}",
            hint=f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}",
        )
    return {name: log_path(state.logs, name)}


def _new(path: Path, end: int) -> tuple[str, int]:
    """Whole lines after byte `end`, and the next end; from the start if the file was rotated."""
    with path.open("rb") as log:
        size = log.seek(0, 2)
        log.seek(end if size >= end else 0)
        start = log.tell()
        text = log.read()
    whole = text[: text.rfind(b"\n") + 1]
    return whole.decode(errors="replace"), start + len(whole)
