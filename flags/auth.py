"""Who a request comes from, by its `Authorization` header (LaunchDarkly has no scheme word)."""

from collections.abc import Mapping
from typing import Final

from flags.credentials import Credentials
from flags.errors import Unauthorized
from flags.store import Actor

_WAYS: Final = frozenset({"cli"})
"""What a client may say of itself in `X-Migrator-Via`."""


def require_sdk(credentials: Credentials, headers: Mapping[str, str]) -> None:
    """Raises `Unauthorized` unless the SDK key is given."""
    if not credentials.is_sdk_key(headers.get("authorization", "")):
        raise Unauthorized("invalid SDK key")


def require_member(credentials: Credentials, headers: Mapping[str, str]) -> Actor:
    """The member whose API token is given. Raises `Unauthorized`."""
    member = credentials.member(headers.get("authorization", ""))
    if member is None:
        raise Unauthorized("invalid access token")
    said = headers.get("x-migrator-via", "")
    return Actor(member=member, via=said if said in _WAYS else "api")
