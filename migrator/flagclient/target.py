"""Which flag server, and who we are there. Pure data."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One environment of a flag server, our token for it, and how people know both."""

    address: str
    """Of the REST API, without `/api/v2`."""
    token: str = field(repr=False)
    project: str
    environment: str
    author: str | None = None
    """Signs every change in its comment."""
    signatures: bool = False
    """Whether comments in the audit log are signed, because tokens do not tell who it was."""
    name: str = "the flag server"
    token_from: str = "secrets.json in the state folder"  # noqa: S105 - where, not what
    token_hint: str = "credentials.json and secrets.json must be of the same start"  # noqa: S105
    away_hint: str = (
        "is it running? `migrator up` starts it, `migrator logs flag-server` shows its output"
    )
