"""Bodies of bounded size: also while they are decompressed."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from starlette.requests import Request

from flags.errors import Rejected, TooLarge
from flags.sdk.body import limited_body

LIMIT = 1000


def read(chunks: Sequence[bytes], encoding: str = "") -> bytes:
    messages: list[Any] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def received() -> AsyncIterator[Any]:
        for message in messages:
            yield message

    source = received()
    headers = [(b"content-encoding", encoding.encode())]
    request = Request({"type": "http", "headers": headers}, lambda: anext(source))
    return asyncio.run(limited_body(request, LIMIT))


def bytewise(body: bytes) -> list[bytes]:
    return [body[i : i + 1] for i in range(len(body))]


@pytest.mark.parametrize("size", [0, 1, LIMIT])
def test_what_fits(size: int) -> None:
    body = b"x" * size
    zipped = gzip.compress(body)
    assert read([body]) == read(bytewise(body)) == body
    assert read([zipped], "gzip") == read(bytewise(zipped), "GZIP") == body


@pytest.mark.parametrize("size", [LIMIT + 1, 10 * LIMIT])
def test_what_does_not(size: int) -> None:
    body = b"x" * size
    zipped = gzip.compress(body)
    for chunks, encoding in (
        ([body], ""),
        (bytewise(body), ""),
        ([zipped], "gzip"),
        (bytewise(zipped), "gzip"),
    ):
        with pytest.raises(TooLarge, match="expected at most 1000 bytes"):
            read(chunks, encoding)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            read([bomb], "gzip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"[]", "it is not", id="plain"),
        pytest.param(b"\x1f\x8bxx", "it is not", id="method"),
        pytest.param(gzip.compress(b"x" * 100)[:-1], "it is cut off", id="cut-off"),
        pytest.param(b"", "it is cut off", id="empty"),
    ],
)
def test_not_gzip(body: bytes, problem: str) -> None:
    with pytest.raises(Rejected, match=problem):
        read([body], "gzip")
