"""Lines of the access log, and those of a running proxy."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_builders import a_lane, no_lane
from routing.access_log import AccessLines
from routing.decision import Evaluation
from routing.hiding import MAX_VALUE, Hiding
from routing.message import RequestReader
from routing.record import Record
from routing.recovery import Failure
from routing.stages import Side, Stage

LINES = AccessLines(["User-Agent", "Referer", "Cookie", "X-Api-Key"], Hiding())
READER = RequestReader(["user-agent", "referer", "x-api-key"])


def a_record(request: bytes, *, routed: bool = True) -> Record:
    head = READER.read(request)
    assert head is not None
    lane = a_lane() if routed else no_lane()
    evaluation = Evaluation(Stage.LIVE, "FALLTHROUGH", 7) if routed else None
    return Record(
        head,
        lane,
        evaluation,
        b"192.0.2.1",
        edge=True,
        scheme=b"http",
        began=10.0,
        done=lambda _: None,
    )


def line(record: Record) -> dict[str, Any]:
    text = LINES.line(record, 1_700_000_000.1239)
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line() -> None:
    record = a_record(
        b"GET /articles/7?page=2&token=abc HTTP/1.1\r\nHost: example.org:8080\r\n"
        b"User-Agent: Mozilla\r\nX-Api-Key: abc\r\nCookie: uid=42; theme=dark\r\n\r\n"
    )
    record.asks(Side.NEW, "http://new", b"", Mock(), 10.0)
    record.is_answered(Side.NEW, "http://new", 200, 10.25)
    record.sent = 512
    record.end(10.5, complete=True)
    assert line(record) == {
        "timestamp": "2023-11-14T22:13:20.123Z",
        "client.address": "192.0.2.1",
        "migrator.listener": "edge",
        "http.request.method": "GET",
        "url.path": "/articles/7",
        "url.query": "page=2&token=REDACTED",
        "server.address": "example.org",
        "server.port": 8080,
        "network.protocol.version": "1.1",
        "user_agent.original": "Mozilla",
        "http.request.header.cookie": "uid=REDACTED; theme=REDACTED",
        "http.request.header.x-api-key": "REDACTED",
        "http.response.status_code": 200,
        "http.request.body.size": 0,
        "http.response.body.size": 512,
        "http.server.request.duration": 0.5,
        "migrator.origin": "new",
        "migrator.capability": "publishing",
        "migrator.stage": "live",
        "http.route": "/articles/{id}",
        "feature_flag.key": "publishing",
        "feature_flag.result.reason": "fallthrough",
        "feature_flag.version": 7,
    }


@pytest.mark.parametrize(
    ("calls", "status", "complete", "expected"),
    [
        pytest.param([], None, False, (None, "client_gone", None), id="client-gone"),
        pytest.param([500], 500, True, (500, "500", None), id="server-error"),
        pytest.param([404], 404, True, (404, None, None), id="not-found"),
        pytest.param([Failure.SLOW], 504, True, (504, "slow", None), id="too-slow"),
        pytest.param([Failure.RESET, 200], 200, True, (200, None, True), id="fell-back"),
        pytest.param([101], 101, False, (101, None, None), id="tunnel"),
    ],
)
def test_outcomes(
    calls: list[int | Failure],
    status: int | None,
    complete: bool,
    expected: tuple[object, object, object],
) -> None:
    record = a_record(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", routed=False)
    for call in calls:
        record.asks(Side.NEW, "http://new", b"", Mock(), 10.0)
        if isinstance(call, Failure):
            record.fails(Side.NEW, "http://new", call, 11.0)
            record.fell_back = len(calls) > 1
        else:
            record.is_answered(Side.NEW, "http://new", call, 11.0)
    record.status = status
    record.end(12.0, complete=complete)
    found = line(record)
    names = ("http.response.status_code", "error.type", "migrator.fallback")
    assert tuple(found.get(name) for name in names) == expected
    assert record.failed == (expected[1:] != (None, None))
    assert "migrator.capability" not in found


def test_a_refusal() -> None:
    found = json.loads(LINES.refusal(400, b"192.0.2.1", 0.0, edge=False))
    assert found == {
        "timestamp": "1970-01-01T00:00:00.000Z",
        "client.address": "192.0.2.1",
        "migrator.listener": "gateway",
        "http.response.status_code": 400,
        "error.type": "400",
    }


text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=60).map(
    lambda value: value.replace("\x7f", "").encode("latin-1").strip()
)
path = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60)


@given(path=path, agent=text, cookie=text)
def test_nothing_forges_a_line(path: str, agent: bytes, cookie: bytes) -> None:
    """Whatever a client sends, its line is one JSON object with our names."""
    target = "/" + path.replace("#", "")
    request = b"GET %b HTTP/1.1\r\nHost: a\r\nUser-Agent: %b\r\nCookie: s=%b\r\n\r\n"
    record = a_record(request % (target.encode(), agent, cookie))
    found = line(record)
    assert found["url.path"] == target.partition("?")[0]
    assert found["migrator.capability"] == "publishing"
    ordinary = line(a_record(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\nCookie: c=d\r\n\r\n"))
    assert set(found) - {"url.query"} == set(ordinary)


def test_long_values_are_cut() -> None:
    record = a_record(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 5000))
    assert len(line(record)["url.path"]) == MAX_VALUE


@contextlib.asynccontextmanager
async def raw(origin: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = origin.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Any]


def test_the_log_of_a_proxy(begin: Begin, wait_until: Until, tmp_path: Path) -> None:
    """Every request has a line, in the file that is there now."""
    log, moved = tmp_path / "access.log", tmp_path / "access.log.1"

    def lines(file: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy(access_log={"path": str(log)})
            await world.ready(http)
            cookies = {"Cookie": "uid=secret-id"}
            await http.get(f"{world.edge}/articles/1?token=secret-token", headers=cookies)
            await http.post(f"{world.gateway}/other", content=b"abcde")
            async with raw(world.edge) as (reader, writer):
                writer.write(b"GET / HTTP/1.1\r\nsecret-line\r\n\r\n")
                await reader.read()

            async def three() -> bool:
                return len(lines(log)) == 3

            await wait_until(three)
            log.rename(moved)
            await http.get(f"{world.edge}/after")

            async def anew() -> bool:
                return len(lines(log)) == 1

            await wait_until(anew)
            await http.get(f"{world.edge}/last")
            await asyncio.to_thread(world.end)
        assert [line["url.path"] for line in lines(log)] == ["/after", "/last"]
        read, posted, refused = sorted(lines(moved), key=lambda line: line["timestamp"])
        assert read["url.query"] == "token=REDACTED"
        assert read["http.response.status_code"] == 200
        assert read["http.response.body.size"] == 5
        assert read["migrator.capability"] == "publishing"
        assert (posted["http.request.body.size"], posted["migrator.listener"]) == (5, "gateway")
        assert refused["http.response.status_code"] == 400
        assert "secret" not in moved.read_text()

    asyncio.run(run())
