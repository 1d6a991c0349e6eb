"""What REST requests have in common: who asks, and how bodies and queries are read."""

import re
from typing import Any, Final

from flask import g, request
from pydantic_core import from_json

from flags.errors import Rejected, Unauthorized
from flags.model import Actor, Token
from flags.roles import Role
from flags.store import Store

SEMANTIC_PATCH: Final = "launchdarkly.semanticpatch"
MERGE_PATCH: Final = "application/merge-patch+json"
_WAYS: Final = frozenset({"cli"})
"""What a client may say of itself in `X-Migrator-Via`."""
_NUMBER: Final = re.compile(r"\d{1,15}", re.ASCII)
_ETAG: Final = re.compile(r'(?:W/)?"(\d{1,9})"', re.ASCII)


def authenticate(store: Store) -> None:
    """Raises `Unauthorized` unless a member's token is given."""
    token = store.tokens.find(request.headers.get("Authorization", ""))
    if token is None:
        raise Unauthorized("invalid access token")
    g.token = token


def caller() -> Token:
    token: Token = g.token
    return token


def actor() -> Actor:
    said = request.headers.get("X-Migrator-Via", "")
    return Actor(member=caller().member, via=said if said in _WAYS else "api")


def require(role: Role) -> None:
    """Raises `Forbidden`."""
    caller().role.require(role, f"{request.method} {request.path[:200]}")


def body() -> Any:
    """Strict JSON: no NaN, no lone surrogates, bounded depth. Raises `Rejected`."""
    try:
        return from_json(request.get_data(), allow_inf_nan=False)
    except ValueError as error:
        raise Rejected(f"body: expected JSON: {error}") from None


def number(name: str, default: int | None = None) -> int | None:
    """A query parameter. Raises `Rejected`."""
    text = request.args.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text):
        raise Rejected(f"{name}: expected a number, found {text[:50]!r}")
    return int(text)


def window(default: int) -> tuple[int, int]:
    """`limit` (at most 1,000) and `offset`."""
    limit, offset = number("limit", default), number("offset", 0)
    return min(limit or default, 1000), min(offset or 0, 2**31)


def expected_version() -> int | None:
    """From `If-Match` with the ETag of a read. Raises `Rejected`."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    match = _ETAG.fullmatch(given.strip())
    if match is None:
        raise Rejected(f'If-Match: expected the ETag of a read, such as "7", found {given[:50]!r}')
    return int(match[1])


def filters() -> dict[str, list[str]]:
    """LaunchDarkly's `filter` parameter: `tags:a+b,query:text`. Raises `Rejected`."""
    found: dict[str, list[str]] = {}
    for part in filter(None, request.args.get("filter", "").split(",")):
        name, colon, values = part.partition(":")
        if not colon:
            raise Rejected(f"filter: expected name:value, found {part[:50]!r}")
        found[name.strip()] = [v for v in values.replace(" ", "+").split("+") if v]
    return found


def patch_and_comment(document: Any) -> tuple[Any, str]:
    """A bare patch, or one with a comment beside it. Raises `Rejected`."""
    if isinstance(document, dict) and "patch" in document:
        comment = document.get("comment") or ""
        if not isinstance(comment, str) or len(comment) > 2000:
            raise Rejected("comment: expected a text of at most 2000 characters")
        return document["patch"], comment
    return document, ""
