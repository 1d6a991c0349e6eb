"""Endpoints are streamed as they come and go, to those who may know."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.types import ASGIApp

from migrator.controller import endpoints
from migrator.controller.endpoints import EndpointFeed, endpoints_route, event, known_after
from migrator.errors import StateError
from routing.endpoint_updates import updated
from routing.event_stream import EventReader

Serve = Callable[[ASGIApp], AbstractAsyncContextManager[str]]
Endpoints = dict[str, tuple[str, ...]]
A, B = "http://127.0.0.1:1", "http://127.0.0.1:2"
worlds = st.lists(
    st.dictionaries(
        st.sampled_from(["articles", "users"]),
        st.lists(st.sampled_from([A, B]), unique=True).map(tuple),
    )
)


@given(worlds)
def test_a_proxy_that_follows_knows_what_is_known(ready: list[Endpoints]) -> None:
    """Whatever is ready when: no service is empty, and the proxy's own reader agrees."""
    known: Mapping[str, tuple[str, ...]] = {}
    told: Mapping[str, tuple[str, ...]] | None = None
    reader, heard = EventReader(10_000), None
    for now in ready:
        before, known = known, known_after(known, now)
        for name, origins in now.items():
            assert known.get(name, ()) == (origins or before.get(name, ()))
        assert all(known.values())
        said, told = event(told, known), known
        for each in reader.feed(said.encode()):
            heard = updated(heard, each)
        assert heard == known
        assert event(told, known) == "", "nothing new is nothing to say"


class Read:
    """What is ready, or that nobody knows."""

    def __init__(self) -> None:
        self.ready: Endpoints = {"articles": (A,), "users": ()}
        self.broken = False

    def __call__(self) -> Endpoints:
        if self.broken:
            raise StateError("processes.json: corrupt")
        return self.ready


def test_a_stream(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "ALIVE_EVERY", 0.05)
    read = Read()

    async def run() -> None:
        feed = EndpointFeed(read)
        feed.look()
        app = Starlette(routes=[endpoints_route(feed, "reader", "", "all")])
        async with (
            serve(app) as origin,
            httpx.AsyncClient(base_url=origin, trust_env=False, timeout=30) as http,
        ):
            for given in ("Bearer wrong", "Bearer", "Basic reader", "Bearer reade"):
                headers = {"Authorization": given}
                assert (await http.get("/v1/endpoints", headers=headers)).status_code == 401
            assert (await http.get("/v1/endpoints")).json()["code"] == "unauthorized"
            headers = {"Authorization": "Bearer reader"}
            async with http.stream("GET", "/v1/endpoints", headers=headers) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                lines = answer.aiter_lines()
                assert await told(lines) == ("snapshot", {"articles": [A]})
                read.ready = {"articles": (A, B), "users": (B,)}
                feed.look()
                assert await told(lines) == ("change", {"articles": [A, B], "users": [B]})
                read.ready = {"articles": (), "users": (B,)}
                feed.look()
                read.broken = True
                feed.look()
                async for line in lines:
                    assert line in ("", ": alive"), "nothing ready is no news"
                    if line:
                        break
                read.broken = False
                read.ready = {"articles": (B,), "users": (B,)}
                feed.look()
                assert await told(lines) == ("change", {"articles": [B]})
                feed.close()
                assert [line async for line in lines if not line.startswith(":") and line] == []

    asyncio.run(run())


async def told(lines: AsyncIterator[str]) -> tuple[str, Mapping[str, list[str]]]:
    """Name and services of the next event."""
    async for line in lines:
        if line.startswith("event: "):
            data = (await anext(lines)).removeprefix("data: ")
            assert await anext(lines) == ""
            return line.removeprefix("event: "), json.loads(data)["services"]
    raise AssertionError("the stream has ended")


def test_it_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "LOOK_EVERY", 0.0)
    read = Read()

    async def run() -> None:
        feed = EndpointFeed(read)
        looking = asyncio.create_task(feed.run())
        stream = feed.stream()
        async with asyncio.timeout(30):
            said = await anext(stream)
            while B not in said:
                read.ready = {"articles": (B,)}
                said = await anext(stream)
        looking.cancel()
        feed.close()
        assert [each async for each in stream] == []

    asyncio.run(run())
