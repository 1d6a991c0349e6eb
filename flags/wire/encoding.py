"""JSON and server-sent events as bytes."""

import json
from hashlib import sha256
from typing import Any


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def etag(body: bytes) -> str:
    """A strong validator (RFC 9110, section 8.8.3)."""
    return f'"{sha256(body).hexdigest()[:32]}"'


def chunk(data: bytes) -> bytes:
    """One chunk of a response (RFC 9112, section 7.1), framed once for all who read it.

    Streams are chunked because some SDKs' HTTP clients hold back what is not.
    """
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def event(name: str, data: bytes) -> bytes:
    """One server-sent event; `data` is compact JSON, which has no line breaks."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
