"""What a route changes: the target, the fields, or who answers."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from inline_proxy import InlineProxy, inline_proxy
from routing.changes import Changes, changes_of
from routing.config import Capability, RouteRule
from routing.errors import InvalidConfig
from routing.message import RequestReader, ResponseReader
from routing.stages import Stage
from routing.table import RouteTable

DATE = "Sat, 01 Jan 2000 00:00:00 GMT"


@dataclass
class Asked:
    method: bytes
    path: bytes
    query: bytes


def asked(target: str) -> Asked:
    path, _, query = target.encode().partition(b"?")
    return Asked(b"GET", path, query)


def changes(path: str, **said: object) -> Changes:
    found = changes_of(
        RouteRule.model_validate({"path": path, "service": "s", **said}), f"c: {path}"
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("route", "template", "target", "expected"),
    [
        ("/articles/{id}", "/v2/articles/{id}", "/articles/7?a=b", "/v2/articles/7?a=b"),
        ("/{a}/{b}", "/{b}-{a}/x", "/1/2", "/2-1/x"),
        ("/old/*", "/new/*", "/old/a/b//c/", "/new/a/b//c/"),
        ("/old/*", "/*", "/old/", "/"),
        ("/old/*", "/*", "/old//host.test/x", "/host.test/x"),
        ("/old/{id}/*", "/{id}", "/old/7/whatever", "/7"),
        ("/a/{id}", "/b/{id}", "/a/x%2Fy%20%7e", "/b/x%2Fy%20~"),
        ("/a/{id}", "/b/{id}", "/a/b/../7", "/b/7"),
        ("/a/{id}", "/b/{id}", '/a/"<\\^`|%zz', "/b/%22%3C%5C%5E%60%7C%25zz"),
        ("/a", "/b", "/a?x=%2F&y", "/b?x=%2F&y"),
    ],
)
def test_rewrite(route: str, template: str, target: str, expected: str) -> None:
    made = changes(route, rewrite={"path": template})
    head = b"GET %b HTTP/1.1\r\nHost: a\r\nVia: x\r\n\r\n" % target.encode()
    changed = made.request(head, asked(target))
    assert changed == b"GET %b HTTP/1.1\r\nHost: a\r\nVia: x\r\n\r\n" % expected.encode()


@pytest.mark.parametrize(
    ("route", "location", "target", "expected"),
    [
        ("/a/{id}", "https://b.test{path}", "/a/7?x=y", "https://b.test/a/7?x=y"),
        ("/a/{id}", "https://b.test:8443/{id}", "/a/7", "https://b.test:8443/7"),
        ("/a/*", "/b/*", "/a/c/d", "/b/c/d"),
        ("/a/*", "/*", "/a//evil.test/", "/evil.test/"),
        ("/a/*", "/*", "/a/\\evil.test/", "/%5Cevil.test/"),
        ("/*", "https://b.test{path}", "//evil.test/", "https://b.test//evil.test/"),
        ("/a", "https://b.test", "/a?x", "https://b.test?x"),
        ("/a/{id}", "/b?id={id}", "/a/7&admin=1?dropped", "/b?id=7%26admin%3D1"),
        ("/a", "/b?", "/a?dropped", "/b?"),
        ("/a", "/b", "/a?x=\"'", "/b?x=%22'"),
    ],
)
def test_redirect(route: str, location: str, target: str, expected: str) -> None:
    made = changes(route, redirect={"location": location, "status": 308})
    assert made.redirects
    head = made.redirect(asked(target), DATE)
    assert head.startswith(b"HTTP/1.1 308 Permanent Redirect\r\n")
    assert b"\r\nLocation: %b\r\n" % expected.encode() in head
    assert b"\r\nCache-Control: no-store\r\n" in head


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"rewrite": {"path": "/{other}"}}, "has {other}, expected one of: {id}"),
        ({"rewrite": {"path": "/*"}}, "has \\*, expected one of: {id}"),
        ({"rewrite": {"path": "/a b"}}, "is not usable, expected a path"),
        ({"rewrite": {"path": "/a?b"}}, "is not usable"),
        ({"rewrite": {"path": "/*/a"}}, "is not usable"),
        ({"redirect": {"location": "//b.test/"}}, "expected one / "),
        ({"redirect": {"location": "https://{id}.test/"}}, "is not usable"),
        ({"redirect": {"location": "https://b.test{id}"}}, "expected one / "),
        ({"redirect": {"location": "{path}"}}, "expected one / "),
        ({"redirect": {"location": "b.test/"}}, "expected one / "),
        ({"redirect": {"location": "ftp://b.test/"}}, "is not usable"),
        ({"redirect": {"location": "https://a@b.test/"}}, "expected one / "),
        ({"redirect": {"location": "/a\r\nSet-Cookie: b"}}, "is not usable"),
        ({"redirect": {"location": "/{other}"}}, "has {other}, expected one of: {id} {path}"),
    ],
)
def test_templates_that_are_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidConfig, match=f"^c: /a/{{id}}: .*{words}"):
        changes("/a/{id}", **said)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"request_headers": {"set": {"Content-Length": "1"}}}, "belongs to the message itself"),
        ({"request_headers": {"add": {"transfer_encoding": "x"}}}, "belongs to the message itself"),
        ({"request_headers": {"remove": ["Host"]}}, "belongs to the message itself"),
        ({"response_headers": {"set": {"Connection": "close"}}}, "belongs to the message itself"),
        ({"request_headers": {"set": {"X-Migrator-Context": "x"}}}, "is set by the proxy"),
        ({"request_headers": {"remove": ["x_forwarded_for"]}}, "is set by the proxy"),
        ({"request_headers": {"set": {"Forwarded": "x"}}}, "is set by the proxy"),
        ({"request_headers": {"set": {"X-A": "a\r\nX-B: b"}}}, "is not the value of a field"),
        ({"request_headers": {"set": {"X-A": " a"}}}, "is not the value of a field"),
        ({"request_headers": {"set": {"X-A": "\x00"}}}, "is not the value of a field"),
        ({"request_headers": {"set": {"X A": "a"}}}, "pattern"),
        ({"request_headers": {"set": {"X-A": "a"}, "remove": ["x-a"]}}, "stands there twice"),
        ({"redirect": {"location": "/b"}, "rewrite": {"path": "/b"}}, "have no effect where"),
        ({"redirect": {"location": "/b", "status": 304}}, "301, 302, 303, 307 or 308"),
    ],
)
def test_documents_that_are_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RouteRule.model_validate({"path": "/a", "service": "s", **said})


def test_no_changes() -> None:
    assert changes_of(RouteRule(path="/a", service="s"), "c: /a") is None


def test_fields() -> None:
    said = {"set": {"X-Set": "new"}, "add": {"X-Add": "b\u00e9"}, "remove": ["X-Gone"]}
    made = changes("/a", request_headers=said, response_headers=said)
    lines = b"X-Set: old\r\nx_set: forged\r\nX-Settled: a\r\nX-Add: a\r\nx-GONE: a\r\nX-Gone:\r\n"
    after = "X-Settled: a\r\nX-Add: a\r\nX-Set: new\r\nX-Add: b\u00e9\r\n".encode()
    first = b"GET /a HTTP/1.1\r\nHost: a\r\n"
    assert made.request(first + lines + b"\r\n", asked("/a")) == first + after + b"\r\n"
    assert made.response(b"HTTP/1.1 200 OK\r\n" + lines) == b"HTTP/1.1 200 OK\r\n" + after


TARGETS = st.text([chr(code) for code in range(0x21, 0x7F) if chr(code) != "#"], max_size=30)
FIELDS = st.text("abc_- ", max_size=10).map(lambda value: value.strip().encode())
LOCATIONS = ["/b/*", "https://b.test{path}", "https://b.test/{id}?x={id}", "/{id}"]
AT_HOME = re.compile(rb"https://b\.test(?=[/?]|\Z)|/(?![/\\])")


@given(TARGETS, FIELDS, st.sampled_from(LOCATIONS))
def test_whatever_is_asked_one_message_stays_one_and_redirects_stay_at_their_host(
    target: str, value: bytes, location: str
) -> None:
    first = f"GET /a/{target} HTTP/1.1\r\nHost: a\r\n".encode()
    head = RequestReader().read(first + b"X-A: %b\r\nX-B: b\r\n\r\n" % value)
    assert head is not None
    path = "/a/{id}/*"
    rewrite = {"path": path, "service": "s", "rewrite": {"path": "/v2/{id}/*"}}
    rewrite["request_headers"] = {"set": {"X-A": "new"}}
    redirect = {"path": path, "service": "s", "redirect": {"location": location}}
    for rule in (rewrite, redirect):
        capability = Capability.model_validate({"flag": "f", "routes": [rule]})
        route = RouteTable({"c": capability}).match(b"GET", head.path)
        if route is None or route.changes is None:
            return
        if route.changes.redirects:
            sent = route.changes.redirect(head, DATE) + b"\r\n"
            answer = ResponseReader().read(sent, b"GET")
            assert answer is not None
            assert answer.end == len(sent)
            led = re.search(rb"\r\nLocation: ([!-~]+)\r\n", sent)
            assert led is not None
            assert AT_HOME.match(led[1])
        else:
            changed = route.changes.request(head.forward + b"\r\n", head)
            again = RequestReader(("x-a", "x-b")).read(changed)
            assert again is not None
            assert again.end == len(changed)
            assert again.path.startswith(b"/v2/")
            assert (again.query, again.fields[b"x-a"], again.fields[b"x-b"]) == (
                head.query, b"new", b"b",
            )  # fmt: skip


ROUTES = [
    {
        "path": "/articles/{id}",
        "service": "s",
        "rewrite": {"path": "/v2/{id}"},
        "request_headers": {"set": {"X-A": "new"}},
        "response_headers": {"remove": ["X-Origin"], "add": {"X-C": "c"}},
    },
    {"path": "/moved/{id}", "service": "s", "redirect": {"location": "https://b.test/{id}"}},
]
CAPABILITIES = {"c": {"flag": "f", "routes": ROUTES}}


@contextlib.asynccontextmanager
async def origin(name: str, status: list[bytes]) -> AsyncIterator[str]:
    """Answers with its name and the request's head."""

    async def tells(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                text = f"{name} ".encode() + await reader.readuntil(b"\r\n\r\n")
                start = b"HTTP/1.1 %b\r\nX-Origin: %b\r\n" % (status[0], name.encode())
                writer.write(b"%bContent-Length: %d\r\n\r\n%b" % (start, len(text), text))
        writer.close()

    async with await asyncio.start_server(tells, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def test_through_a_proxy() -> None:
    async def run() -> None:
        status = [b"200 OK"]
        async with origin("old", [b"200 OK"]) as old, origin("new", status) as new:
            said: dict[str, Any] = {"services": {"s": new}, "capabilities": CAPABILITIES}
            async with inline_proxy(old, Stage.LIVE, **said) as proxy:
                await rewritten(proxy)
                status[0] = b"503 Service Unavailable"
                await fallen_back(proxy)
                await redirected(proxy)
            async with inline_proxy(old, Stage.OFF, **said) as proxy:
                told = await proxy.ask(b"GET /moved/7" + LAST)
                assert b"old GET /moved/7 HTTP/1.1\r\n" in told, "the flag is off"

    uvloop.run(run())


LAST = b" HTTP/1.1\r\nHost: a\r\nX-A: old\r\nConnection: close\r\n\r\n"


async def rewritten(proxy: InlineProxy) -> None:
    told = await proxy.ask(b"GET /articles/7?x=y" + LAST)
    assert b"new GET /v2/7?x=y HTTP/1.1\r\nHost: a\r\n" in told
    assert b"\r\nX-A: new\r\n" in told
    assert b"X-A: old" not in told
    assert b"\r\nX-C: c\r\n" in told
    assert b"X-Origin" not in told


async def fallen_back(proxy: InlineProxy) -> None:
    told = await proxy.ask(b"GET /articles/7?x=y" + LAST)
    assert b"old GET /articles/7?x=y HTTP/1.1\r\n" in told, "the monolith gets the original"
    assert b"\r\nX-A: old\r\n" in told
    assert b"\r\nX-Origin: old\r\n" in told
    assert b"X-C: c" not in told


async def redirected(proxy: InlineProxy) -> None:
    one = b"GET /moved/7 HTTP/1.1\r\nHost: a\r\n\r\n"
    told = await proxy.ask(one * 1500 + b"GET /moved/8" + LAST)
    assert told.count(b"\r\nLocation: https://b.test/7\r\n") == 1500
    assert told.count(b"\r\nLocation: https://b.test/8\r\n") == 1
    assert told.count(b"\r\nConnection: close\r\n") == 1
    body = b"POST /moved/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n" + one
    told = await proxy.ask(body)
    assert told.count(b"HTTP/1.1 302 Found\r\n") == 1, "a body is not a request"


Begin = Callable[[], AbstractAsyncContextManager[Any]]


def test_conditional_routes_in_a_running_proxy(begin: Begin, free_port: int) -> None:
    """Host, field and query decide in real workers what is rewritten and what is redirected."""
    path = {"path": "/articles/{id}", "service": "articles"}
    routes: list[dict[str, Any]] = [
        path,
        {**path, "host": "*.beta.test", "rewrite": {"path": "/beta/{id}"}},
        {**path, "headers": {"X-Plan": "gold"}, "rewrite": {"path": "/gold/{id}"}},
        {**path, "query": {"old": True}, "redirect": {"location": "/archive/{id}", "status": 301}},
    ]
    capabilities = {"publishing": {"flag": "publishing", "routes": routes}}

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False) as http:
            world.start_proxy(free_port, capabilities=capabilities)
            await world.ready(http)
            await world.stage(http, "live")

            async def sent(query: str = "", **headers: str) -> str:
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                answer = await http.get(f"{world.edge}/articles/7{query}", headers=named)
                assert answer.text == "new 0"
                return str(world.new.seen[-1].split(b" ")[1].decode())

            assert await sent() == "/articles/7"
            assert await sent(host="a.beta.test") == "/beta/7"
            assert await sent(x_plan="gold") == "/gold/7"
            assert await sent(x_plan="silver") == "/articles/7"
            answer = await http.get(f"{world.edge}/articles/7?old")
            assert (answer.status_code, answer.headers["location"]) == (301, "/archive/7?old")
            await world.stage(http, "off")
            assert (await http.get(f"{world.edge}/articles/7?old")).text == "old 0"

    asyncio.run(run())
