"""Bodies on their way into the journal: what is claimed, what is on disk, what is left of it."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from routing.config import SecondWrites
from routing.errors import NoRoom
from routing.message import CHUNKED
from routing.spool import BACKLOG, IN_MEMORY, PATIENCE, Spool, SpooledBody

MIB = 1024 * 1024
Make = Callable[..., "Bench"]


class Thread:
    """The thread that writes, and the way back to the loop: each moves when a test says so."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], object]] = []
        self.told: list[Callable[[], object]] = []

    def submit(self, job: Callable[[], None]) -> None:
        self.jobs.append(job)

    def tell(self, call: Callable[..., object], *values: object) -> None:
        self.told.append(lambda: call(*values))

    def work(self) -> None:
        """Everything that there is to do."""
        while self.jobs or self.told:
            for queue in (self.jobs, self.told):
                while queue:
                    queue.pop(0)()


class Bench:
    def __init__(self, folder: Path, **rules: int) -> None:
        self.thread = Thread()
        self.rules = SecondWrites(**rules)  # type: ignore[arg-type]
        self.now = 0.0
        self.spool = Spool(
            folder, self.rules, self.thread.submit, self.thread.tell, lambda: self.now
        )
        self.changes = 0
        self.calls_off = False
        """What is broken is closed, as its write does."""
        self._bodies: list[SpooledBody] = []

    def body(self, length: int = CHUNKED) -> SpooledBody:
        self._bodies.append(self.spool.body(length, self._changed))
        return self._bodies[-1]

    def close(self) -> None:
        """All bodies."""
        for body in self._bodies:
            body.close()
        self.thread.work()

    def _changed(self) -> None:
        self.changes += 1
        for body in self._bodies if self.calls_off else ():
            if body.broken:
                body.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Bench] = []

    def begin(folder: str = "", **rules: int) -> Bench:
        made.append(Bench(tmp_path / folder, **rules))
        return made[-1]

    yield begin
    for bench in made:
        bench.close()


@contextmanager
def refused(status: int) -> Iterator[None]:
    with pytest.raises(NoRoom) as caught:
        yield
    assert caught.value.status == status


def open_files() -> int:
    return sum(
        os.path.realpath(f"/proc/self/fd/{number}").endswith("(deleted)")
        for number in os.listdir("/proc/self/fd")
    )


def test_what_can_never_fit_and_what_does_not_fit_now(make: Make) -> None:
    bench = make(body=1000, capture=1500)
    with refused(413):
        bench.body(1001)
    first = bench.body(1000)
    with refused(503):
        bench.body(501)
    bench.body(500).close()
    first.close()
    assert bench.body(1000)
    bench.spool.apply(SecondWrites(capture=800))
    with refused(413):
        bench.body(801)
    assert bench.spool.room.left == -200, "what was taken before the change"


def test_chunks_claim_room_as_they_come(make: Make) -> None:
    bench = make(body=1000, capture=1500)
    first, second = bench.body(), bench.body()
    first.add(b"a" * 800)
    second.add(b"b" * 700)
    with refused(503):
        second.add(b"b")
    with refused(413):
        first.add(b"a" * 201)
    first.close()
    second.add(b"b")
    assert second.seal()() == b"b" * 701


def test_who_holds_room_and_does_not_fill_it_gives_way(make: Make) -> None:
    bench = make(body=100_000, capture=250_000)
    bench.calls_off = True
    silent, quick, slow = bench.body(100_000), bench.body(100_000), bench.body(50_000)
    quick.add(b"a" * 60_000)
    slow.add(b"a" * 20_000)
    with refused(503):
        bench.body(1)
    bench.now = PATIENCE + 0.1
    slow.add(b"a" * 2_000)
    first = bench.body(90_000)
    assert [each.broken for each in (silent, slow, quick)] == [True, False, False]
    with refused(503):
        bench.body(90_000)
    bench.now = 60.0
    quick.add(b"a" * 40_000)
    assert bench.body(70_000), "what has come whole never gives way"
    assert [each.broken for each in (slow, quick, first)] == [True, False, True]


def test_a_small_body_costs_no_file(make: Make) -> None:
    bench = make()
    body = bench.body(IN_MEMORY)
    body.add(b"a" * IN_MEMORY)
    assert bench.thread.jobs == []
    assert body.seal()() == b"a" * IN_MEMORY
    body.close()
    assert bench.thread.jobs == []


def test_a_client_waits_for_the_disk(make: Make) -> None:
    bench = make()
    body = bench.body()
    sent: list[bytes] = []
    while not body.full:
        sent.append(bytes([len(sent)]) * 50_000)
        body.add(sent[-1])
    assert bench.spool.in_memory == len(sent) * 50_000 <= BACKLOG + 50_000
    bench.thread.work()
    assert (body.full, bench.spool.in_memory) == (False, 0)
    assert bench.changes > 0
    files = open_files()
    assert body.seal()() == b"".join(sent)
    body.close()
    bench.thread.work()
    assert open_files() == files - 1


def test_when_memory_is_short_small_bodies_go_to_disk_too(make: Make) -> None:
    bench = make(memory=MIB)
    bodies = []
    for _ in range(MIB // 60_000 + 1):
        bodies.append(bench.body())
        bodies[-1].add(b"a" * 60_000)
    with refused(503):
        bench.body()
    assert bench.spool.in_memory > MIB
    bench.thread.work()
    assert bench.spool.in_memory <= MIB // 2 + 60_000
    assert bench.body()
    assert {body.seal()() for body in bodies} == {b"a" * 60_000}


def test_a_disk_that_refuses_it(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    bench = make("nowhere")
    body = bench.body()
    body.add(b"a" * 100_000)
    bench.thread.work()
    assert body.broken
    assert bench.changes == 1
    assert "nowhere" in caplog.text
    assert body.seal()() == b"a" * 100_000, "what has come is not lost"
    body.close()
    assert bench.spool.in_memory == 0


class Bodies(RuleBasedStateMachine):
    """Any bodies, while thread and loop lag behind as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.bench = Bench(Path(self.folder.name), body=400_000, capture=900_000, memory=MIB)
        self.open: list[tuple[SpooledBody, list[bytes], int]] = []
        self.sealed: list[tuple[Callable[[], bytes], SpooledBody, bytes, int]] = []
        self.count = 0

    def refusal(self, total: int, more: int) -> AbstractContextManager[None]:
        """What a body of `total` bytes deserves that needs room for `more`."""
        if total > 400_000:
            return refused(413)
        return refused(503) if more > self.bench.spool.room.left else nullcontext()

    @rule(length=st.sampled_from([CHUNKED, 1, 70_000, 400_000, 400_001]))
    def begin(self, length: int) -> None:
        with self.refusal(max(length, 0), max(length, 0)):
            self.open.append((self.bench.body(length), [], max(length, 0)))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), size=st.sampled_from([1, 1000, 70_000, 300_000]))
    def add(self, data: st.DataObject, size: int) -> None:
        index = data.draw(st.integers(0, len(self.open) - 1))
        body, pieces, claimed = self.open[index]
        self.count += 1
        piece = bytes([self.count % 256]) * size
        total = sum(map(len, pieces)) + size
        with self.refusal(total, max(0, total - claimed)):
            body.add(piece)
            pieces.append(piece)
            self.open[index] = body, pieces, max(claimed, total)

    @precondition(lambda self: self.bench.thread.jobs)
    @rule()
    def write(self) -> None:
        self.bench.thread.jobs.pop(0)()

    @precondition(lambda self: self.bench.thread.told)
    @rule()
    def hear(self) -> None:
        self.bench.thread.told.pop(0)()

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def seal(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.open) - 1))
        body, pieces, claimed = self.open.pop(index)
        self.sealed.append((body.seal(), body, b"".join(pieces), claimed))

    @precondition(lambda self: self.sealed)
    @rule()
    def journal(self) -> None:
        content, body, expected, _ = self.sealed.pop(0)
        assert content() == expected
        body.close()

    @precondition(lambda self: self.open)
    @rule()
    def call_off(self) -> None:
        self.open.pop(0)[0].close()

    @invariant()
    def room_is_what_is_not_claimed(self) -> None:
        claimed = sum(each[2] for each in self.open) + sum(each[3] for each in self.sealed)
        assert self.bench.spool.room.left == 900_000 - claimed >= 0

    @invariant()
    def memory_is_what_the_disk_has_not(self) -> None:
        held = sum(len(b"".join(each[1])) for each in self.open)
        held += sum(len(each[2]) for each in self.sealed)
        assert 0 <= self.bench.spool.in_memory <= held
        if not (self.bench.thread.jobs or self.bench.thread.told):
            assert all(not body.full for body, _, _ in self.open)

    def teardown(self) -> None:
        while self.sealed:
            self.journal()
        self.bench.close()
        assert self.bench.spool.in_memory == 0
        assert self.bench.spool.room.left == 900_000
        self.folder.cleanup()


TestBodies = Bodies.TestCase
TestBodies.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
