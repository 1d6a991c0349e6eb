"""The LaunchDarkly evaluation context of a request.

Pure, except that a missing identity is minted at random. At the edge the context comes from the
configured sources (see `sources`), else from the cookie with the id that the proxy minted earlier.
At the gateway, where services call one another, it is the context header that the proxy itself once
sent along, and never a cookie.
"""

import base64
import binascii
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from routing.config import ContextRules, CookieSource, HeaderSource
from routing.sources import Preparation, reader_of

if TYPE_CHECKING:
    from routing.tokens import TokenVerifier

MAX_HEADER = 8 * 1024
"""Bytes of an incoming context header; a longer one counts as absent."""
MAX_DEPTH = 5

COOKIE = "migrator_id"
CONTEXT_HEADER = b"x-migrator-context"
GATEWAY_KEY = "gateway"
"""Key of calls between services that belong to no user: one key, so that they stay on one side."""

_MINTED = re.compile(r"[A-Za-z0-9_-]{22,64}").fullmatch
_NAMED, _ANONYMOUS, _FORWARDED, _NOBODY = b"n", b"a", b"f", b"0"


@dataclass(frozen=True, slots=True)
class RequestContext:
    """`document` is the context's JSON, `header` the same as base64url without padding."""

    document: Mapping[str, Any]
    header: bytes


class ContextReader:
    """Finds out who a request is for, by the rules of the configuration.

    `identify` is cheap and gives a hashable identity; `build` makes the context from it, once.
    """

    def __init__(self, rules: ContextRules, tokens: "TokenVerifier | None" = None) -> None:
        """`tokens` None: claims are absent."""
        self._kind = rules.kind
        self._key = tuple(reader_of(source) for source in rules.key)
        self._headers_only = tuple(reader for reader in self._key if reader.cookie is None)
        self._names = tuple(rules.attributes)
        self._attributes = tuple(reader_of(source) for source in rules.attributes.values())
        self._minted = reader_of(CookieSource(cookie=COOKIE))
        preparation = Preparation(rules, tokens)
        self.preparation = preparation if preparation.needed else None
        """To be done first with the fields of each request."""
        sources = [*rules.key, *rules.attributes.values()]
        if rules.jwt is not None:
            sources.append(rules.jwt.token)
        self.wanted = frozenset(
            source.header for source in sources if isinstance(source, HeaderSource)
        )
        """Names of the fields to look at, besides Cookie and the context header."""

    def at_edge(self, fields: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
        """The identity, and the id that was minted just now (empty: none was)."""
        minted = b""
        mark = _NAMED
        for reader in self._key:
            key = reader(fields)
            if key is not None:
                break
        else:
            mark = _ANONYMOUS
            key = self._minted(fields)
            if key is None or not _MINTED(key.decode("latin-1")):
                key = minted = secrets.token_urlsafe(16).encode()
        return self._identity(mark, key, fields), minted

    def at_gateway(self, fields: Mapping[bytes, bytes]) -> bytes:
        """The identity of a call between services."""
        header = fields.get(CONTEXT_HEADER)
        if header is not None and parse_header(header) is not None:
            return _FORWARDED + header
        for reader in self._headers_only:
            key = reader(fields)
            if key is not None:
                return self._identity(_NAMED, key, fields)
        return self._identity(_NOBODY, GATEWAY_KEY.encode(), fields)

    def build(self, identity: bytes) -> RequestContext:
        """The context of an identity that this reader gave."""
        mark, rest = identity[:1], identity[1:]
        if mark == _FORWARDED:
            document = parse_header(rest)
            if document is not None:
                return RequestContext(document, rest)
            raise ValueError("not an identity of this reader")
        key, *values = rest.split(b"\x00")
        made: dict[str, Any] = {"kind": self._kind, "key": _text(key)}
        if mark != _NAMED:
            made["anonymous"] = True
        for name, value in zip(self._names, values, strict=True):
            if value:
                made[name] = _text(value)
        return RequestContext(made, _encode(made))

    def _identity(self, mark: bytes, key: bytes, fields: Mapping[bytes, bytes]) -> bytes:
        # Values come out of a matched head, so none of them contains a NUL.
        if not self._attributes:
            return mark + key
        return mark + b"\x00".join((key, *(read(fields) or b"" for read in self._attributes)))


def set_cookie(minted: bytes, *, secure: bool = False) -> bytes:
    """The response line that keeps a minted id for a year; `secure`: for requests by TLS only."""
    return b"Set-Cookie: %b=%b; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000%b\r\n" % (
        COOKIE.encode(),
        minted,
        b"; Secure" if secure else b"",
    )


def parse_header(value: bytes) -> dict[str, Any] | None:
    """The context JSON of a context header; None if it is not a usable one."""
    if not 0 < len(value) <= MAX_HEADER:
        return None
    try:
        raw = base64.b64decode(value + b"=" * (-len(value) % 4), altchars=b"-_", validate=True)
        document = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not _shallow(document, MAX_DEPTH):
        return None
    kind, key = document.get("kind"), document.get("key")
    if not isinstance(kind, str) or not kind:
        return None
    return document if kind == "multi" or (isinstance(key, str) and key) else None


def _shallow(value: object, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(_shallow(item, depth - 1) for item in value.values())
    if isinstance(value, list):
        return depth > 0 and all(_shallow(item, depth - 1) for item in value)
    return True


def _encode(document: Mapping[str, Any]) -> bytes:
    raw = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
