"""Mirrored reads between an exchange and the other side, both played here."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy_builders import a_lane
from routing.config import Mirroring
from routing.copies import Sender, copied_head
from routing.copy_stats import CopyCell
from routing.group import Group
from routing.message import RequestHead, RequestReader, ResponseHead, ResponseReader
from routing.mirror import Mirror, ReadCopier, ReadCopy
from routing.parity.compare import NotCompared
from routing.parity.observing import Pair
from routing.stages import Access, Side

POST = b"POST /a?q HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Other:
    """The other side: an endpoint and its only connection."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.listeners: list[Any] = []

    def take(self, *, repeatable: bool) -> "Other":
        return self

    def start(self, listener: Any, method: bytes, data: bytes) -> None:
        self.sent.append(data)
        self.listeners.append(listener)

    def abort(self) -> None:
        pass


class Loop:
    """Calls what is due soon at once, and nothing later."""

    def call_soon(self, call: Any) -> None:
        call()

    def call_later(self, delay: float, call: Any) -> Any:
        return self

    def cancel(self) -> None:
        pass


class Observed:
    keep = 4

    def __init__(self, *, admitting: bool = True, repeating: bool = False) -> None:
        self.pairs: list[Pair] = []
        self.admitting = admitting
        self.repeating = repeating

    def admits(self, capability: str, access: Access) -> bool:
        assert (capability, access) == ("publishing", Access.READ)
        return self.admitting

    def repeats(self, capability: str, access: Access) -> bool:
        return self.repeating

    def observe(self, pair: Pair) -> None:
        self.pairs.append(pair)

    def skip(self, capability: str, access: Access, why: NotCompared) -> None:
        raise AssertionError("what is sent is compared")


class Bench:
    def __init__(self, rules: Mirroring | None = None, observer: Observed | None = None) -> None:
        loop = cast(asyncio.AbstractEventLoop, Loop())
        self.mirror = Mirror(rules or Mirroring(), loop, observer)
        self.other = Other()
        self.cell = CopyCell()
        group = cast(Group, SimpleNamespace(only=self.other))
        self.old = Other()
        old = cast(Group, SimpleNamespace(only=self.old))
        route = a_lane().route
        assert route is not None
        self.copier = ReadCopier(self.mirror, route, Side.OLD, group, self.cell, old)

    def copy(self, data: bytes = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n") -> ReadCopy | None:
        request = RequestReader().read(data)
        assert isinstance(request, RequestHead)
        copy = self.copier.copy(request, b"e30", data)
        if copy is not None:
            copy.dispatched(cast(Sender, None))
        return copy


def answer(data: bytes) -> ResponseHead:
    head = ResponseReader().read(data, b"GET")
    assert head is not None
    return head


OK = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
CHUNKS = answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def test_beyond_the_concurrency_reads_are_dropped() -> None:
    bench = Bench(Mirroring(concurrency=2))
    assert bench.copy() is not None
    assert bench.copy() is not None
    assert bench.copy() is None
    assert (bench.cell.requests, bench.cell.dropped) == (2, 1)
    bench.other.listeners[0].on_answer(OK, b"content", complete=True)
    assert bench.copy() is not None, "there is room again"


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(Mirroring(body=4), id="long-body"),
        pytest.param(Mirroring(memory=4), id="no-memory"),
    ],
)
def test_bodies_that_find_no_room(rules: Mirroring) -> None:
    bench = Bench(rules)
    copy = bench.copy(POST)
    assert copy is not None
    copy.add(b"5\r\nabcde\r\n", complete=False)
    copy.add(b"0\r\n\r\n", complete=True)
    assert bench.other.sent == []
    assert bench.cell.dropped == 1
    assert (bench.mirror.open, bench.mirror.room.left) == (0, bench.mirror.rules.memory)


def test_a_body_is_sent_when_it_is_complete() -> None:
    bench = Bench(Mirroring(memory=100))
    copy = bench.copy(POST)
    assert copy is not None
    copy.add(b"3\r\nabc\r\n", complete=False)
    assert bench.other.sent == []
    copy.add(b"0\r\n\r\n", complete=True)
    assert bench.other.sent == [copied_head(POST, b"read") + b"3\r\nabc\r\n0\r\n\r\n"]
    bench.other.listeners[0].on_answer(OK, b"content", complete=True)
    assert (bench.mirror.open, bench.mirror.room.left) == (0, 100)


@pytest.mark.parametrize("answered", [True, False])
def test_a_body_that_never_comes(answered: bool) -> None:
    bench = Bench()
    copy = bench.copy(POST)
    assert copy is not None
    copy.add(b"3\r\nabc\r\n", complete=False)
    if answered:
        copy.answered(OK, fell_back=False, release=lambda _: None)
    assert not copy.abandoned(None, fell_back=False)
    copy.add(b"0\r\n\r\n", complete=True)
    assert bench.other.sent == []
    assert (bench.cell.dropped, bench.mirror.open) == (1, 0)


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize(
    ("head", "content"),
    [
        pytest.param(OK, [b"con", b"tent"], id="length"),
        pytest.param(CHUNKS, [b"2\r\nco\r\n5\r\nnt", b"ent\r\n0\r\n\r\n"], id="chunks"),
    ],
)
def test_an_observer_sees_both(head: ResponseHead, content: list[bytes], ours_first: bool) -> None:
    observer = Observed()
    bench = Bench(observer=observer)
    copy = bench.copy()
    assert copy is not None

    def ours() -> None:
        assert copy.answered(head, fell_back=False, release=lambda _: None) is False
        copy.content(content[0], complete=False)
        copy.content(content[1], complete=True)

    def theirs() -> None:
        bench.other.listeners[0].on_answer(OK, b"cont", complete=False)
        bench.other.listeners[0].on_body(b"ent", complete=True)

    for step in (ours, theirs) if ours_first else (theirs, ours):
        assert observer.pairs == []
        step()
    (pair,) = observer.pairs
    assert (pair.old.status, pair.old.body, pair.new.status, pair.new.body) == (200, b"cont") * 2
    assert pair.new.complete


def test_an_answer_of_the_same_side_is_not_compared() -> None:
    observer = Observed()
    bench = Bench(observer=observer)
    copy = bench.copy()
    assert copy is not None
    copy.answered(OK, fell_back=True, release=lambda _: None)
    copy.content(b"content", complete=True)
    bench.other.listeners[0].on_answer(OK, b"content", complete=True)
    assert observer.pairs == []


def answered(copy: ReadCopy | None) -> ReadCopy:
    """The client has its whole answer."""
    assert copy is not None
    copy.answered(OK, fell_back=False, release=lambda _: None)
    copy.content(b"content", complete=True)
    return copy


def test_what_an_observer_does_not_admit_is_not_kept_for_it() -> None:
    observer = Observed(admitting=False)
    bench = Bench(observer=observer)
    copy = answered(bench.copy())
    bench.other.listeners[0].on_answer(OK, b"content", complete=True)
    assert observer.pairs == []
    assert not copy.tell(lambda *_: None)


def test_the_old_side_is_asked_twice() -> None:
    observer = Observed(repeating=True)
    bench = Bench(observer=observer)
    answered(bench.copy())
    assert bench.old.sent == bench.other.sent
    assert bench.mirror.open == 2
    bench.other.listeners[0].on_answer(OK, b"content", complete=True)
    assert observer.pairs == [], "the second answer is waited for"
    bench.old.listeners[0].on_answer(OK, b"other", complete=True)
    (pair,) = observer.pairs
    assert pair.again is not None
    assert (pair.new.body, pair.again.body) == (b"cont", b"othe")
    assert pair.again.head.startswith(b"HTTP/1.1 200 OK")
    assert bench.mirror.open == 0


def test_without_room_the_old_side_is_asked_once() -> None:
    bench = Bench(Mirroring(concurrency=1), Observed(repeating=True))
    answered(bench.copy())
    assert bench.old.sent == []


@pytest.mark.parametrize("told_first", [True, False])
def test_whoever_asks_is_told_whether_both_agree(told_first: bool) -> None:
    observer = Observed()
    bench = Bench(observer=observer)
    copy = answered(bench.copy())
    told: list[tuple[Side, int | None, bool | None]] = []

    def ask() -> None:
        assert copy.tell(lambda other, agree: told.append((other.side, other.status, agree)))

    if told_first:
        ask()
    bench.other.listeners[0].on_answer(OK, b"content", complete=True)
    assert told == []
    observer.pairs[0].agreed(False)
    if not told_first:
        ask()
    assert told == [(Side.NEW, 200, False)]


def test_the_head_of_a_copy_waits_for_nothing() -> None:
    out = b"PUT /a HTTP/1.1\r\nHost: a\r\nexpect: 100-continue\r\nCookie: c\r\n\r\n"
    expected = b"PUT /a HTTP/1.1\r\nHost: a\r\nCookie: c\r\nX-Migrator-Mirror: write\r\n\r\n"
    assert copied_head(out, b"write") == expected
