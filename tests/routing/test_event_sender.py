"""Posts of events to a server that fails."""

import asyncio
import json
import logging
import re

import pytest

from routing.event_sender import EventSender

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
FAILED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("answers", "dropped"),
    [
        pytest.param([ACCEPTED], False, id="delivered"),
        pytest.param([FAILED, ACCEPTED], False, id="at-the-second-try"),
        pytest.param([FAILED, FAILED], True, id="given-up"),
    ],
)
def test_tries(answers: list[bytes], dropped: bool, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[tuple[str, bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(seen) < len(answers):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?i)content-length: (\d+)", head)
            assert length is not None
            seen.append((head, await reader.readexactly(int(length[1]))))
            writer.write(answers[len(seen) - 1])
        writer.close()
        await writer.wait_closed()
        ended.set()

    ended = asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        async with server, EventSender(f"http://{host}:{port}", "sdk-secret") as sender:
            await sender.send([{"kind": "summary"}])
            await ended.wait()

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert [json.loads(body) for _, body in seen] == [[{"kind": "summary"}]] * len(answers)
    ids = {re.findall(r"(?i)x-launchdarkly-payload-id: (\S+)", head)[0] for head, _ in seen}
    assert len(ids) == 1, "a repeated try counts once"
    assert all(head.startswith("POST /bulk ") and "sdk-secret" in head for head, _ in seen)
    assert ("events.dropped" in caplog.text) == dropped
    assert "sdk-secret" not in caplog.text


def test_nobody_listens(caplog: pytest.LogCaptureFixture, free_port: int) -> None:
    async def run() -> None:
        async with EventSender(f"http://127.0.0.1:{free_port}", "sdk-secret") as sender:
            await sender.send([{"kind": "summary"}])

    asyncio.run(run())
    assert "events.dropped" in caplog.text
