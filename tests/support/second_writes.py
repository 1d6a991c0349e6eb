"""Entries of the journal of second writes, for tests."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from routing.journal import Journal, State, Write
from routing.stages import Side

WRITE = Write(
    at=1_000_000_000.0,
    state=State.PENDING,
    capability="publishing",
    service="articles",
    side=Side.NEW,
    stage="dualwrite",
    method="POST",
    target="/articles?draft",
    path="/articles",
    idempotency_key='"k"',
    context=b"e30",
    head=b"POST /articles?draft HTTP/1.1\r\nHost: a\r\nCookie: session=secret\r\n\r\n",
    body=b"secret",
)


def append(**changes: Any) -> Callable[[Journal], None]:
    """Puts WRITE with `changes` into a journal."""
    return lambda journal: journal.append(replace(WRITE, **changes))


def fill(journal: Journal, *states: State) -> None:
    """One entry for each state, numbered from 1."""
    with journal.transaction():
        for state in states:
            append(state=state)(journal)
