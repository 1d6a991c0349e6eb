"""API tokens, without their secrets."""

from dataclasses import dataclass

from flags.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Who an API token is; `ending` is the last four characters, `created` epoch milliseconds."""

    id: str
    name: str
    member: str
    role: Role
    ending: str
    created: int
    configured: bool
    """It comes from the credentials file, and can only be changed there."""
