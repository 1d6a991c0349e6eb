"""The hand-made proxy sends each user to the side that the SDK says, and bodies both ways."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from ldclient import LDClient
from ldclient.config import Config
from ldclient.integrations.test_data import TestData
from starlette.applications import Starlette

from bench.proxy.peers.handmade_app import application

FLAG = "publishing"
STAGES = ("off", "dualwrite", "shadow", "live", "rampdown", "complete")


@contextmanager
def origin(name: str) -> Iterator[int]:
    """Answers with its name, the target, the field X-User, and the body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = f"{name} {self.path} {self.headers['x-user']} ".encode() + body
            self.send_response(201)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("Set-Cookie", "a=1")
            self.send_header("Set-Cookie", "b=2")
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def answers(*requests: httpx.Request) -> list[httpx.Response]:
    """Each user is named after the stage that the flag has for it."""
    data = TestData.data_source()
    flag = data.flag(FLAG).variations(*STAGES).fallthrough_variation(0)
    for number, stage in enumerate(STAGES):
        flag = flag.variation_for_user(stage, number)
    data.update(flag)
    config = Config("sdk-of-a-test", update_processor_class=data, send_events=False)

    async def ask(app: Starlette) -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as http:
            return [await http.send(each) for each in requests]

    with origin("old") as old, origin("new") as new:
        return asyncio.run(ask(application(old, new, LDClient(config, start_wait=10), FLAG)))


def request(user: str, body: bytes | None = None) -> httpx.Request:
    url, method = "http://proxy.example/a%2Fb?c=d%20e", "GET" if body is None else "POST"
    return httpx.Request(method, url, headers={"x-user": user}, content=body)


def test_the_flag_chooses_the_side() -> None:
    sides = [answer.text[:3] for answer in answers(*map(request, STAGES))]
    assert sides == ["old", "old", "old", "new", "new", "new"]


@pytest.mark.parametrize("size", [0, 1, 64 * 1024])
def test_what_is_sent_arrives(size: int) -> None:
    body = b"x" * size
    (answer,) = answers(request("complete", body))
    assert answer.status_code == 201
    assert answer.content == b"new /a%2Fb?c=d%20e complete " + body
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
