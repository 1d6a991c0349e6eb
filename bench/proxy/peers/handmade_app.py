"""`python -m bench.proxy.peers.handmade_app PORT OLD NEW`: a proxy of thirty lines."""

import hashlib
import sys
from typing import Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

NOT_FORWARDED: Final = frozenset(
    ("connection", "content-encoding", "content-length", "host", "keep-alive", "transfer-encoding")
)


def application(old: int, new: int) -> Starlette:
    client = httpx.AsyncClient(trust_env=False)

    async def forward(request: Request) -> Response:
        digest = hashlib.sha256(request.headers.get("x-user", "").encode()).digest()
        port = old if digest[0] < 128 else new
        answer = await client.request(
            request.method,
            f"http://127.0.0.1:{port}{request.url.path}",
            params=request.url.query,
            headers=_forwarded(request.headers.items()),
            content=await request.body(),
        )
        headers = dict(_forwarded(list(answer.headers.items())))
        return Response(answer.content, answer.status_code, headers)

    return Starlette(routes=[Route("/{path:path}", forward, methods=["GET", "POST"])])


def _forwarded(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in NOT_FORWARDED]


if __name__ == "__main__":
    port, old, new = map(int, sys.argv[1:4])
    uvicorn.run(
        application(old, new),
        port=port,
        access_log=False,
        log_level="warning",
        backlog=4096,
        timeout_keep_alive=300,
    )
