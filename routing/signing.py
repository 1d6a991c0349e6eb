"""Short texts that the proxy signs and later takes back: `v1.<payload>.<mac>`.

Pure. Payload and MAC are base64url without padding, so that a token fits in a field, a cookie or a
baggage member. The MAC is HMAC-SHA-256 (RFC 2104) over version, purpose, payload as it is written
and whatever else the token is bound to. It is compared as it is written too: base64 has several
spellings of the same bytes, and only ours counts.
"""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

VERSION = b"v1"
MAX_TOKEN = 4096
"""Bytes; a longer one is not looked at."""


class Keyring:
    """Keys of one purpose: a token made for another purpose is never accepted."""

    __slots__ = ("_keys", "_prefix")

    def __init__(self, purpose: str, keys: Sequence[bytes]) -> None:
        """`keys`: the first one signs, all of them verify."""
        if not keys:
            raise ValueError("expected a key")
        self._prefix = b"%b.%b\x00" % (VERSION, purpose.encode())
        self._keys = tuple(keys)

    def sign(self, content: bytes, bound: bytes = b"") -> bytes:
        """The token of `content`, of use only together with `bound`."""
        payload = base64.urlsafe_b64encode(content).rstrip(b"=")
        return b"%b.%b.%b" % (VERSION, payload, self._mac(self._keys[0], payload, bound))

    def open(self, token: bytes, bound: bytes = b"") -> bytes | None:
        """The content of a token that one of the keys has signed; else None."""
        version, _, rest = token.partition(b".")
        payload, _, mac = rest.partition(b".")
        if version != VERSION or len(token) > MAX_TOKEN:
            return None
        for key in self._keys:
            if hmac.compare_digest(mac, self._mac(key, payload, bound)):
                break
        else:
            return None
        return base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))

    def _mac(self, key: bytes, payload: bytes, bound: bytes) -> bytes:
        # Neither base64url nor a field's value has a NUL, so the parts cannot be shifted.
        signed = b"%b%b\x00%b" % (self._prefix, payload, bound)
        return base64.urlsafe_b64encode(hmac.digest(key, signed, "sha256")).rstrip(b"=")


@dataclass(frozen=True, slots=True)
class Keyrings:
    """None: the feature is off."""

    decisions: Keyring | None
    overrides: Keyring | None
