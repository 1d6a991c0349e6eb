"""Who changed what."""

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["flag", "segment", "environment", "project", "token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who changes something, and how they came in: `api`, `cli`, `dashboard` or `schedule`."""

    member: str
    via: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the audit log; `date` in epoch milliseconds.

    `before` and `after` are JSON documents of the model, None where there was nothing.
    `environment` is None for what all environments share.
    """

    id: int
    date: int
    project: str
    environment: str | None
    kind: Kind
    key: str
    version: int
    member: str
    via: str
    title: str
    comment: str
    instructions: list[dict[str, Any]]
    before: str | None
    after: str | None
