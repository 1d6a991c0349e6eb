"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        help="State folder. Default: $MIGRATOR_STATE, else .migrator/<name> here.",
        file_okay=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the log.")]
