"""JSON and server-sent events as bytes."""

import json
from typing import Any


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def event(name: str, data: bytes) -> bytes:
    """One server-sent event; `data` is compact JSON, which has no line breaks."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"
