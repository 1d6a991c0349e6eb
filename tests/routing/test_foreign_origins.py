"""Origins that others wrote: uvicorn with either of its parsers, and the standard library's."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import httpx
import pytest
import uvicorn

from inline_proxy import inline_proxy

Running = Callable[[], AbstractAsyncContextManager[str]]
LARGE = b"y" * 1_000_000
PARTS = (b"a" * 10, b"b" * 100_000, b"c")


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Says how long the body was. /parts: an answer of unknown length; /empty: 204."""
    size = 0
    while True:
        message = await receive()
        size += len(message["body"])
        if not message["more_body"]:
            break
    headers: list[tuple[bytes, bytes]] = []
    parts: tuple[bytes, ...] = PARTS if scope["path"] == "/parts" else ()
    if scope["path"] == "/size":
        parts = (b"%d" % size,)
        headers = [(b"content-length", b"%d" % len(parts[0]))]
    status = 204 if scope["path"] == "/empty" else 200
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


class Handler(BaseHTTPRequestHandler):
    """The same, as far as the standard library goes: it knows no chunks."""

    def do_GET(self) -> None:
        size = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.send_response(204 if self.path == "/empty" else 200)
        parts: tuple[bytes, ...] = PARTS if self.path == "/parts" else ()
        if self.path == "/size":
            parts = (b"%d" % size,)
            self.send_header("Content-Length", str(len(parts[0])))
        elif self.path == "/parts":
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.writelines(parts)

    do_HEAD = do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


class OldHandler(Handler):
    protocol_version = "HTTP/1.0"


class NewHandler(Handler):
    protocol_version = "HTTP/1.1"


@contextlib.asynccontextmanager
async def running_uvicorn(parser: Literal["h11", "httptools"]) -> AsyncIterator[str]:
    config = uvicorn.Config(
        application, http=parser, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@contextlib.asynccontextmanager
async def running_http_server(handler: type[Handler]) -> AsyncIterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


async def curl_waits_for_100(url: str) -> str:
    """What comes back for a body that is sent only once the origin has asked for it."""
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--data-binary", "@-"),
        *("-H", "Expect: 100-continue", "--expect100-timeout", "20", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate(LARGE)
    return told.decode()


@pytest.mark.parametrize(
    ("origin", "version"),
    [
        pytest.param(partial(running_uvicorn, "h11"), "1.1", id="uvicorn-h11"),
        pytest.param(partial(running_uvicorn, "httptools"), "1.1", id="uvicorn-httptools"),
        pytest.param(partial(running_http_server, NewHandler), "1.1", id="http.server-1.1"),
        pytest.param(partial(running_http_server, OldHandler), "1.0", id="http.server-1.0"),
    ],
)
def test_origins_that_others_wrote(origin: Running, version: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 1000

    async def asked(http: httpx.AsyncClient, url: str) -> None:
        for method in ("GET", "HEAD"):
            answer = await http.request(method, f"{url}/size")
            assert (answer.status_code, answer.text) == (200, "0" if method == "GET" else "")
            assert answer.headers["content-length"] == "1"
            assert answer.headers["via"] == f"{version} migrator"
        for content in (b"", b"abc", LARGE):
            assert (await http.post(f"{url}/size", content=content)).text == str(len(content))
        if "uvicorn" in answer.headers["server"]:
            assert (await http.post(f"{url}/size", content=chunks())).text == "10000"
        assert (await http.get(f"{url}/parts")).content == b"".join(PARTS)
        answer = await http.get(f"{url}/empty")
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await http.get(f"{url}/size")).text == "0", "all of them are in step"
        if version == "1.1":
            assert await curl_waits_for_100(f"{url}/size") == str(len(LARGE))

    async def run() -> None:
        async with (
            asyncio.timeout(60),
            origin() as monolith,
            inline_proxy(monolith) as proxy,
            httpx.AsyncClient(trust_env=False, timeout=20) as http,
        ):
            await asked(http, f"http://127.0.0.1:{proxy.port}")

    asyncio.run(run())
