"""What the sender sees of a journal that holds more than it looks at."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.journal import Journal
from routing.journal_order import Order, above
from routing.journal_reader import EXPLORE_EVERY, JournalReader
from routing.stages import Side
from second_writes import append

PATHS = ("/", "/a", "/a/1", "/a/1/x", "/a/2", "/b", "/c", "/d", "/e", "/f")


@contextlib.contextmanager
def holding(folder: Path, *paths: str) -> Iterator[Journal]:
    """A new journal with one entry for each path, numbered from 1."""
    with contextlib.closing(Journal(folder, fsync=False)) as journal:
        with journal.transaction():
            for path in paths:
                append(path=path)(journal)
        yield journal


def found(reader: JournalReader, now: float, *, room: bool = True) -> list[int] | None:
    entries = reader.read(now, room=room)
    return None if entries is None else [each.id for each in entries]


def test_behind_a_full_window_are_the_first_of_further_paths(tmp_path: Path) -> None:
    with holding(tmp_path, *["/a"] * 5, "/b", "/b", "/a/1", "/c") as journal:
        reader = JournalReader(journal, window=4)
        assert found(reader, 0.0) == [1, 2, 3, 4]
        assert found(reader, 0.0) == [1, 2, 3, 4, 6, 9], "/a/1 waits for /a"
        assert found(reader, 0.0) is None, "nothing has changed"
        with contextlib.closing(Journal(tmp_path)) as other, other.transaction():
            other.remove(6)
            other.remove(9)
        assert found(reader, 0.1) == [1, 2, 3, 4], "what is done is not shown again"
        assert found(reader, EXPLORE_EVERY) == [1, 2, 3, 4, 7]


def test_no_look_behind_while_there_is_enough_to_do(tmp_path: Path) -> None:
    with holding(tmp_path, "/a", "/a", "/b") as journal:
        reader = JournalReader(journal, window=2)
        assert found(reader, 0.0, room=False) == [1, 2]
        assert found(reader, 9.0, room=False) is None


def test_one_window_of_them_after_another(tmp_path: Path) -> None:
    with holding(tmp_path, "/a", "/a", "/b", "/c", "/d", "/e", "/f") as journal:
        reader = JournalReader(journal, window=2)
        reader.read(0.0, room=True)
        seen = [found(reader, turn * EXPLORE_EVERY) for turn in range(4)]
    assert seen == [[1, 2, 3, 4], [1, 2, 5, 6], [1, 2, 7], [1, 2, 3, 4]]


def test_each_stream_has_its_own(tmp_path: Path) -> None:
    with holding(tmp_path, "/a", "/a", "/b") as journal:
        with journal.transaction():
            append(path="/a", side=Side.OLD)(journal)
            append(path="/z", capability="search")(journal)
        reader = JournalReader(journal, window=2)
        assert found(reader, 0.0) == [1, 2, 4, 5]
        assert found(reader, 0.0) == [1, 2, 4, 5, 3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journals")


@given(
    paths=st.lists(st.sampled_from(PATHS), max_size=30),
    stuck=st.sets(st.sampled_from(PATHS), max_size=3),
    window=st.integers(1, 5),
)
def test_what_is_stuck_starves_nobody_and_nobody_overtakes(
    folder: Path, paths: list[str], stuck: set[str], window: int
) -> None:
    """Entries of `stuck` paths fail for ever. All that need not wait for one of them is sent, each
    after the earlier ones of its path and of those above."""
    sent: list[int] = []
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(holding(folder, *paths))
        offset = next((each["id"] for each in journal.entries(limit=1)), 0)
        reader, order, now = JournalReader(journal, window=window), Order(4), 0.0
        writer = stack.enter_context(contextlib.closing(Journal(folder, fsync=False)))
        for _ in range(4 * len(paths) + 4):
            now += 20.0
            entries = reader.read(now, room=order.room > 0)
            if entries is not None:
                order.sync(entries)
            for each in order.due(now):
                if each.path in stuck:
                    order.failed(each.id, now)
                    continue
                sent.append(each.id - offset)
                order.done(each.id)
                with writer.transaction():
                    writer.remove(each.id)
        with journal.transaction():
            journal.discard([each["id"] for each in journal.entries(limit=100)], 0.0, "", "")

    def waits(id: int) -> bool:
        keys = {paths[id], *above(paths[id])} & stuck
        return any(path in keys for path in paths[: id + 1])

    assert set(sent) == {id for id in range(len(paths)) if not waits(id)}
    for position, id in enumerate(sent):
        for later in sent[position:]:
            if later < id:
                assert paths[later] not in (paths[id], *above(paths[id])), "overtaken"
