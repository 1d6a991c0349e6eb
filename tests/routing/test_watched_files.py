"""Files that others replace."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from routing.watched_files import WatchedFiles


def replace(path: Path) -> None:
    """Put another file in its place, of the same size and time."""
    before = path.stat()
    other = path.with_suffix(".new")
    other.write_text("two")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.write_text("longer"), id="size"),
        pytest.param(lambda path: os.utime(path, (1, 1)), id="time"),
        pytest.param(replace, id="another-file"),
        pytest.param(Path.unlink, id="gone"),
    ],
)
def test_a_change_is_seen_once(tmp_path: Path, change: Callable[[Path], object]) -> None:
    path = tmp_path / "a"
    path.write_text("one")
    link = tmp_path / "link"
    link.symlink_to(path)
    both = [WatchedFiles([tmp_path / "b", path]), WatchedFiles([link])]
    assert not any(watched.changed() for watched in both)
    change(path)
    for watched in both:
        assert watched.changed()
        assert not watched.changed()


def test_a_file_that_comes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    watched = WatchedFiles([path])
    assert not watched.changed()
    path.write_text("one")
    assert watched.changed()
    assert not WatchedFiles([]).changed()
