"""Key sets are followed off the path of requests, and outlive their place."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from routing import jwks
from routing.config import ContextRules
from routing.errors import InvalidConfig
from routing.jwks import FILE, KeySets, check_key_file, known_verifier
from routing.outcomes import Outcomes
from routing.tokens import TokenVerifier
from token_issuer import AUDIENCE, ISSUER, jwk, key_set, token

Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
FOREVER = 4_000_000_000
OLD, NEW = token(exp=FOREVER), token(name="b", exp=FOREVER)


class Place:
    """Where the issuer has its keys."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[bytes] = []
        """The last one is given again and again."""
        self.asked = 0
        self.dribbles: bytes | None = None
        """An answer after which a byte comes now and then."""

    def next(self) -> bytes:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def answer(content: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
        status.encode(),
        len(content),
        content,
    )


A, B = answer(key_set(jwk("RS256", "a"))), answer(key_set(jwk("RS256", "b")))
BROKEN = answer(b"", "503 Service Unavailable")


@contextlib.asynccontextmanager
async def issuer(*answers: bytes) -> AsyncIterator[Place]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        said = place.next()
        writer.write(said)
        with contextlib.suppress(ConnectionError):
            while said == place.dribbles:
                await asyncio.sleep(0.01)
                writer.write(b" ")
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    place = Place(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys")
    place.answers.extend(answers)
    async with server:
        yield place


def rules(place: str) -> ContextRules:
    return ContextRules.model_validate(
        {
            "key": [{"claim": "sub"}],
            "jwt": {"jwks": place, "issuer": ISSUER, "audience": [AUDIENCE]},
        }
    )


@contextlib.asynccontextmanager
async def followed(state: Path, place: str) -> AsyncIterator[TokenVerifier]:
    key_sets = KeySets(state, Outcomes())
    verifier = key_sets.prepare(rules(place))
    assert verifier is not None
    key_sets.follow(verifier)
    running = asyncio.create_task(key_sets.run())
    try:
        yield verifier
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def counts(verifier: TokenVerifier, made: bytes) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return verifier.claims(made) is not None

    return look


def test_an_issuer_that_dribbles_does_not_keep_the_next_one_away(
    tmp_path: Path, wait_until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "WHOLE", 0.1)
    monkeypatch.setattr(jwks, "AFTER_FAILURE", 0.01)

    async def run() -> None:
        endless = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n"
        async with issuer(endless, A) as place:
            place.dribbles = endless
            async with followed(tmp_path, place.url) as verifier:
                await wait_until(counts(verifier, OLD))
                assert place.asked >= 2

    asyncio.run(run())


def test_a_key_set_that_is_compressed_unasked_is_not_unpacked(
    tmp_path: Path, wait_until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "AFTER_FAILURE", 0.01)

    async def run() -> None:
        bomb = gzip.compress(b" " * 10_000_000)
        packed = answer(bomb).replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1)
        async with issuer(packed, A) as place, httpx.AsyncClient(trust_env=False) as http:
            assert await jwks._read(http, place.url) == bomb

    asyncio.run(run())


def test_keys_come_change_and_stay(
    tmp_path: Path, wait_until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "ASK_EVERY", 0.0)
    monkeypatch.setattr(jwks, "AFTER_FAILURE", 0.01)

    async def run() -> None:
        async with issuer(BROKEN, answer(b"{}"), A) as place:
            async with followed(tmp_path, place.url) as verifier:
                await wait_until(counts(verifier, OLD))
                place.answers[:] = [B]
                await wait_until(counts(verifier, NEW))
                assert verifier.claims(OLD) is None
                place.answers[:] = [BROKEN]
                before = place.asked
                verifier.claims(OLD)

                async def asked_again() -> bool:
                    return place.asked > before + 1

                await wait_until(asked_again)
                assert verifier.claims(NEW) is not None, "the last known keys"
            async with followed(tmp_path, place.url) as verifier:
                assert verifier.claims(NEW) is not None, "from disk, before any answer"
            assert known_verifier(rules(place.url), tmp_path, Outcomes(), lambda: None)
            async with followed(tmp_path, place.url + "/another") as verifier:
                assert verifier.claims(NEW) is None, "keys belong to their place"

    asyncio.run(run())


def test_unknown_keys_ask_seldom(tmp_path: Path, wait_until: Until) -> None:
    async def run() -> None:
        async with issuer(A) as place, followed(tmp_path, place.url) as verifier:
            await wait_until(counts(verifier, OLD))
            for _ in range(50):
                assert verifier.claims(NEW) is None
                await asyncio.sleep(0)
            assert place.asked == 1

    asyncio.run(run())


def test_an_endless_answer(tmp_path: Path, wait_until: Until, caplog: Any) -> None:
    async def run() -> None:
        async with issuer(answer(b" " * (jwks.MAX_BYTES + 1))) as place:
            async with followed(tmp_path, place.url):

                async def said() -> bool:
                    return "longer than" in caplog.text

                await wait_until(said)
        assert not (tmp_path / FILE).exists()

    asyncio.run(run())


def test_plain_http_does_not_leave_the_machine(
    tmp_path: Path, wait_until: Until, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port}")

    async def run() -> None:
        async with issuer(A) as place, followed(tmp_path, place.url) as verifier:
            await wait_until(counts(verifier, OLD))

    asyncio.run(run())


def test_the_log_shows_no_key_of_an_address(
    tmp_path: Path, wait_until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with issuer(BROKEN) as place:
            async with followed(tmp_path, f"{place.url}?p=sign_in&api_key=abc"):

                async def said() -> bool:
                    return "?p=sign_in&api_key=REDACTED: status 503" in caplog.text

                await wait_until(said)
        assert "abc" not in caplog.text

    asyncio.run(run())


@pytest.mark.parametrize("content", [None, b"{", b'{"keys": []}'])
def test_a_wrong_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidConfig, match=r"context\.jwt\.jwks: .*keys\.json"):
        check_key_file(rules(str(path)).jwt)


@pytest.mark.parametrize("kept", [b"", b"[]", b'{"place": 1}', b'{"place": "P", "jwks": 1}'])
def test_a_wrong_file_in_the_state_folder(tmp_path: Path, kept: bytes) -> None:
    place = "https://issuer.example/keys"
    (tmp_path / FILE).write_bytes(kept.replace(b"P", place.encode()))
    verifier = known_verifier(rules(place), tmp_path, Outcomes(), lambda: None)
    assert verifier is not None
    assert not verifier.has_keys
