"""Which request opens which event stream.

What is wrong with a request is left to the ordinary routes, which answer it: an opener only knows
requests that succeed. A REPORT brings its context in the body, so its errors are answered here.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, unquote_to_bytes

from flags.errors import Rejected
from flags.evaluation.context import Context
from flags.sdk.access import by_auth, by_client_side_id, by_mobile_key, by_sdk_key
from flags.sdk.contexts import from_path, require_hash
from flags.sdk.http import CORS
from flags.streams.client import Available, for_browsers, for_mobile
from flags.streams.connection import Connection
from flags.streams.hub import EnvironmentHub, Hub
from flags.streams.protocol import Headers, Opener, Start
from flags.wire.encoding import compact

_MAX_AGENT: Final = 200


def opener(hub: Hub) -> Opener:
    def open_stream(method: bytes, target: bytes, headers: Headers) -> Start | None:
        if method not in (b"GET", b"REPORT"):
            return None
        path, _, query = target.partition(b"?")
        try:
            return _open(
                hub,
                method == b"REPORT",
                unquote_to_bytes(path).decode().strip("/").split("/"),
                {k: v[0] for k, v in parse_qs(query.decode()).items()},
                {k.decode("latin-1"): v.decode("latin-1") for k, v in headers},
            )
        except (Rejected, UnicodeDecodeError):
            return None

    return open_stream


def _open(
    hub: Hub,
    reported: bool,
    parts: list[str],
    query: Mapping[str, str],
    headers: Mapping[str, str],
) -> Start | None:
    """Raises `Rejected` for a wrong key or context."""
    agent = sys.intern(_agent(headers))
    match parts:
        case ["all"] if not reported:
            found = by_sdk_key(hub, headers)
            return _start(found, partial(found.follow, agent))
        case ["sdk", "stream"] if not reported:
            found = by_sdk_key(hub, headers)
            return _start(found, partial(found.follow_v2, agent, query.get("basis")))
        case ["mping"] if not reported:
            found = by_mobile_key(hub, headers)
            return _start(found, partial(found.follow_pings, agent))
        case ["ping", client_side_id] if not reported:
            found = by_client_side_id(hub, client_side_id)
            return _start(found, partial(found.follow_pings, agent))
        case ["meval", *rest]:
            found = by_mobile_key(hub, headers)
            return _for_context(found, rest, query, agent, for_mobile, reported)
        case ["eval", client_side_id, *rest]:
            found = by_client_side_id(hub, client_side_id)
            return _for_context(found, rest, query, agent, for_browsers, reported)
        case ["sdk", "stream", "eval", *rest] if not reported:
            found, available = by_auth(hub, headers, query)
            return _for_context(found, rest, query, agent, available, reported, second=True)
    return None


def _for_context(
    hub: EnvironmentHub,
    rest: list[str],
    query: Mapping[str, str],
    agent: str,
    available: Available,
    reported: bool,
    *,
    second: bool = False,
) -> Start | None:
    """`rest` is the encoded context, or nothing where it is in the body."""
    if len(rest) != (0 if reported else 1):
        return None

    def following(context: Context) -> Callable[[], Connection]:
        require_hash(hub.state.environment, context, query, available)
        return partial(
            hub.follow_context,
            agent,
            context,
            available,
            with_reasons=query.get("withReasons") == "true",
            second=second,
        )

    if not reported:
        return _start(hub, following(from_path(rest[0])))

    def start(transport: asyncio.Transport, body: bytes) -> None:
        try:
            follow = following(Context.loads(body))
        except Rejected as error:
            transport.write(_refusal(error))
            transport.close()
            return
        follow().start(transport, _head(hub))

    return start


def _start(hub: EnvironmentHub, follow: Callable[[], Connection]) -> Start:
    """`follow` waits for the end of the request, which may never come."""
    return lambda transport, _: follow().start(transport, _head(hub))


def _refusal(error: Rejected) -> bytes:
    body = compact({"code": error.code, "message": str(error)})
    fields = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **CORS,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n{lines}\r\n".encode() + body
    )


def _head(hub: EnvironmentHub) -> bytes:
    fields = {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache",
        "X-Accel-Buffering": "no",
        "X-LD-EnvID": hub.state.environment.client_side_id,
        "Date": formatdate(usegmt=True),
        "Transfer-Encoding": "chunked",
        **CORS,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode()


def _agent(headers: Mapping[str, str]) -> str:
    """Browsers may not set User-Agent, so SDKs have a header of their own."""
    return (headers.get("x-launchdarkly-user-agent") or headers.get("user-agent") or "unknown")[
        :_MAX_AGENT
    ]
