"""Where a value of the context comes from."""

from typing import Annotated

from pydantic import Field

from routing.config.base import Model, Token


class CookieSource(Model):
    cookie: Token


class HeaderSource(Model):
    header: Token


class QuerySource(Model):
    """The first query parameter of that name. Only at the edge."""

    query: Annotated[str, Field(min_length=1, max_length=64)]


class ClaimSource(Model):
    """A claim of the token that `jwt` describes: a text, a number or a truth value."""

    claim: Annotated[str, Field(min_length=1, max_length=256)]


class Prefixes(Model):
    """Bits of an address that name its network."""

    v4: Annotated[int, Field(ge=0, le=32)] = 24
    v6: Annotated[int, Field(ge=0, le=128)] = 56


class ClientSource(Model):
    """The network that the client is in, such as 192.0.2.0/24. Only at the edge."""

    client: Prefixes


Source = CookieSource | HeaderSource | QuerySource | ClaimSource | ClientSource
