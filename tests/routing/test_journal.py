"""The journal's file, and the thread that commits to it."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import dying_worker
import routing
from routing.errors import CannotStart
from routing.journal import FILE, Journal, State
from routing.journal_order import Entry
from routing.journal_writer import JournalWriter
from routing.stages import Side
from second_writes import WRITE, append, fill


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal(tmp_path, fsync=False)) as opened:
        yield opened


def test_only_the_owner_may_read_it(journal: Journal, tmp_path: Path) -> None:
    fill(journal, State.PENDING)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert FILE in modes


def test_what_is_to_be_sent(journal: Journal) -> None:
    fill(journal, *State, State.PENDING)
    assert [each.id for each in journal.pending()] == [1, 5]
    content = journal.contents([1, 2, 99])
    assert set(content) == {1}, "what is not pending is not sent"
    assert (content[1].head, content[1].body) == (WRITE.head, WRITE.body)
    with journal.transaction():
        journal.tried(1, 5.0, 503, None, State.PENDING)
        journal.tried(5, 5.0, 422, None, State.REFUSED)
    (first,) = journal.pending()
    assert first.attempts == 1
    with journal.transaction():
        journal.replay([5])
        journal.remove(1)
    assert [(each.id, each.attempts) for each in journal.pending()] == [(5, 0)]


def test_a_side_that_is_away_does_not_hide_the_other(journal: Journal) -> None:
    with journal.transaction():
        for _ in range(5):
            append()(journal)
        append(side=Side.OLD)(journal)
        append(capability="search")(journal)
    assert [each.id for each in journal.pending(window=2)] == [1, 2, 6, 7]


def test_all_or_nothing(journal: Journal) -> None:
    with contextlib.suppress(ZeroDivisionError), journal.transaction():
        append()(journal)
        _ = 1 // 0
    assert journal.summary() == []


def test_numbers_are_not_given_again(journal: Journal) -> None:
    fill(journal, State.PENDING)
    with journal.transaction():
        journal.remove(1)
    fill(journal, State.PENDING)
    assert [each.id for each in journal.pending()] == [2]


def test_changes_of_others_are_noticed(journal: Journal, tmp_path: Path) -> None:
    before = journal.changes()
    with contextlib.closing(Journal(tmp_path)) as other:
        fill(other, State.PENDING)
    assert journal.changes() != before


def test_another_format(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(CannotStart, match="format 99, expected 1"):
        Journal(tmp_path)


def test_a_file_of_before(journal: Journal, tmp_path: Path) -> None:
    """Another process may still write to it in the old way."""
    fill(journal, State.PENDING)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as file:
        file.execute("ALTER TABLE writes DROP COLUMN probe")
        file.execute("DROP INDEX by_path")
    with contextlib.closing(Journal(tmp_path, fsync=False)) as opened:
        assert opened.contents([1])[1].probe == b""
        with opened.transaction():
            append(probe=b"GET / HTTP/1.1\r\n\r\n")(opened)
        assert opened.contents([2])[2].probe.startswith(b"GET / ")
        assert [each.id for each in opened.heads(("publishing", Side.NEW), 0, 9)] == [1]


@pytest.mark.parametrize(
    ("path", "state", "older", "disturbs"),
    [
        pytest.param("/a/7", State.PENDING, False, True, id="the-same"),
        pytest.param("/a/7/publish", State.REFUSED, True, True, id="below-it"),
        pytest.param("/a/70", State.PENDING, False, False, id="another"),
        pytest.param("/a", State.UNKNOWN, True, True, id="an-older-one-like-it"),
        pytest.param("/a", State.PENDING, False, False, id="a-newer-one-like-it"),
        pytest.param("/", State.REFUSED, True, False, id="above-it"),
    ],
)
def test_what_disturbs_a_probe(
    journal: Journal, path: str, state: State, older: bool, disturbs: bool
) -> None:
    """Of what POST /a has made at /a/7."""
    with journal.transaction():
        if older:
            append(path=path, state=state)(journal)
        append(path="/a")(journal)
        if not older:
            append(path=path, state=state)(journal)
    done = Entry(1 + older, "publishing", "articles", Side.NEW, "/a", 0)
    assert journal.disturbs(done, "/a/7", {done.id}) is disturbs
    assert not journal.disturbs(done, "/a/7", {1, 2})


@pytest.mark.parametrize(
    ("written", "state", "owed"),
    [
        pytest.param("/a/7", State.PENDING, True, id="itself"),
        pytest.param("/a/7/b", State.PENDING, True, id="below"),
        pytest.param("/a", State.PENDING, True, id="where-it-was-made"),
        pytest.param("/a/70", State.PENDING, False, id="another"),
        pytest.param("/a/7", State.REFUSED, False, id="waits-for-a-person"),
    ],
)
def test_what_is_owed_to_a_read(journal: Journal, written: str, state: State, owed: bool) -> None:
    with journal.transaction():
        append(path=written, state=state, side=Side.OLD)(journal)
    assert journal.owes("publishing", "/a/7", b"another") is owed
    assert not journal.owes("search", "/a/7", WRITE.context)
    assert journal.owes("publishing", "/b", WRITE.context) is (state is State.PENDING)


def test_no_database(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("something else, long enough to be looked at" * 100)
    with pytest.raises(CannotStart, match="cannot be used"):
        Journal(tmp_path)


def _append_many(folder: Path, count: int) -> None:
    with contextlib.closing(Journal(folder, fsync=False)) as journal:
        for _ in range(count):
            fill(journal, State.PENDING)


def test_processes_take_turns(tmp_path: Path) -> None:
    Journal(tmp_path, fsync=False).close()
    start = multiprocessing.get_context("spawn").Process
    processes = [start(target=_append_many, args=(tmp_path, 50)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    with contextlib.closing(Journal(tmp_path)) as journal:
        assert len(journal.pending()) == 100


def test_commits_in_order_and_tells(tmp_path: Path) -> None:
    async def run() -> list[tuple[int, bool]]:
        loop = asyncio.get_running_loop()
        writer = JournalWriter(tmp_path, loop, fsync=False)
        told: list[tuple[int, bool]] = []
        for number in range(20):

            def tell(written: bool, number: int = number) -> None:
                told.append((number, written))

            writer.submit(append(target=f"/{number}"), tell)
        await asyncio.to_thread(writer.close)
        await asyncio.sleep(0)
        return told

    assert asyncio.run(run()) == [(number, True) for number in range(20)]
    with contextlib.closing(Journal(tmp_path)) as journal:
        targets = [each["target"] for each in journal.entries(limit=100)]
    assert targets == [f"/{number}" for number in range(20)]


def test_a_disk_that_does_not_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who waits is told at once; the change is tried again until it is durable."""
    monkeypatch.setattr("routing.journal_writer.AGAIN", 0.01)
    monkeypatch.setattr("routing.journal_writer.MOST_UNWRITTEN", 2)
    full = True
    append_ = Journal.append

    def refuse(journal: Journal, write: object) -> None:
        if full:
            raise sqlite3.OperationalError("database or disk is full")
        append_(journal, WRITE)

    monkeypatch.setattr(Journal, "append", refuse)

    async def run() -> list[bool]:
        nonlocal full
        writer = JournalWriter(tmp_path, asyncio.get_running_loop(), fsync=False)
        told: list[bool] = []
        heard = asyncio.Event()

        def hear(written: bool) -> None:
            told.append(written)
            if written:
                heard.set()
            else:
                nonlocal full
                full = False

        fullness = []
        for _ in range(2):
            writer.submit(append(), hear)
            fullness.append(writer.full)
        assert fullness == [False, True]
        async with asyncio.timeout(20):
            await heard.wait()
        assert not writer.full
        await asyncio.to_thread(writer.close)
        return told

    told = asyncio.run(run())
    assert told[0] is False
    assert told[-1] is True
    assert "disk is full" in caplog.text
    with contextlib.closing(Journal(tmp_path)) as journal:
        assert len(journal.pending()) == 2


def test_a_worker_that_dies_at_any_point(tmp_path: Path) -> None:
    """What the first side has done, the other side has in the end: in order, once, and nothing is
    left. The client repeats with its key what got no answer."""
    shared_memory = Path("/dev/shm")
    folder = shared_memory if shared_memory.is_dir() else tmp_path  # quick, and survives processes
    with TemporaryDirectory(dir=folder) as place:
        done = subprocess.run(
            [sys.executable, dying_worker.__file__, place],
            env={**os.environ, "PYTHONPATH": str(Path(routing.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=True,
        )
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(ends) > 100, "points"
    for end in ends:
        assert end["old"] == end["new"] == [list(write) for write in dying_worker.WRITES], end
        assert end["left"] == 0
