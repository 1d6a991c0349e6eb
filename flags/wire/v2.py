"""The second protocol generation ("FDv2"): objects, closed by the state that they lead to.

Source: launchdarkly-server-sdk 9.18 (`ldclient/impl/datasourcev2`, `ldclient/impl/datasystem`).
A state is named by a selector that only the server reads: `<epoch>:<sequence number>`.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal

from flags.wire.encoding import compact, event

Event = tuple[str, bytes]
"""Name and encoded data."""
_STATE: Final = re.compile(r"([0-9a-f]{1,32}):(\d{1,18})", re.ASCII)


def intent(code: Literal["xfer-full", "xfer-changes", "none"], epoch: str, target: int) -> Event:
    reason = {"xfer-full": "payload-missing", "xfer-changes": "stale", "none": "up-to-date"}[code]
    payload = {"id": epoch, "target": target, "intentCode": code, "reason": reason}
    return "server-intent", compact({"payloads": [payload]})


def put_object(kind: str, key: str, version: int, encoded: bytes) -> Event:
    """`kind` is `flag` or `segment`, or `flag-eval` for client-side SDKs."""
    head = compact({"version": version, "kind": kind, "key": key})[:-1]
    return "put-object", head + b',"object":' + encoded + b"}"


def delete_object(kind: str, key: str, version: int) -> Event:
    return "delete-object", compact({"version": version, "kind": kind, "key": key})


def transferred(epoch: str, sequence: int) -> Event:
    data = {"id": epoch, "state": state(epoch, sequence), "version": sequence}
    return "payload-transferred", compact(data)


def state(epoch: str, sequence: int) -> str:
    return f"{epoch}:{sequence}"


def read_state(text: str) -> tuple[str, int] | None:
    """Epoch and sequence number of a selector; None if it is not one of ours."""
    match = _STATE.fullmatch(text)
    return None if match is None else (match[1], int(match[2]))


def stream(events: Iterable[Event]) -> bytes:
    return b"".join(event(name, data) for name, data in events)


def poll(events: Iterable[Event]) -> bytes:
    """The body of a poll."""
    parts = (b'{"event":' + compact(name) + b',"data":' + data + b"}" for name, data in events)
    return b'{"events":[' + b",".join(parts) + b"]}"
