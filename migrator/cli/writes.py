"""`migrator writes …`: second writes that have not reached the other side yet.

Goes to the proxy's journal itself, so that it works while the proxy runs and while it does not.
What the writes say is never shown: it belongs to users.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from migrator.cli.options import JsonOption, StateOption
from migrator.cli.output import console, print_json
from migrator.cli.progress import WIDE
from migrator.errors import InvalidInput, Unavailable
from migrator.secrets import member
from migrator.state import find_state
from routing import journal
from routing.journal import Journal, State

MOST: Final = 10_000
"""Entries that one command looks at."""

writes_app = typer.Typer(
    help="Second writes that wait in the proxy's journal.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Ids = Annotated[
    list[int] | None, typer.Argument(help="Numbers of entries; see `list`.", show_default=False)
]
StateIn = Annotated[State | None, typer.Option("--in", help="Those in this state.")]
Capability = Annotated[str | None, typer.Option(help="Those of this capability.")]
ProxyState = Annotated[
    Path | None, typer.Option(help="State folder of a proxy that runs alone.", file_okay=False)
]


def register(app: typer.Typer) -> None:
    """Add the group to the root command."""
    app.add_typer(writes_app, name="writes")


@writes_app.command("list")
def show(
    within: StateIn = None,
    capability: Capability = None,
    proxy_state: ProxyState = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what waits, oldest first, and what for.

    `pending` is sent by itself, again and again. The others wait for you: `refused` by the other
    side; `incomplete`, the first side answered before the body was over; `unknown`, nobody learned
    what the first side made of it.

    \b
    Examples:
      migrator writes list --in refused
      migrator writes list --capability publishing --json
    """
    with _journal(proxy_state, state) as opened:
        found = opened.entries(limit=MOST, state=within, capability=capability)
    if as_json:
        print_json(found)
        return
    out = console()
    if not found:
        out.print("no second writes wait")
        return
    if not out.is_terminal:
        # A pipe has no width to keep to.
        out.width = WIDE
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "state", "age", "capability", "to", "request", "bytes", "tries", "last"):
        table.add_column(heading, overflow="fold")
    now = time.time()
    for each in found:
        table.add_row(*_row(each, now))
    out.print(table)
    if len(found) == MOST:
        out.print(f"the oldest {MOST:,} only; --in and --capability choose among all")


@writes_app.command()
def replay(
    ids: Ids = None,
    within: StateIn = None,
    capability: Capability = None,
    proxy_state: ProxyState = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have refused or unknown ones sent to the other side again, by the proxy, when it runs.

    They keep their idempotency keys.

    \b
    Examples:
      migrator writes replay 17 18
      migrator writes replay --in refused --capability publishing
    """
    with _journal(proxy_state, state) as opened:
        chosen = _choose(opened, ids, within, capability)
        lost = [each["id"] for each in chosen if each["state"] == State.INCOMPLETE]
        if lost:
            raise InvalidInput(
                f"{_list(lost)}: the body was not kept, so it cannot be sent",
                hint="repeat the write by hand at the other side, then `migrator writes discard`",
            )
        with opened.transaction():
            opened.replay(each["id"] for each in chosen)
    _tell(chosen, "to be sent again", as_json)


@writes_app.command()
def discard(
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the journal.")],
    ids: Ids = None,
    within: StateIn = None,
    capability: Capability = None,
    proxy_state: ProxyState = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give writes up: the other side will never have them.

    Who, why, method, path and idempotency key are kept, the rest is deleted.

    \b
    Examples:
      migrator writes discard 17 -m "repeated by hand"
      migrator writes discard --in incomplete -m "exported from the monolith"
    """
    if not reason.strip():
        raise InvalidInput("--reason is empty", hint="say why; it cannot be undone")
    with _journal(proxy_state, state) as opened:
        chosen = _choose(opened, ids, within, capability)
        with opened.transaction():
            opened.discard((each["id"] for each in chosen), time.time(), reason, member())
    _tell(chosen, "discarded", as_json)


@contextlib.contextmanager
def _journal(proxy_state: Path | None, option: Path | None) -> Iterator[Journal]:
    """Raises Unavailable if there is none."""
    folder = find_state(option).proxy if proxy_state is None else proxy_state
    if not journal.exists(folder):
        raise Unavailable(
            f"{folder}: no proxy has kept a journal of second writes here",
            hint="name the folder of `migrator up` with --state, or of `proxy serve` with"
            " --proxy-state",
        )
    try:
        with contextlib.closing(Journal(folder)) as opened:
            yield opened
    except sqlite3.Error as error:
        raise Unavailable(f"{folder}: the journal cannot be used now: {error}") from error


def _choose(
    opened: Journal, ids: list[int] | None, within: State | None, capability: str | None
) -> list[Mapping[str, Any]]:
    """The entries that are meant. Raises InvalidInput for a number that is not there."""
    if not ids and within is None and capability is None:
        raise InvalidInput(
            "no entries are named", hint="give their numbers, or choose by --in or --capability"
        )
    if not ids:
        return opened.entries(limit=MOST, state=within, capability=capability)
    known = {
        id: each
        for id in ids
        for each in opened.entries(limit=1, after=id - 1, state=within, capability=capability)
        if each["id"] == id
    }
    missing = [id for id in ids if id not in known]
    if missing:
        raise InvalidInput(f"no such entries: {_list(missing)}", hint="see `migrator writes list`")
    return [known[id] for id in ids]


def _tell(chosen: list[Mapping[str, Any]], what: str, as_json: bool) -> None:
    ids = [each["id"] for each in chosen]
    if as_json:
        print_json({"ids": ids})
    else:
        console().print(f"{len(ids)} {what}{': ' if ids else ''}{_list(ids)}")


def _list(ids: list[int]) -> str:
    return " ".join(map(str, ids))


def _row(each: Mapping[str, Any], now: float) -> tuple[str, ...]:
    last = each["status"] or each["problem"] or ""
    side = "monolith" if each["side"] == "old" else each["service"]
    return (
        *(str(each["id"]), each["state"], f"{max(now - each['at'], 0):.0f} s", each["capability"]),
        *(side, f"{each['method']} {each['target']}", str(each["size"])),
        *(str(each["attempts"]), str(last)),
    )
