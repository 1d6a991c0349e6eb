"""Times of second writes that all workers see."""

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.errors import CannotStart
from routing.journal_order import touches
from routing.settled import Settled


@pytest.fixture
def settled(tmp_path: Path) -> Iterator[Settled]:
    with closing(Settled(tmp_path)) as one:
        yield one


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        pytest.param("/a/7", True, id="itself"),
        pytest.param("/a/7/b/c", True, id="below"),
        pytest.param("/a", True, id="where-it-was-made"),
        pytest.param("/", True, id="at-the-root"),
        pytest.param("/a/70", False, id="another"),
        pytest.param("/b", False, id="elsewhere"),
    ],
)
def test_which_writes_a_read_may_show(settled: Settled, written: str, seen: bool) -> None:
    settled.note("publishing", written, b"alice", 5.0)
    assert settled.since("publishing", "/a/7", b"bob", 4.0, 6.0) is seen
    assert not settled.since("publishing", "/a/7", b"bob", 5.5, 6.0), "it began after that"
    assert not settled.since("search", "/a/7", b"bob", 4.0, 6.0)


def test_who_has_written_may_look_for_it_anywhere(settled: Settled) -> None:
    settled.note("publishing", "/api/articles/7/publish", b"alice", 5.0)
    assert settled.since("publishing", "/articles/7", b"alice", 4.0, 6.0)
    assert not settled.since("publishing", "/articles/7", b"alice", 5.5, 6.0)
    assert not settled.since("search", "/articles/7", b"alice", 4.0, 6.0)


def test_what_was_noted_before_the_machine_was_started_anew(settled: Settled) -> None:
    settled.note("publishing", "/a", b"alice", 1_000_000.0)
    assert not settled.since("publishing", "/a", b"bob", 4.0, 6.0)


def test_every_worker_sees_it(settled: Settled, tmp_path: Path) -> None:
    with closing(Settled(tmp_path)) as other:
        settled.note("publishing", "/a", b"alice", 5.0)
        assert other.since("publishing", "/a", b"bob", 4.0, 6.0)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="-settled: cannot be used"):
        Settled(tmp_path / "nowhere")


PATHS = st.lists(st.sampled_from(["a", "b", "7"]), max_size=3).map(
    lambda parts: f"/{'/'.join(parts)}"
)


USERS = st.sampled_from([b"alice", b"bob"])


@given(st.lists(st.tuples(st.integers(1, 20), PATHS, USERS)), PATHS, USERS, st.integers(1, 20))
def test_no_write_is_missed(
    writes: list[tuple[int, str, bytes]], read: str, user: bytes, then: int
) -> None:
    """Of those to be seen; what shares a slot may be seen besides."""
    with TemporaryDirectory() as folder, closing(Settled(Path(folder))) as settled:
        for at, path, by in sorted(writes):
            settled.note("c", path, by, float(at))
        related = [
            at
            for at, path, by in writes
            if touches(path, read) or touches(read, path) or by == user
        ]
        if any(at >= then for at in related):
            assert settled.since("c", read, user, float(then), 20.0)
