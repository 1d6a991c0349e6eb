"""`flags serve`."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    database: Annotated[
        str,
        typer.Option(
            envvar="FLAGS_DATABASE",
            help="SQLite file, made when missing; or postgresql://USER@HOST/DATABASE for several "
            "replicas. Give a URL with a password by FLAGS_DATABASE, not as an argument.",
        ),
    ],
    credentials: Annotated[
        Path, typer.Option(help="JSON file with the SDK keys and administrators' API tokens.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port; 0 takes a free one.")] = 8765,
) -> None:
    """Serve LaunchDarkly's SDK streams, OFREP, the REST API and the dashboard.

    Example: migrator flags serve --database flags.db --credentials credentials.json
    """
    from flags.server import ServerSettings
    from flags.server import serve as run

    raise typer.Exit(
        run(ServerSettings(host=host, port=port, database=database, credentials=credentials))
    )
