"""`migrator discover`: what a monolith's logs say about how to take it apart. Only reads."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group as Lines
from rich.table import Table
from rich.text import Text

from migrator.cli import sources as reading
from migrator.cli.options import JsonOption
from migrator.cli.output import console, print_json
from migrator.cli.progress import WIDE
from migrator.cli.sources import Source
from migrator.discover import openapi
from migrator.discover.groups import name as as_name
from migrator.discover.plan import starter
from migrator.discover.report import document
from migrator.discover.survey import Findings, Group, Templates
from migrator.errors import InvalidInput
from migrator.plan.load import parse
from migrator.plan.units import parse_duration
from migrator.state import write_atomically

Files = Annotated[list[Path] | None, typer.Argument(help="Access logs, also .gz.", metavar="FILE")]


def register(app: typer.Typer) -> None:
    """Add the command to the root command."""
    app.command()(discover)


def discover(
    files: Files = None,
    spec: Annotated[
        Path | None, typer.Option("--openapi", help="OpenAPI document; its templates win.")
    ] = None,
    traces: Annotated[
        list[Path] | None,
        typer.Option(help="Traces as OTLP in JSON lines, also .gz; may be given again."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write a plan.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing plan.")] = False,
    since: Annotated[
        str | None, typer.Option(help="Only later requests: 7d, 12h, or 2025-10-31[T08:00Z].")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Propose capabilities, and the order to move them, from logs and traces of the monolith.

    Logs are in the common or combined format, or lines of JSON. Nothing is sent anywhere, and
    queries, users and segments that vary are not in the output.

    \b
    Examples:
      migrator discover /var/log/nginx/access.log*
      migrator discover access.log --openapi openapi.yaml --traces traces.jsonl -o migration.yaml
      migrator discover access.log.gz --since 7d --json
    """
    if not files and spec is None and not traces:
        raise InvalidInput("nothing to read", hint="give access logs, --openapi or --traces")
    if output is not None and output.exists() and not force:
        raise InvalidInput(f"{output} exists already", hint="choose another file, or add --force")
    earliest = None if since is None else _since(since, time.time())
    sources = [
        *(reading.log(path) for path in files or ()),
        *(reading.traces(path, counts=not files) for path in traces or ()),
    ]
    declared = {} if spec is None else openapi.read(reading.text(spec), str(spec))
    findings = _survey(sources, declared, earliest)
    if sources and not any(source.requests for source in sources):
        raise InvalidInput(_nothing(sources, since))
    if output is not None:
        if not output.absolute().parent.is_dir():
            raise InvalidInput(f"{output.parent} is not a folder", hint="make it first")
        text = starter(findings, as_name(output.absolute().stem))
        parse(text, str(output))
        write_atomically(output.absolute(), text)
        output.chmod(0o644)
    if as_json:
        print_json({**document(findings), "sources": [_source(source) for source in sources]})
    else:
        _show(findings, sources)
        if output is not None:
            console().print(f"wrote {output}; next: edit it, then migrator plan validate {output}")


def _survey(
    sources: Sequence[Source], declared: dict[str, str | None], earliest: float | None
) -> Findings:
    templates = Templates(declared)
    with reading.progress(sources) as advance:
        for source in sources:
            for request in reading.requests(source, earliest, advance):
                source.requests += 1
                templates.add(request)
        survey = templates.survey()
        for source in sources:
            for request in reading.requests(replace(source), earliest, advance):
                survey.add(request, counts=source.counts)
    return survey.findings()


def _since(text: str, now: float) -> float:
    """Seconds since 1970."""
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"--since: found {text!r}, expected a time such as 2025-10-31 or a duration such as 7d"
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _nothing(sources: Sequence[Source], since: str | None) -> str:
    lines, malformed = sum(s.lines for s in sources), sum(s.malformed for s in sources)
    first = next((source.first for source in sources if source.first), None)
    after = f" since {since}" if since else ""
    text = f"no request was found{after} in {lines:,} lines, of which {malformed:,} are malformed"
    return f"{text}; first {first}" if first else text


def _source(source: Source) -> dict[str, Any]:
    return {
        "file": str(source.path),
        "lines": source.lines,
        "requests": source.requests,
        "malformed": source.malformed,
        "first_malformed": source.first,
    }


def _show(findings: Findings, sources: Sequence[Source]) -> None:
    out = console()
    if not out.is_terminal:
        # A pipe has no width to keep to.
        out.width = WIDE
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("#", "capability", "requests", "share", "errors", "writes", "coupling", "risk",
                  "crosses to"):  # fmt: skip
        left = title in {"capability", "crosses to"}
        table.add_column(title, justify="left" if left else "right", overflow="fold")
    for number, group in enumerate(findings.groups, 1):
        table.add_row(*_row(number, group))
    out.print(table)
    for number, group in enumerate(findings.groups, 1):
        out.print(_details(number, group))
    out.print(
        f"\n{findings.requests:,} requests in {len(findings.groups)} groups; set aside: "
        f"{findings.aside:,} of static files and probes, {findings.unmatched:,} without a route"
    )
    for source in sources:
        if source.first:
            out.print(f"{source.malformed:,} of {source.lines:,} lines malformed; "
                      f"first {source.first}")  # fmt: skip


def _row(number: int, group: Group) -> tuple[str, ...]:
    facts = group.facts
    return (
        str(number),
        group.name,
        f"{facts.requests:,}",
        f"{facts.traffic:.1%}",
        f"{facts.errors:.2%}",
        f"{facts.writes:.0%}",
        f"{facts.coupling:.0%}",
        f"{group.risk.score:.0f}",
        f"{group.partners[0].group} {group.partners[0].lift:.1f}x" if group.partners else "",
    )


def _details(number: int, group: Group) -> Lines:
    """The routes, and the parts that the risk is made of."""
    routes = Table.grid(padding=(0, 2))
    for route in group.routes:
        methods = " ".join(sorted(route.methods)) or "not seen"
        routes.add_row("  ", route.path, methods, f"{route.requests:,}")
    parts = Table.grid(padding=(0, 2))
    for part in group.risk.parts:
        value = f"{part.value:.2f} x {part.weight} = {part.points:.1f}"
        parts.add_row("  ", part.name, value, part.why)
    tables = ", ".join(f"{table.name} ({', '.join(table.groups)})" for table in group.shared_tables)
    return Lines(
        Text(f"\n{number}. {group.name}", style="bold"),
        routes,
        *([Text(f"  writes tables that others write, too: {tables}")] if tables else []),
        Text(f"  risk {group.risk.score:.0f} of 100"),
        parts,
    )
