"""The sender of second writes of a proxy in this process: what goes wrong, and goes on."""

import contextlib
import logging
import sqlite3
from functools import partial
from typing import Any

import pytest

from proxy_in_process import ProxyWorld, play
from routing import journal_sender
from routing.config import ProxyConfig
from routing.copying import Copying
from routing.journal import Journal
from routing.journal_reader import JournalReader
from routing.stages import Side
from second_writes import append


def configure(world: ProxyWorld) -> ProxyConfig:
    return world.config(world.one)


def put(world: ProxyWorld, *paths: str, **changes: Any) -> None:
    """Writes of earlier processes."""
    with contextlib.closing(Journal(world.folder)) as journal, journal.transaction():
        for path in paths:
            head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n".encode()
            append(path=path, target=path, head=head, **changes)(journal)


def left(world: ProxyWorld) -> int:
    with contextlib.closing(Journal(world.folder)) as journal:
        return len(journal.entries(limit=100))


async def drained(world: ProxyWorld) -> None:
    world.proxy.copying.start()
    await world.until(lambda: left(world) == 0)


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(sqlite3.OperationalError("disk I/O error"), id="the-disk"),
        pytest.param(RuntimeError("a mistake of ours"), id="a-mistake"),
    ],
)
def test_it_goes_on_after_whatever_went_wrong(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read, failures = JournalReader.read, iter([True, True])

    def fails(reader: JournalReader, *arguments: Any, **options: Any) -> Any:
        if next(failures, False):
            raise trouble
        return read(reader, *arguments, **options)

    monkeypatch.setattr(JournalReader, "read", fails)
    monkeypatch.setattr(journal_sender, "pause", lambda failures: failures / 1000)

    async def scene(world: ProxyWorld) -> None:
        put(world, "/articles/1")
        await drained(world)
        assert world.one.seen == ["POST /articles/1 HTTP/1.1"]

    play(scene, configure, monkeypatch)
    pauses = [r.args for r in caplog.records if r.getMessage().startswith("journal.sender.failed")]
    assert pauses == [(0.001,), (0.002,)], "longer each time"


def test_one_that_cannot_be_sent_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    resolve, fail = Copying._resolve, True

    def fails(copying: Copying, capability: str, service: str, side: Side, context: bytes) -> Any:
        if fail and context == b"broken":
            raise RuntimeError("a mistake of ours")
        return resolve(copying, capability, service, side, context)

    monkeypatch.setattr(Copying, "_resolve", fails)

    async def scene(world: ProxyWorld) -> None:
        nonlocal fail
        put(world, "/articles/1", context=b"broken")
        put(world, "/articles/1", "/articles/2", "/articles/3")
        world.proxy.copying.start()
        await world.until(lambda: left(world) == 2)
        assert sorted(world.one.seen) == [f"POST /articles/{n} HTTP/1.1" for n in (2, 3)]
        fail = False
        await world.until(lambda: left(world) == 0)
        assert len(world.one.seen) == 4

    with caplog.at_level(logging.ERROR):
        play(scene, configure, monkeypatch)
    assert "second_write.not_sent id=1" in caplog.text


def test_a_failing_path_starves_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more of it in the journal than is looked at together."""
    monkeypatch.setattr(journal_sender, "JournalReader", partial(JournalReader, window=5))
    monkeypatch.setattr("routing.journal_reader.EXPLORE_EVERY", 0.01)

    async def scene(world: ProxyWorld) -> None:
        put(world, *["/elsewhere"] * 20, service="nobody")  # held: no such service
        put(world, *["/articles/1"] * 3, side=Side.OLD)
        put(world, "/articles/1", "/articles/2", "/articles/1")
        world.proxy.copying.start()
        await world.until(lambda: left(world) == 20)
        assert world.one.seen == [f"POST /articles/{n} HTTP/1.1" for n in (1, 2, 1)]
        assert len(world.old.seen) == 3

    play(scene, configure, monkeypatch)
