"""What is never logged or traced: credentials, cookies, parameters that are secret by their name.

Pure.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

MAX_VALUE: Final = 2048
"""Bytes of one value in a log or a span; the rest is left out."""
HIDDEN: Final = b"REDACTED"
SECRETS: Final = (
    *("token", "secret", "passw", "pwd", "session", "credential", "signature", "authorization"),
    *("apikey", "api_key", "api-key", "accesskey", "access_key", "private_key", "jwt", "assertion"),
)
"""Words in the names of fields and parameters whose value is never shown."""
_SECRET_NAMES: Final = frozenset((b"auth", b"code", b"key", b"otp", b"pin", b"sid", b"sig"))
"""The same as whole names of parameters."""
_CONTEXT: Final = b"x-migrator-context"
"""It says who a user is."""


class Hiding:
    """Hides what must not be logged."""

    def __init__(self, headers: Iterable[str] = (), query: Iterable[str] = ()) -> None:
        """Names of fields and words in names of parameters that are secret too."""
        self._fields = frozenset((_CONTEXT, *(name.lower().encode() for name in headers)))
        words = (re.escape(word.encode()) for word in (*SECRETS, *query))
        self._secret = re.compile(rb"(?i)" + b"|".join(words)).search

    def query(self, query: bytes) -> bytes:
        """Without the values of parameters that are secret by their name."""
        return b"&".join(map(self._parameter, query.split(b"&"))) if query else query

    def hides_parameter(self, name: bytes) -> bool:
        """Whether a parameter of that name, without percent-encoding, is secret."""
        return self._secret(name) is not None or name.lower() in _SECRET_NAMES

    def field(self, name: bytes, value: bytes) -> bytes:
        """The value of the field `name`, in lower case, as it may be logged."""
        if name in self._fields or self._secret(name):
            return HIDDEN
        if name == b"cookie":
            return b";".join(map(_cookie, value.split(b";")))
        if name == b"referer":
            address, mark, query = value.partition(b"?")
            return address + mark + self.query(query)
        return value

    def _parameter(self, parameter: bytes) -> bytes:
        name, equals, _ = parameter.partition(b"=")
        plain = unquote_to_bytes(name) if b"%" in name else name
        if equals and self.hides_parameter(plain):
            return name + b"=" + HIDDEN
        return parameter


def _cookie(pair: bytes) -> bytes:
    """A cookie without its value; one without a name is all value."""
    name, equals, _ = pair.partition(b"=")
    return name + b"=" + HIDDEN if equals else HIDDEN


def readable(value: bytes) -> str:
    """Bytes from outside as text, cut at MAX_VALUE."""
    return value[:MAX_VALUE].decode("utf-8", "backslashreplace")


def split_host(host: bytes) -> tuple[bytes, bytes]:
    """Name and port, which may be empty, of a valid Host."""
    name, colon, port = host.rpartition(b":")
    return (name, port) if colon and not host.endswith(b"]") else (host, b"")
