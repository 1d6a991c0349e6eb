"""`python -m bench.proxy.peers.handmade_app PORT OLD NEW FLAGS FLAG`: a proxy of fifty lines.

What a careful engineer writes in an afternoon: one client with enough kept connections, bodies
streamed both ways, LaunchDarkly's SDK asked for each request. FLAGS is the flag server's origin,
FLAG a key there, the SDK key is in LAUNCHDARKLY_SDK_KEY. Nothing of the bench is imported, which
would count as this proxy's memory.
"""

import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

import httpx
import uvicorn
from ldclient import Context, LDClient
from ldclient.config import Config
from ldclient.migrations import Stage
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

AT_THE_NEW: Final = frozenset((Stage.LIVE, Stage.RAMPDOWN, Stage.COMPLETE))
OF_THE_CONNECTION: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade")
)
LIMITS: Final = httpx.Limits(max_connections=256, max_keepalive_connections=256)
START: Final = 10.0
"""Seconds for the SDK to get the flags."""


def application(old: int, new: int, flags: LDClient, flag: str) -> Starlette:
    sides = [httpx.URL(f"http://127.0.0.1:{port}") for port in (old, new)]
    client = httpx.AsyncClient(trust_env=False, limits=LIMITS)

    async def forward(request: Request) -> StreamingResponse:
        user = Context.create(request.headers.get("x-user", "anonymous"))
        stage, _ = flags.migration_variation(flag, user, Stage.OFF)
        path, query = request.scope["raw_path"], request.scope["query_string"]
        has_body = {"content-length", "transfer-encoding"} & {*request.headers.keys()}
        sent = client.build_request(
            request.method,
            sides[stage in AT_THE_NEW].copy_with(raw_path=path + b"?" + query if query else path),
            headers=_forwarded(request.headers.raw),
            content=request.stream() if has_body else None,
        )
        answer = await client.send(sent, stream=True)
        response = StreamingResponse(
            answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose)
        )
        response.raw_headers = _forwarded(answer.headers.raw)
        return response

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield
        flags.close()  # type: ignore[no-untyped-call]

    return Starlette(
        routes=[Route("/{path:path}", forward, methods=["GET", "POST"])], lifespan=lifespan
    )


def _forwarded(fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [field for field in fields if field[0].lower() not in OF_THE_CONNECTION]


def connected(origin: str) -> LDClient:
    key = os.environ["LAUNCHDARKLY_SDK_KEY"]
    config = Config(key, base_uri=origin, stream_uri=origin, events_uri=origin)
    flags = LDClient(config, start_wait=START)
    if not flags.is_initialized():
        sys.exit("error: the SDK did not get the flags")
    return flags


if __name__ == "__main__":
    port, old, new = map(int, sys.argv[1:4])
    uvicorn.run(
        application(old, new, connected(sys.argv[4]), sys.argv[5]),
        port=port,
        access_log=False,
        log_level="warning",
        backlog=4096,
        timeout_keep_alive=300,
    )
