"""What belongs to one hop stays there, what belongs to the message arrives, on real sockets."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from typing import Any

import h11
import pytest

from proxy_in_process import PATIENCE, Peer, ProxyWorld, play
from routing.config import ProxyConfig

Patch = pytest.MonkeyPatch
Scene = Callable[[ProxyWorld], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%b\r\nok"


def proxied(scene: Scene, patch: Patch, **changes: object) -> None:
    """Play `scene` with `changes` in the configuration."""

    def configure(world: ProxyWorld) -> ProxyConfig:
        document = world.config(world.one, timeouts={"response": PATIENCE}).model_dump(mode="json")
        return ProxyConfig.model_validate({**document, **changes})

    play(scene, configure, patch)


def answers(data: bytes) -> Callable[[Peer, StreamReader, StreamWriter], Awaitable[None]]:
    """An origin that says `data`, and ends the connection after an answer of HTTP/1.0."""

    async def answer(_: Peer, __: StreamReader, writer: StreamWriter) -> None:
        writer.write(data)
        if data.startswith(b"HTTP/1.0 "):
            writer.close()

    return answer


async def told(world: ProxyWorld, data: bytes) -> bytes:
    """All that a client gets for `data` until the proxy closes."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        try:
            writer.write(data)
            return await reader.read()
        finally:
            writer.close()


def request(
    *fields: str, method: str = "GET", target: str = "/articles/1", version: str = "1.1"
) -> bytes:
    """The last one on its connection."""
    lines = (f"{method} {target} HTTP/{version}", "Host: a", "Connection: close", *fields, "", "")
    return "\r\n".join(lines).encode()


def values(message: str | bytes, name: str) -> list[str]:
    """Of the fields of that name in a message's head, in their order."""
    text = message if isinstance(message, str) else message.decode()
    lines = (line.partition(":") for line in text.partition("\r\n\r\n")[0].split("\r\n")[1:])
    return [value.strip() for key, _, value in lines if key.lower() == name.lower()]


# Via (RFC 9110, 7.6.3).


@pytest.mark.parametrize("trusted", [[], ["127.0.0.1"]])
@pytest.mark.parametrize("asked", ["1.1", "1.0"])
@pytest.mark.parametrize("answered", ["1.1", "1.0"])
@pytest.mark.parametrize("before", [[], ["1.0 fred, 1.1 migrator"], ["1.1 a", "HTTP/2 b"]])
def test_via_has_one_more_entry_with_the_version_that_came(
    trusted: list[str], asked: str, answered: str, before: list[str], monkeypatch: Patch
) -> None:
    lines = [f"Via: {each}" for each in before]

    async def scene(world: ProxyWorld) -> None:
        given = "".join(f"{line}\r\n" for line in lines)
        world.one.answer = answers((OK % given.encode()).replace(b"1.1", answered.encode(), 1))
        answer = await told(world, request(*lines, version=asked))
        head, _ = world.one.asked
        assert values(head, "Via") == [*before, f"{asked} migrator"]
        assert values(answer, "Via") == [*before, f"{answered} migrator"]
        assert answer.startswith(b"HTTP/1.1 200 ")

    proxied(scene, monkeypatch, trusted=trusted)


# Fields of one connection (RFC 9110, 7.6.1).


def test_what_connection_names_goes_no_further(monkeypatch: Patch) -> None:
    hop = ("Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: trailers", "X-Hop: 1")
    rest = ("X-Hop-Not: 1", "Trailer: X-Sum")

    async def scene(world: ProxyWorld) -> None:
        fields = ("Connection: x-hop, Keep-Alive", *hop, "x-HOP: 2", *rest)
        world.one.answer = answers(OK % "".join(f"{each}\r\n" for each in fields).encode())
        answer = await told(world, request(*fields))
        head, _ = world.one.asked
        for message in (head, answer):
            for field in hop:
                assert values(message, field.partition(":")[0]) == []
            for field in rest:
                name, _, value = field.partition(": ")
                assert values(message, name) == [value]
        assert values(head, "Connection") == []
        assert values(answer, "Connection") == ["close"]
        assert world.endpoint(world.one)["idle"] == 1, "the origin did not close"

    proxied(scene, monkeypatch)


def test_an_http_1_0_client_that_keeps_its_connection(monkeypatch: Patch) -> None:
    """RFC 9112, C.2.2."""

    async def scene(world: ProxyWorld) -> None:
        lasting = b"GET /articles/1 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
        both = await told(world, lasting + b"GET /articles/2 HTTP/1.0\r\n\r\n")
        first, _, second = both.partition(b"\r\n\r\none")
        assert values(first, "Connection") == ["keep-alive"]
        assert values(second, "Connection") == ["close"]
        assert second.startswith(b"HTTP/1.1 200 ")
        assert second.endswith(b"\r\n\r\none")
        assert world.one.seen == ["GET /articles/1 HTTP/1.1", "GET /articles/2 HTTP/1.1"]

    proxied(scene, monkeypatch)


# Max-Forwards (RFC 9110, 7.6.2).


@pytest.mark.parametrize(
    ("method", "target", "given", "arrives"),
    [
        ("OPTIONS", "/articles/1", "1", "0"),
        ("OPTIONS", "/articles/1", "10", "9"),
        ("TRACE", "/articles/1", "007", "6"),
        ("GET", "/articles/1", "0", "0"),
        ("GET", "/articles/1", "no number", "no number"),
        ("options", "/articles/1", "1", "1"),
        ("OPTIONS", "*", "3", "2"),
        ("OPTIONS", "http://b", "3", "2"),
    ],
)
def test_max_forwards_is_counted(
    method: str, target: str, given: str, arrives: str, monkeypatch: Patch
) -> None:
    async def scene(world: ProxyWorld) -> None:
        fields = ("X: y", f"max-forwards: {given}", "Z: z")
        answer = await told(world, request(*fields, method=method, target=target))
        assert answer.startswith(b"HTTP/1.1 200 ")
        head = world.one.asked[0] or world.old.asked[0]
        assert values(head, "Max-Forwards") == [arrives]
        assert (values(head, "X"), values(head, "Z")) == (["y"], ["z"])

    proxied(scene, monkeypatch)


@pytest.mark.parametrize(
    ("method", "target", "given", "status"),
    [
        ("OPTIONS", "/articles/1", "0", 200),
        ("OPTIONS", "*", "0", 200),
        ("OPTIONS", "http://b", "00", 200),
        ("TRACE", "/articles/1", "0", 405),
        ("TRACE", "/articles/1", "x", 400),
        ("OPTIONS", "relative", "0", 400),
        ("OPTIONS", "*", "1.0", 400),
    ],
)
def test_who_is_the_last_to_get_it_answers(
    method: str, target: str, given: str, status: int, monkeypatch: Patch
) -> None:
    async def scene(world: ProxyWorld) -> None:
        fields = (f"Max-Forwards: {given}", "Cookie: secret=1")
        asked = request(*fields, method=method, target=target)
        answer = await told(world, asked + request())
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert values(answer, "Connection") == ["close"]
        allowed = ["GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"]
        assert values(answer, "Allow") == ([] if status == 400 else allowed)
        assert b"secret" not in answer
        assert world.one.seen == world.old.seen == []

    proxied(scene, monkeypatch)


# Trailers (RFC 9110, 6.5).


def heard(machine: h11.Connection) -> tuple[bytes, list[tuple[bytes, bytes]]] | None:
    """Content and trailers of the message that h11 has been given; None if it is not complete."""
    content = b""
    while True:
        event = machine.next_event()
        if isinstance(event, h11.Data):
            content += event.data
        elif isinstance(event, h11.EndOfMessage):
            return content, list(event.headers)
        elif event is h11.NEED_DATA:
            return None


def chunked(machine: h11.Connection, head: Any) -> bytes:
    """A message of two chunks and a trailer."""
    events = [head, h11.Data(data=b"abc"), h11.Data(data=b"d")]
    said = b"".join(machine.send(event) or b"" for event in events)
    return said + (machine.send(h11.EndOfMessage(headers=[("X-Sum", "7")])) or b"")


CHUNKED = [("Host", "a"), ("Transfer-Encoding", "chunked"), ("Trailer", "X-Sum")]


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_trailers_arrive(version: str, monkeypatch: Patch) -> None:
    """But not where they would be taken for content, with a client that knows no chunks."""
    seen = []

    async def speaks(peer: Peer, reader: StreamReader, writer: StreamWriter) -> None:
        machine = h11.Connection(h11.SERVER)
        machine.receive_data(peer.asked[0].encode())
        while (message := heard(machine)) is None:
            machine.receive_data(await reader.read(100))
        seen.append(message)
        writer.write(chunked(machine, h11.Response(status_code=200, headers=CHUNKED[1:])))

    async def scene(world: ProxyWorld) -> None:
        world.one.answer = speaks
        machine = h11.Connection(h11.CLIENT)
        if version == "1.1":
            asked = h11.Request(method="POST", target="/articles/1", headers=CHUNKED)
            said = chunked(machine, asked).replace(b"\r\nHost", b"\r\nConnection: close\r\nHost", 1)
        else:
            machine.send(h11.Request(method="GET", target="/articles/1", headers=CHUNKED[:1]))
            machine.send(h11.EndOfMessage())
            said = request(version=version)
        answer = await told(world, said)
        assert values(answer, "Trailer") == ["X-Sum"]
        machine.receive_data(answer)
        machine.receive_data(b"")
        if version == "1.1":
            assert seen == [(b"abcd", [(b"x-sum", b"7")])]
            assert heard(machine) == (b"abcd", [(b"x-sum", b"7")])
        else:
            assert heard(machine) == (b"abcd", [])
            assert b"7" not in answer.partition(b"\r\n\r\n")[2]

    proxied(scene, monkeypatch)
