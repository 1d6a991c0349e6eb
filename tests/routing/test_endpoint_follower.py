"""The stream of endpoints is followed, whatever it says and whenever it breaks."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint_server import TOKEN, endpoint_server, event
from routing import endpoint_follower
from routing.config import EndpointStream, Located, ProxyConfig
from routing.endpoint_follower import (
    FILE,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    EndpointFollower,
    check_token_file,
    pause,
)
from routing.endpoint_updates import MAX_EVENT
from routing.errors import InvalidConfig

Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
A, B = "http://10.0.0.1:1", "http://10.0.0.2:1"


class Following:
    """A follower, what it told, and the configuration that it looks at."""

    def __init__(self, state: Path, url: str | None) -> None:
        token = state / "token"
        token.write_text(f"{TOKEN}\n")
        self.config = ProxyConfig.model_validate(
            {
                "migration": "test",
                "listen": {"port": 0},
                "gateway": {"port": 0},
                "monolith": A,
                "services": {"articles": A},
                "endpoints": url and {"url": url, "token_file": str(token)},
            }
        )
        self.told: list[Located] = []
        self.follower = EndpointFollower(state, lambda: self.config)

    @property
    def counts(self) -> tuple[int, int]:
        counts = self.follower.outcomes.document()["endpoint_updates"]
        return counts["applied"], counts["refused"]

    def point_to(self, stream: EndpointStream | None) -> None:
        self.config = self.config.model_copy(update={"endpoints": stream})
        self.follower.reconfigured()


@contextlib.asynccontextmanager
async def followed(state: Path, url: str | None) -> AsyncIterator[Following]:
    following = Following(state, url)
    running = asyncio.create_task(following.follower.run(following.told.append))
    try:
        yield following
    finally:
        running.cancel()
        await asyncio.wait((running,))


def tells(following: Following, **services: tuple[str, ...]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return bool(following.told) and following.told[-1] == services

    return look


def has(ask: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return ask()

    return look


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_follower, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(endpoint_follower, "LONGEST_PAUSE", 0.01)


@pytest.mark.usefixtures("_soon")
def test_changes_and_a_break(tmp_path: Path, wait_until: Until) -> None:
    async def run() -> None:
        async with endpoint_server() as server:
            server.greeting = b": hello\n\n" + event("snapshot", articles=[A])
            async with followed(tmp_path, server.url) as following:
                assert following.follower.source == "configuration"
                await wait_until(tells(following, articles=(A,)))
                assert f"\r\nAuthorization: Bearer {TOKEN}\r\n" in server.heads[0]
                server.say(event("change", articles=[A, B]) + b"event: weather\ndata: fine\n\n")
                await wait_until(tells(following, articles=(A, B)))
                assert following.follower.source == "stream"
                server.stop()
                await wait_until(has(lambda: following.follower.source == "kept"))
                assert following.told[-1] == {"articles": (A, B)}
                server.greeting = event("snapshot", articles=[B])
                await server.start()
                await wait_until(tells(following, articles=(B,)))
                assert following.counts == (3, 0)
                server.cut()
                await wait_until(has(lambda: following.counts == (4, 0)))
                assert len(following.told) == 3, "nothing new is nothing to tell"

    asyncio.run(run())


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(event("change", articles=[]), id="empty"),
        pytest.param(event("snapshot", articles=["no-origin"]), id="no-origin"),
        pytest.param(b"data: %b\n" % (b"x" * MAX_EVENT), id="too-long"),
        pytest.param(b"event: snapshot\ndata: \xff\n\n", id="not-utf-8"),
    ],
)
@pytest.mark.usefixtures("_soon")
def test_what_is_bad_is_refused(tmp_path: Path, wait_until: Until, bad: bytes) -> None:
    """And what was known stays, until a new stream says something better."""

    async def run() -> None:
        async with endpoint_server() as server, followed(tmp_path, server.url) as following:
            server.greeting = event("snapshot", articles=[A])
            await wait_until(tells(following, articles=(A,)))
            server.greeting = bad
            server.say(bad)
            await wait_until(has(lambda: following.counts[1] >= 3))
            assert following.told == [{"articles": (A,)}]
            server.greeting = event("snapshot", articles=[B])
            await wait_until(tells(following, articles=(B,)))

    asyncio.run(run())


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", id="401"),
        pytest.param(b"HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", id="302"),
        pytest.param(b"HTTP/1.1 200 X\r\nContent-Type: text/html\r\n\r\n", id="html"),
        pytest.param(b"whatever\r\n\r\n", id="not-http"),
    ],
)
@pytest.mark.usefixtures("_soon")
def test_another_answer(tmp_path: Path, wait_until: Until, head: bytes) -> None:
    async def run() -> None:
        async with endpoint_server() as server:
            good, server.head = server.head, head
            async with followed(tmp_path, server.url) as following:
                await wait_until(has(lambda: len(server.heads) > 2))
                assert (following.told, following.counts) == ([], (0, 0))
                server.head, server.greeting = good, event("snapshot", articles=[B])
                await wait_until(tells(following, articles=(B,)))

    asyncio.run(run())


@pytest.mark.usefixtures("_soon")
def test_a_start_without_the_stream(tmp_path: Path, wait_until: Until) -> None:
    async def run() -> None:
        async with endpoint_server() as server:
            server.greeting = event("snapshot", articles=[B])
            async with followed(tmp_path, server.url) as following:
                await wait_until(has((tmp_path / FILE).exists))
            server.stop()
            async with followed(tmp_path, server.url) as following:
                follower = following.follower
                assert (follower.located, follower.source) == ({"articles": (B,)}, "kept")
            (tmp_path / FILE).write_text("{ broken")
            assert not Following(tmp_path, server.url).follower.located
            assert not Following(tmp_path, None).follower.located

    asyncio.run(run())


@pytest.mark.usefixtures("_soon")
def test_another_configuration(tmp_path: Path, wait_until: Until) -> None:
    """The stream moves, goes, and comes, while the proxy runs."""

    async def run() -> None:
        async with endpoint_server() as one, endpoint_server() as two:
            one.greeting = event("snapshot", articles=[A])
            two.greeting = event("snapshot", articles=[B])
            async with followed(tmp_path, one.url) as following:
                await wait_until(tells(following, articles=(A,)))
                following.follower.reconfigured()
                stream = following.config.endpoints
                assert stream is not None
                following.point_to(stream.model_copy(update={"url": two.url}))
                await wait_until(tells(following, articles=(B,)))
                assert following.told[1] == {}, "what the other one said is void"
                following.point_to(None)
                await wait_until(tells(following))
                assert following.follower.source == "configuration"
                following.point_to(stream)
                await wait_until(tells(following, articles=(A,)))
                assert len(one.heads) == 2, "no new connection for a configuration like the last"

    asyncio.run(run())


@pytest.mark.usefixtures("_soon")
def test_the_file_is_private(tmp_path: Path, wait_until: Until) -> None:
    async def run() -> None:
        async with endpoint_server() as server, followed(tmp_path, server.url) as following:
            await wait_until(has(lambda: following.counts == (1, 0)))
            server.say(event("change", articles=[B]))
            await wait_until(has((tmp_path / FILE).exists))
            assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
            document: dict[str, Any] = json.loads((tmp_path / FILE).read_text())
            assert document["services"] == {"articles": [B]}
            assert TOKEN not in json.dumps(document)

    asyncio.run(run())


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_pauses(failures: int, draw: float) -> None:
    longest = min(FIRST_PAUSE * 2.0 ** min(failures, 64), LONGEST_PAUSE)
    assert longest / 2 <= pause(failures, draw) <= longest
    assert pause(failures + 1, draw) >= pause(failures, draw)


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"a" * 5000, b"\xff\xff", b"a\x00b"])
def test_a_bad_token(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    stream = EndpointStream(url="https://a.example/x", token_file=path)
    with pytest.raises(InvalidConfig, match=r"endpoints\.token_file: .*No such file"):
        check_token_file(stream)
    path.write_bytes(content)
    with pytest.raises(InvalidConfig, match="expected one token"):
        check_token_file(stream)
    path.write_text(TOKEN)
    check_token_file(stream)
    check_token_file(None)
