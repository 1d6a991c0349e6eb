"""Mirrored reads and second writes of a running proxy, seen by both sides."""

import asyncio
import contextlib
import fcntl
import itertools
import os
import re
import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx

from routing.journal import Journal

Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
ALICE = {"x-user": "alice"}
NEW_CONNECTION = {**ALICE, "connection": "close"}
"""Which any worker may take."""


class Recorder:
    """An origin's handler: knows what it was sent. `status`: what it says to it; None: nothing."""

    def __init__(self) -> None:
        self.copies: list[tuple[bytes, bytes]] = []
        """Head and body of what was marked as a copy."""
        self.requests: list[tuple[bytes, bytes]] = []
        """What was neither a copy nor a probe."""
        self.status: int | None = 200

    async def __call__(self, head: bytes, reader: Any, writer: Any) -> None:
        body = b""
        if length := re.search(rb"(?i)\ncontent-length: (\d+)", head):
            body = await reader.readexactly(int(length[1]))
        elif b"chunked" in head.lower():
            while not body.endswith(b"0\r\n\r\n"):
                body += await reader.readuntil(b"\r\n")
        if b"\r\nX-Migrator-Mirror: probe\r\n" not in head:
            marked = b"\r\nX-Migrator-Mirror: " in head
            (self.copies if marked else self.requests).append((head, body))
        if self.status is None:
            await reader.read()
        else:
            writer.write(b"HTTP/1.1 %d So\r\nContent-Length: 2\r\n\r\nok" % self.status)

    def clear(self) -> None:
        self.copies.clear()
        self.requests.clear()
        self.status = 200


def value(head: bytes, name: str) -> bytes:
    (found,) = re.findall(rb"(?i)\r\n%b: ([^\r]*)" % name.encode(), head)
    return bytes(found)


class Play:
    """A ready proxy between two recorders."""

    def __init__(self, world: Any, http: httpx.AsyncClient, until: Until) -> None:
        self.world = world
        self.http = http
        self.until = until
        self.old, self.new = Recorder(), Recorder()
        world.old.answer, world.new.answer = self.old, self.new
        self.url = f"{world.edge}/articles/1"
        self.at = ""

    async def stage(self, value: str) -> None:
        if self.at != value:
            await self.world.stage(self.http, value)
            self.at = value
        await self.drained()
        self.clear()

    def clear(self) -> None:
        self.old.clear()
        self.new.clear()

    async def write(
        self, body: bytes = b"abc", path: str = "/articles/1", key: str | None = None
    ) -> int:
        headers = {**ALICE, "Cookie": "session=secret"}
        if key is not None:
            headers["Idempotency-Key"] = key
        answer = await self.http.post(f"{self.world.edge}{path}", content=body, headers=headers)
        return answer.status_code

    async def copied(self, side: Recorder, count: int = 1) -> None:
        async def seen() -> bool:
            return len(side.copies) >= count

        await self.until(seen)

    async def journal(self, state: str | None = None) -> list[dict[str, Any]]:
        params = {} if state is None else {"state": state}
        answer = await self.http.get(f"{self.world.admin}/writes", params=params)
        return list(answer.json()["writes"])

    async def drained(self) -> None:
        async def empty() -> bool:
            return not await self.journal("pending")

        await self.until(empty)


async def each_stage(play: Play) -> None:
    """Who sees what, by the stage table."""
    for stage, first, other, mirrors in (
        ("dualwrite", play.old, play.new, False),
        ("shadow", play.old, play.new, True),
        ("live", play.new, play.old, True),
        ("rampdown", play.new, play.old, False),
    ):
        await play.stage(stage)
        await reads(play, first, other, mirrored=mirrors)
        play.clear()
        await second_writes(play, first, other)
        play.clear()
        await routes_that_opt_out(play, first, other)
    await play.stage("complete")
    await reads(play, play.new, play.old, mirrored=False)
    assert await play.write() == 200
    assert b"Idempotency-Key" not in play.new.requests[1][0]
    assert await play.journal() == []
    assert play.old.copies == play.old.requests == []


async def reads(play: Play, first: Recorder, other: Recorder, *, mirrored: bool) -> None:
    assert (await play.http.get(play.url, headers=ALICE)).text == "ok"
    ((asked, _),) = first.requests
    if not mirrored:
        assert other.copies == []
        return
    await play.copied(other)
    ((head, _),) = other.copies
    assert value(head, "X-Migrator-Mirror") == b"read"
    for name in ("X-Migrator-Context", "X-Migrator-Stage", "X-Forwarded-For"):
        assert value(head, name) == value(asked, name)
    other.status = None
    assert (await play.http.get(play.url, headers=ALICE)).text == "ok", "nobody waits for it"
    await play.copied(other, 2)


async def second_writes(play: Play, first: Recorder, other: Recorder) -> None:
    assert await play.write(b"a" * 100_000) == 200
    await play.copied(other)
    ((head, body),) = other.copies
    ((asked, _),) = first.requests
    assert body == b"a" * 100_000
    assert value(head, "X-Migrator-Mirror") == b"write"
    key = value(head, "Idempotency-Key")
    assert key == value(asked, "Idempotency-Key")
    assert re.fullmatch(rb'"[0-9a-f-]{36}"', key)
    assert await play.write(key='"mine"') == 200
    await play.copied(other, 2)
    assert value(other.copies[1][0], "Idempotency-Key") == b'"mine"'
    assert value(first.requests[1][0], "Idempotency-Key") == b'"mine"'


async def routes_that_opt_out(play: Play, first: Recorder, other: Recorder) -> None:
    url = f"{play.world.edge}/alone/1"
    assert (await play.http.get(url, headers=ALICE)).text == "ok"
    assert (await play.http.post(url, content=b"abc", headers=ALICE)).text == "ok"
    assert b"Idempotency-Key" not in first.requests[1][0]
    assert await play.write(b"a mark") == 200
    await play.copied(other)
    assert [body for _, body in other.copies] == [b"a mark"]


async def chunks_and_expectations(play: Play) -> None:
    await play.stage("dualwrite")

    async def pieces() -> Any:
        yield b"abc"
        yield b"de"

    await play.http.post(play.url, content=pieces(), headers={**ALICE, "Expect": "100-continue"})
    await play.copied(play.new)
    ((head, body),) = play.new.copies
    assert b"".join(re.findall(rb"\d\r\n(\w+)\r\n", body)) == b"abcde"
    assert b"Expect" not in head


async def first_writes_that_fail(play: Play) -> None:
    await play.stage("dualwrite")
    for play.old.status in (400, 404, 500):
        assert await play.write(path="/articles/failed") == play.old.status
    play.old.status = 201
    assert await play.write(path="/articles/done") == 201
    await play.copied(play.new)
    assert [head.split()[1] for head, _ in play.new.copies] == [b"/articles/done"]


async def the_other_side_fails(play: Play) -> None:
    """It is asked again until it takes the writes, in their order; a refusal is kept."""
    await play.stage("dualwrite")
    play.new.status = 503
    for body in (b"1", b"2", b"3"):
        assert await play.write(body) == 200
    await play.copied(play.new, 2)
    assert {body for _, body in play.new.copies} == {b"1"}
    assert [each["size"] for each in await play.journal("pending")] == [1, 1, 1]
    play.new.clear()
    await play.drained()
    assert [body for _, body in play.new.copies] == [b"1", b"2", b"3"]

    play.new.status = 422
    assert await play.write(b"secret") == 200

    async def refused() -> bool:
        return bool(await play.journal("refused"))

    await play.until(refused)
    (told,) = await play.journal("refused")
    assert (told["status"], told["attempts"], told["side"]) == (422, 1, "new")
    assert "secret" not in str(told)
    play.new.clear()
    with contextlib.closing(Journal(play.world.folder)) as journal, journal.transaction():
        journal.replay([told["id"]])
    await play.copied(play.new)
    assert [body for _, body in play.new.copies] == [b"secret"], "what an operator asks is done"


async def the_flag_goes_off_while_the_service_is_owed_a_write(play: Play) -> None:
    await play.stage("dualwrite")
    play.new.status = 503
    assert await play.write(b"held") == 200
    await play.copied(play.new)
    await play.world.stage(play.http, "off")
    play.at = "off"
    play.new.clear()
    assert await play.write(b"meanwhile") == 200
    assert [each["size"] for each in await play.journal("pending")] == [4]
    await play.world.stage(play.http, "live")
    await play.copied(play.new)
    assert [body for _, body in play.new.copies] == [b"held"]
    play.at = "live"


async def a_service_is_switched_off(play: Play) -> None:
    """What the monolith does meanwhile the service gets when it is on again, unless that user's
    writes were none of its business."""
    await play.stage("live")
    await play.world.add_switch(play.http)
    await play.world.change(play.http, "articles-service", {"kind": "turnFlagOff"})

    async def nobody_is_at_the_service() -> bool:
        play.clear()
        answers = [await play.http.get(play.url, headers=NEW_CONNECTION) for _ in range(12)]
        decisions = [answer.headers["x-migrator-decision"] for answer in answers]
        return all("PREREQUISITE_FAILED" in decision for decision in decisions)

    await play.until(nobody_is_at_the_service)
    play.clear()
    assert await play.write(b"meanwhile", key='"meanwhile"') == 200
    assert [body for _, body in play.old.requests] == [b"meanwhile"]
    (told,) = await play.journal("pending")
    assert (told["stage"], told["side"]) == ("off", "new")
    assert play.new.requests == play.new.copies == []
    await play.world.change(play.http, "articles-service", {"kind": "turnFlagOn"})
    await play.copied(play.new)
    ((head, body),) = play.new.copies
    assert (value(head, "Idempotency-Key"), body) == (b'"meanwhile"', b"meanwhile")
    await play.drained()

    await play.world.change(play.http, "articles-service", {"kind": "turnFlagOff"})
    await play.until(nobody_is_at_the_service)
    assert await play.write(b"of nobody") == 200
    await play.world.stage(play.http, "off")
    play.at = "off"
    assert [each["size"] for each in await play.journal("pending")] == [9]
    play.clear()
    await play.world.change(play.http, "articles-service", {"kind": "turnFlagOn"})
    await play.drained()
    assert play.new.requests == play.new.copies == []


async def the_monolith_takes_it_instead(play: Play) -> None:
    await play.stage("live")
    play.world.new.stop()
    assert await play.write(b"fallen back") == 200
    assert [body for _, body in play.old.requests] == [b"fallen back"]
    await play.world.new.start()
    await play.copied(play.new)
    assert play.new.copies[0][1] == b"fallen back"
    assert play.old.copies == []


async def the_flag_goes_off_while_the_monolith_is_owed_a_write(play: Play) -> None:
    await play.stage("live")
    play.old.status = 503
    assert await play.write(b"owed") == 200
    await play.copied(play.old)
    await play.world.stage(play.http, "off")
    play.at = "off"
    play.old.clear()
    await play.drained()
    assert [body for _, body in play.old.copies] == [b"owed"]


async def the_answer_waits_for_the_journal(play: Play) -> None:
    """Nobody is told of a write before it is durable. A journal that takes too long is no answer;
    the write is sent all the same."""
    await play.stage("dualwrite")
    for patient in (True, False):
        await play.drained()
        play.clear()
        with (play.world.folder / "second-writes.db-turns").open() as turns:
            fcntl.flock(turns, fcntl.LOCK_EX)
            asked = asyncio.create_task(play.write(b"waits"))

            async def done_by_the_first() -> bool:
                return bool(play.old.requests)

            await play.until(done_by_the_first)
            assert (await play.http.get(play.url, headers=ALICE)).text == "ok"
            assert not asked.done()
            assert await play.journal("pending") == []
            if not patient:
                assert await asked == 504
        assert await asked == (200 if patient else 504)
        await play.copied(play.new)
        assert [body for _, body in play.new.copies] == [b"waits"]


async def a_client_that_does_not_wait(play: Play) -> None:
    """What the first side makes of its write is learned all the same."""
    await play.stage("dualwrite")
    gone = asyncio.Event()
    record = play.old

    async def slow(head: bytes, reader: Any, writer: Any) -> None:
        await gone.wait()
        await record(head, reader, writer)

    play.world.old.answer = slow
    with contextlib.suppress(httpx.ReadTimeout):
        await play.http.post(play.url, content=b"left", headers=ALICE, timeout=0.3)
    gone.set()
    await play.copied(play.new)
    assert [body for _, body in play.new.copies] == [b"left"]
    play.world.old.answer = record


async def writes_that_find_no_room(play: Play) -> None:
    """They are refused before either side has them whole, and those that are accepted arrive."""
    await play.stage("dualwrite")
    assert await play.write(b"x" * 200_001) == 413

    async def without_length() -> Any:
        for _ in range(7):
            yield b"y" * 30_000

    answer = await play.http.post(play.url, content=without_length(), headers=ALICE)
    assert answer.status_code == 413
    assert play.old.requests == play.new.copies == []

    host, _, port = play.world.edge.removeprefix("http://").partition(":")
    uploads = [Upload(letter, await asyncio.open_connection(host, int(port))) for letter in LETTERS]

    async def all_decided() -> bool:
        refused = sum(upload.answer.done() for upload in uploads)
        asked = sum(UPLOAD_LENGTH in head for head in play.world.old.seen)
        return refused + asked == len(uploads)

    await play.until(all_decided)
    accepted = [upload for upload in uploads if not upload.answer.done()]
    assert 2 <= len(accepted) <= 4, "each of two workers has room for two"
    for upload in uploads:
        assert await upload.finish() == (b"200" if upload in accepted else b"503")
    bodies = [upload.body for upload in accepted]
    await play.copied(play.new, len(bodies))
    assert sorted(body for _, body in play.old.requests) == bodies
    assert sorted(body for _, body in play.new.copies) == bodies
    await play.drained()
    assert await play.journal("incomplete") == []


LETTERS = b"abcdefg"
UPLOAD_LENGTH = b"Content-Length: 150000\r\n"


class Upload:
    """A write that waits with the end of its body until `finish`; `answer`: status line."""

    def __init__(
        self, letter: int, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        self.body = bytes([letter]) * 150_000
        reader, self._writer = connection
        self._writer.write(
            b"POST /articles/1 HTTP/1.1\r\nHost: a\r\nX-User: alice\r\n%b\r\n%b"
            % (UPLOAD_LENGTH, self.body[:1000])
        )
        self.answer = asyncio.create_task(reader.readline())

    async def finish(self) -> bytes:
        """The answer's status."""
        self._writer.write(self.body[1000:])
        status = (await self.answer).split()[1]
        self._writer.close()
        return status


async def what_only_an_operator_can_repeat(play: Play) -> None:
    await play.stage("dualwrite")
    before = {each["id"] for each in await play.journal()}
    play.old.status = None
    assert await play.write(b"who knows") == 504

    async def listed() -> bool:
        return len(await play.journal()) == len(before) + 1

    await play.until(listed)
    (told,) = [each for each in await play.journal() if each["id"] not in before]
    assert (told["state"], told["target"]) == ("unknown", "/articles/1")
    assert play.new.copies == []


async def figures(play: Play) -> None:
    await play.stage("dualwrite")

    async def counted() -> bool:
        cells = (await play.world.stats(play.http))["copies"]
        return {cell["access"] for cell in cells if cell["requests"]} == {"read", "write"}

    paths = (f"/articles/compared-{number}" for number in itertools.count())

    async def compared() -> bool:
        # Each another article: what is written while the journal owes something waits behind that.
        await play.write(path=next(paths))
        parity = (await play.world.stats(play.http))["parity"]
        return any(cell["access"] == "write" and cell["equal"] for cell in parity)

    await play.until(counted)
    await play.until(compared)
    await play.drained()
    stats = await play.world.stats(play.http)
    assert {each["state"] for each in stats["second_writes"]} == {"unknown"}
    text = (await play.http.get(f"{play.world.admin}/metrics")).text
    assert re.search(r'writes_turned_away_total\{capability="publishing"\} [1-9]', text)
    assert re.search(r'mirrored_reads_total\{capability="publishing"\} [1-9]', text)
    assert re.search(r'second_writes_total\{capability="publishing"\} [1-9]', text)
    assert re.search(r'second_writes_refused_total\{capability="publishing"\} 1', text)
    assert re.search(r'journal_entries\{.*state="unknown"\} [1-9]', text)
    assert re.search(r'copy_seconds_count\{access="write",capability="publishing"\} [1-9]', text)


PLAYS = (
    each_stage,
    chunks_and_expectations,
    the_answer_waits_for_the_journal,
    a_client_that_does_not_wait,
    first_writes_that_fail,
    writes_that_find_no_room,
    what_only_an_operator_can_repeat,
    the_other_side_fails,
    the_flag_goes_off_while_the_service_is_owed_a_write,
    the_flag_goes_off_while_the_monolith_is_owed_a_write,
    the_monolith_takes_it_instead,
    a_service_is_switched_off,
    figures,
)


def test_one_running_proxy(begin: Begin, free_port: int, wait_until: Until) -> None:
    """Every play of this file, one after another."""
    route = {"path": "/articles/{id}", "service": "articles"}
    alone = {"path": "/alone/{id}", "service": "articles"}
    alone |= {"mirror_reads": False, "second_writes": False}  # type: ignore[dict-item]
    switches = ["articles-service"]
    capability = {"flag": "publishing", "routes": [route, alone], "switches": switches}

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy(
                free_port,
                capabilities={"publishing": capability},
                second_writes={"body": 200_000, "capture": 400_000, "timeout": 2.0},
                parity={"noise_share": 0},  # no read is repeated at the monolith to learn its noise
            )
            await world.ready(http)
            play = Play(world, http, wait_until)
            for each in PLAYS:
                await asyncio.wait_for(each(play), 60)

    asyncio.run(run())


def test_workers_are_killed_under_load(begin: Begin, wait_until: Until) -> None:
    """Whatever dies: each write that was acknowledged arrives at the other side."""

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy()
            await world.ready(http)
            play = Play(world, http, wait_until)
            await play.stage("dualwrite")
            play.new.status = 503  # so that much is waiting when they die
            acknowledged: set[bytes] = set()
            enough = asyncio.Event()

            async def client(number: int) -> None:
                count = 0
                while not enough.is_set():
                    count += 1
                    key = f'"{number}-{count}"'
                    with contextlib.suppress(httpx.TransportError):
                        path = f"/articles/{number}"
                        if await play.write(path=path, key=key) == 200:
                            acknowledged.add(key.encode())

            clients = [asyncio.create_task(client(number)) for number in range(8)]

            async def loaded() -> bool:
                return len(acknowledged) >= 40

            await wait_until(loaded)
            for worker in (await world.stats(http))["workers"]:
                os.kill(worker["pid"], signal.SIGKILL)
            enough.set()
            play.new.status = 200
            await asyncio.gather(*clients)
            await play.drained()
            applied = [value(head, "Idempotency-Key") for head, _ in play.new.copies]
            assert acknowledged <= set(applied)
            for number in range(8):
                mine = [key for key in dict.fromkeys(applied) if key.startswith(b'"%d-' % number)]
                assert mine == sorted(mine, key=lambda key: int(key[1:-1].split(b"-")[1]))

    asyncio.run(run())
