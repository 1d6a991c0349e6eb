"""`migrator parity …`: do both sides give the same answers?

Asks the proxy's admin address; `replay --run` asks both origins, and nobody else does anything.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import httpx
import typer
from pydantic import TypeAdapter, ValidationError
from rich.table import Table

from migrator.cli.options import JsonOption, StateOption
from migrator.cli.output import console, print_json
from migrator.cli.progress import WIDE
from migrator.errors import InvalidInput, Unavailable
from migrator.parity.document import Capability, Group, Report, Sample, parse_report
from migrator.parity.junit import junit
from migrator.parity.page import page
from migrator.state import find_state, write_atomically
from routing.config import Capability as Routed
from routing.config import Parity, Upstream
from routing.parity.compare import Answer, NotCompared, compare
from routing.parity.difference import Difference, shown
from routing.parity.rules import Rules
from routing.table import RouteTable

TIMEOUT: Final = 10.0
"""Seconds."""
_REPEATABLE: Final = ("GET", "HEAD")
_CAPABILITIES: Final = TypeAdapter(dict[str, Routed])
_UPSTREAMS: Final = TypeAdapter(dict[str, Upstream])

parity_app = typer.Typer(
    help="Whether monolith and services give the same answers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

AdminOption = Annotated[
    str | None,
    typer.Option(help="Admin address of a proxy that runs alone, such as http://127.0.0.1:9901."),
]


def register(app: typer.Typer) -> None:
    """Add the group to the root command."""
    app.add_typer(parity_app, name="parity")


@parity_app.command("list")
def show(
    capability: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    admin: AdminOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how often both sides agree, and where they differ: in reads, and after writes.

    `real`: more often than the monolith differs from itself; `noise`: not; `open`: not known yet.

    Example: migrator parity list --capability publishing
    """
    report = _report(admin, state)
    chosen = [each for each in report.parity if capability in (None, each.capability)]
    if as_json:
        print_json([each.model_dump(mode="json", by_alias=True) for each in chosen])
        return
    out = console()
    if not chosen:
        out.print("no reads were compared")
        return
    if not out.is_terminal:
        out.width = WIDE
    out.print(_figures(chosen))
    if any(each.groups for each in chosen):
        out.print()
        out.print(_differences(chosen))


@parity_app.command("report")
def write(
    junit_file: Annotated[
        Path | None, typer.Option("--junit", help="JUnit XML for a CI server.", dir_okay=False)
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="One HTML page.", dir_okay=False)
    ] = None,
    admin: AdminOption = None,
    state: StateOption = None,
) -> None:
    """Write what `list` shows to files.

    Example: migrator parity report --html parity.html
    """
    if junit_file is None and html_file is None:
        raise InvalidInput("no file is named", hint="give --junit FILE, --html FILE, or both")
    report = _report(admin, state)
    for path, text in ((junit_file, junit(report).decode()), (html_file, page(report))):
        if path is None:
            continue
        try:
            write_atomically(path, text)
        except OSError as error:
            raise InvalidInput(f"{path} cannot be written: {error.strerror}") from error
        console().print(f"{path}")


@parity_app.command()
def replay(
    id: Annotated[str, typer.Argument(help="Of a difference; see `list`.", show_default=False)],
    run: Annotated[bool, typer.Option("--run", help="Send it to both and compare.")] = False,
    admin: AdminOption = None,
    state: StateOption = None,
) -> None:
    """Print the request that repeats a difference, for both origins.

    It has neither cookies nor credentials: they are not kept.

    Example: migrator parity replay 3f2a9c1e --run
    """
    where = _admin(admin, state)
    capability, group = parse_report(_get(where, "/parity")).find(id)
    if not group.samples:
        raise InvalidInput(f"{id} has no samples", hint="choose another difference")
    sample = group.samples[0]
    old, new, rules = _urls(_json(_get(where, "/routes")), capability, sample)
    method = ("-I",) if sample.method == "HEAD" else ("-i", "-X", sample.method)
    out = console()
    for url in (old, new):
        out.print(shlex.join(("curl", *method, "-H", "X-Migrator-Mirror: read", url)))
    if "REDACTED" in sample.target:
        out.print("parameters that say REDACTED are secret: fill them in")
    if not run:
        return
    if sample.method not in _REPEATABLE:
        raise InvalidInput(f"{sample.method} has a body that is not kept", hint="repeat it by hand")
    for line in _compared(_ask(old, sample.method), _ask(new, sample.method), rules):
        out.print(line)


def _compared(old: Answer, new: Answer, rules: Rules) -> Iterator[str]:
    limits = Parity()
    work = compare(old, new, rules, limits.headers, limits.body)
    found: list[Difference] | NotCompared
    while True:
        try:
            next(work)
        except StopIteration as end:
            found = end.value
            break
    if isinstance(found, NotCompared):
        yield f"not compared: {found.replace('_', ' ')}"
    elif not found:
        yield "both answers agree now"
    else:
        for each in found:
            seen = rules.shows(each.path)
            old_value, new_value = (shown(each.path, v, seen=seen) for v in (each.old, each.new))
            yield f"{each.path} ({each.kind}): old {old_value}, new {new_value}"


def _ask(url: str, method: str) -> Answer:
    """Raises Unavailable."""
    limit = Parity().body
    data = b""
    try:
        with httpx.stream(
            *(method, url),
            headers={"X-Migrator-Mirror": "read"},
            timeout=TIMEOUT,
            trust_env=False,
        ) as answer:
            for piece in answer.iter_bytes():
                data += piece
                if len(data) > limit:
                    break
    except httpx.HTTPError as error:
        raise Unavailable(f"{url}: {str(error) or type(error).__name__}") from error
    fields = {name.lower(): value for name, value in answer.headers.items()}
    fields.pop("content-encoding", None)  # it is unpacked
    return Answer(answer.status_code, fields, data, complete=True)


class _Request(NamedTuple):
    """See `routing.changes.Request`."""

    method: bytes
    path: bytes
    query: bytes


def _urls(routes: Any, capability: Capability, sample: Sample) -> tuple[str, str, Rules]:
    """Where monolith and service have a sample's request, and its rules.

    Raises InvalidInput, Unavailable.
    """
    try:
        capabilities = _CAPABILITIES.validate_python(routes["capabilities"])
        services = _UPSTREAMS.validate_python(routes["services"])
        monolith = Upstream.model_validate(routes["monolith"])
    except (KeyError, TypeError, ValidationError) as error:
        raise Unavailable("the proxy's /routes is of another version") from error
    path, _, query = sample.target.encode().partition(b"?")
    request = _Request(sample.method.encode(), path, query)
    route = RouteTable(
        {
            name: each.model_copy(
                update={"routes": tuple(rule for rule in each.routes if not rule.conditional)}
            )
            for name, each in capabilities.items()
        }
    ).match(request.method, path)
    if route is None or route.capability != capability.capability:
        raise InvalidInput(
            f"{sample.method} {sample.target}: its service is not known",
            hint="the routes have changed, or depend on the host or fields, which are not kept",
        )
    target = sample.target
    if route.changes is not None:
        target = route.changes.target(request).decode()
    rules = Rules(route.parity)
    service = services[route.service]
    return f"{monolith.endpoints[0]}{sample.target}", f"{service.endpoints[0]}{target}", rules


def _report(admin: str | None, state: Path | None) -> Report:
    return parse_report(_get(_admin(admin, state), "/parity"))


def _admin(admin: str | None, state: Path | None) -> str:
    return admin or find_state(state).load_instance().addresses.proxy_admin


def _get(admin: str, path: str) -> bytes:
    """Raises Unavailable."""
    try:
        answer = httpx.get(f"{admin.rstrip('/')}{path}", timeout=TIMEOUT, trust_env=False)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable(
            f"{admin}: {str(error) or type(error).__name__}",
            hint="`migrator up PLAN` starts the proxy; --admin names the address of another one",
        ) from error
    return answer.content


def _json(document: bytes) -> Any:
    return TypeAdapter(dict[str, Any]).validate_json(document)


def _figures(chosen: list[Capability]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in (
        *("capability", "access", "agree", "compared", "equal", "different", "noise", "open"),
        *("asked twice", "not compared"),
    ):
        table.add_column(heading, overflow="fold")
    for each in chosen:
        counts = (each.compared, each.equal, each.different, each.noise, each.open, each.repeated)
        table.add_row(
            each.capability,
            each.access,
            "" if each.agree is None else f"{each.agree:.2%}",
            *map(str, counts),
            ", ".join(f"{why.replace('_', ' ')} {n}" for why, n in each.not_compared.items()),
        )
    return table


def _differences(chosen: list[Capability]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in (
        *("id", "capability", "access", "path", "kind", "is", "reads", "old/old", "old", "new"),
    ):
        table.add_column(heading, overflow="fold")
    for each in chosen:
        for group in each.groups:
            table.add_row(*_row(each, group))
    return table


def _row(each: Capability, group: Group) -> tuple[str, ...]:
    first = group.samples[0] if group.samples else None
    return (
        *(group.id, each.capability, each.access, group.path, group.kind, group.verdict),
        *(f"{group.count}/{each.compared}", f"{group.noise}/{each.repeated}"),
        *(("", "") if first is None else (first.old, first.new)),
    )
