"""`flags export` and `flags import`: a whole environment to a file and back."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flags.cli.rest import DEFAULT_SERVER, TOKEN, RestClient, Server
from flags.errors import FlagsError

Project = Annotated[str, typer.Option(help="Key of the project.")]
Environment = Annotated[str, typer.Option(help="Key of the environment.")]
_LAUNCHDARKLY_TOKEN = "LAUNCHDARKLY_ACCESS_TOKEN"  # noqa: S105 - the name of the variable


def export_environment(
    project: Project = "default",
    environment: Environment = "production",
    format: Annotated[
        str, typer.Option(help="yaml, json, or datafile (LaunchDarkly's own).")
    ] = "yaml",
    output: Annotated[
        Path | None, typer.Option(help="File to write; standard output without it.")
    ] = None,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Write everything that an environment says. The API token is in FLAGS_TOKEN.

    Example: migrator flags export --project cms --output flags.yaml
    """
    path = f"/api/v2/projects/{project}/environments/{environment}/export"
    with RestClient(server, os.environ.get(TOKEN)) as client:
        text = client.ask("GET", path, params={"format": format}).text
    if output is None:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        return
    try:
        output.write_text(text)
    except OSError as error:
        raise FlagsError(f"{output}: cannot be written: {error.strerror}") from None


def import_environment(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="YAML or JSON, ours or LaunchDarkly's data file; - reads standard input."
        ),
    ] = None,
    from_launchdarkly: Annotated[
        str | None,
        typer.Option(
            metavar="PROJECT",
            help="Read this project of LaunchDarkly instead of a file, with the API token in "
            "LAUNCHDARKLY_ACCESS_TOKEN.",
        ),
    ] = None,
    from_environment: Annotated[
        str | None,
        typer.Option(help="LaunchDarkly's environment; without it the one that is written."),
    ] = None,
    launchdarkly_api: Annotated[
        str, typer.Option(metavar="URL", help="LaunchDarkly's REST API.")
    ] = "https://app.launchdarkly.com",
    project: Project = "default",
    environment: Environment = "production",
    comment: Annotated[str, typer.Option(help="Why; kept in the audit log.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Make an environment say what a document says, all of it or nothing.

    What the document does not name stays as it is. The API token is in FLAGS_TOKEN.

    Examples: migrator flags import flags.yaml --project cms;
    migrator flags import --from-launchdarkly shop --from-environment production --project cms
    """
    if (file is None) == (from_launchdarkly is None):
        raise FlagsError(
            "expected a file or --from-launchdarkly, one of them",
            hint="see `migrator flags import --help`",
        )
    if from_launchdarkly is not None:
        source = from_environment or environment
        document = _launchdarkly(launchdarkly_api, from_launchdarkly, source)
    else:
        document = _read(file)
    path = f"/api/v2/projects/{project}/environments/{environment}/import"
    query = {"comment": comment} | ({"dryRun": "true"} if dry_run else {})
    with RestClient(server, os.environ.get(TOKEN)) as client:
        done = client.ask("POST", path, params=query, json=document).json()
    would = "would be " if dry_run else ""
    for what in ("created", "changed", "unchanged"):
        names = done[what]
        typer.echo(f"{len(names)} {would}{what}" + (f": {', '.join(names)}" if names else ""))


def _read(file: Path | None) -> Any:
    """Raises `FlagsError`. JSON is YAML, too."""
    import yaml

    try:
        text = sys.stdin.read() if str(file) == "-" or file is None else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise FlagsError(f"{file}: cannot be read: {error}") from None
    try:
        try:
            return json.loads(text)  # much faster where it is JSON
        except json.JSONDecodeError:
            return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        raise FlagsError(f"{file}:{line}: neither YAML nor JSON: {error}") from None


def _launchdarkly(api: str, project: str, environment: str) -> Any:
    from flags.exchange.launchdarkly import from_launchdarkly
    from flags.store import now_ms

    with RestClient(api, os.environ.get(_LAUNCHDARKLY_TOKEN), variable=_LAUNCHDARKLY_TOKEN) as ld:
        typer.echo(f"reading {project}, {environment} from {api}", err=True)
        flags = list(ld.pages(f"/api/v2/flags/{project}", env=environment, summary="0"))
        segments = list(ld.pages(f"/api/v2/segments/{project}/{environment}"))
    bundle, left_out = from_launchdarkly(flags, segments, project, environment, now_ms=now_ms())
    for line in left_out:
        typer.echo(f"left out: {line}", err=True)
    return bundle.model_dump(mode="json")
