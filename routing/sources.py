"""Where the values of a context are found in a request.

Pure. A value that is in no field of its own, such as a query parameter or a claim of a token, is
put beside the fields first, under a name with colons, which no client can send (RFC 9110, 5.1).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from routing.conditions import parameters
from routing.config import (
    ClaimSource,
    ClientSource,
    ContextRules,
    CookieSource,
    HeaderSource,
    QuerySource,
    Source,
)
from routing.networks import network_of

if TYPE_CHECKING:
    from routing.tokens import TokenVerifier

MAX_VALUE = 1024
"""Bytes of one key or attribute; a longer one counts as absent."""
MAX_TOKEN = 8 * 1024
"""The same of a token."""

_bearer = re.compile(rb"(?i)bearer[ ]++").match


@dataclass(frozen=True, slots=True)
class Reader:
    """Where one value is found among the looked-at fields."""

    field: bytes
    cookie: re.Pattern[bytes] | None
    most: int = MAX_VALUE

    def __call__(self, fields: Mapping[bytes, bytes]) -> bytes | None:
        value = fields.get(self.field)
        if value is None:
            return None
        if self.cookie is not None:
            match = self.cookie.search(value)
            if match is None:
                return None
            value = match[1]
        return value if 0 < len(value) <= self.most else None


def reader_of(source: Source, most: int = MAX_VALUE) -> Reader:
    """What reads a value of that source, of at most so many bytes."""
    if isinstance(source, CookieSource):
        name = re.escape(source.cookie.encode())
        cookie = re.compile(rb'(?:^|;)[ \t]*%b="?([^;" \t]*)' % name)
        return Reader(b"cookie", cookie, most)
    return Reader(_field(source), None, most)


def _field(source: HeaderSource | QuerySource | ClaimSource | ClientSource) -> bytes:
    if isinstance(source, HeaderSource):
        return source.header.lower().encode()
    if isinstance(source, QuerySource):
        return b":query:" + source.query.encode()
    if isinstance(source, ClaimSource):
        return b":claim:" + source.claim.encode()
    return b":client:%d:%d" % (source.client.v4, source.client.v6)


def claims_of(rules: ContextRules) -> list[str]:
    """Names of the claims that a context is made of."""
    sources = (*rules.key, *rules.attributes.values())
    return [source.claim for source in sources if isinstance(source, ClaimSource)]


class Preparation:
    """Puts what is no field beside the fields."""

    def __init__(self, rules: ContextRules, tokens: "TokenVerifier | None") -> None:
        sources = (*rules.key, *rules.attributes.values())
        self._queries = [
            (source.query.encode(), _field(source))
            for source in sources
            if isinstance(source, QuerySource)
        ]
        self._networks = [
            (source.client, _field(source))
            for source in sources
            if isinstance(source, ClientSource)
        ]
        self._claims = [(name, _field(ClaimSource(claim=name))) for name in claims_of(rules)]
        self._tokens = tokens
        self._token = reader_of(rules.jwt.token, MAX_TOKEN) if rules.jwt is not None else None
        self.needed = bool(self._queries or self._networks or self._claims)

    def at_edge(self, fields: dict[bytes, bytes], query: bytes, client: bytes) -> None:
        """`client`: its address."""
        if self._queries:
            values = parameters(query)
            for name, field in self._queries:
                value = values.get(name)
                # Identities have NUL between their parts.
                if value is not None and b"\x00" not in value:
                    fields[field] = value
        for bits, field in self._networks:
            network = network_of(client, bits.v4, bits.v6)
            if network is not None:
                fields[field] = network
        self._read_claims(fields)

    def at_gateway(self, fields: dict[bytes, bytes]) -> None:
        """Address, query and cookies of a call between services are not the user's."""
        if self._token is not None and self._token.cookie is None:
            self._read_claims(fields)

    def _read_claims(self, fields: dict[bytes, bytes]) -> None:
        if not self._claims or self._token is None or self._tokens is None:
            return
        token = self._token(fields)
        if token is None:
            return
        scheme = _bearer(token)
        if scheme is not None:
            token = token[scheme.end() :]
        elif self._token.field == b"authorization":
            return  # Another scheme (RFC 9110, 11.1), so no token.
        claims = self._tokens.claims(token)
        if claims is not None:
            for name, field in self._claims:
                if name in claims:
                    fields[field] = claims[name]
