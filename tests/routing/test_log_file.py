"""Files that move, disappear, fill up, or cannot be written."""

import logging
import os
import select
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from routing.errors import InvalidConfig
from routing.log_file import MAX_BUFFER, STDOUT, LogBuffer, LogFile, check_writable


def flushed(buffer: LogBuffer) -> None:
    """Write everything and wait for it."""
    buffer.flush()
    if buffer._writing is not None:
        buffer._writing[0].exception(timeout=20)
    buffer.flush()


def test_the_file_is_opened_anew(tmp_path: Path) -> None:
    path, moved = tmp_path / "a.log", tmp_path / "a.log.1"
    file = LogFile(str(path))
    file.write(["one\n"])
    path.rename(moved)
    file.write(["two\n", "three\n"])
    os.truncate(path, 0)  # copytruncate
    file.write(["four\n"])
    assert (moved.read_text(), path.read_text()) == ("one\n", "four\n")
    path.unlink()
    file.write(["five\n"])
    assert path.read_text() == "five\n"
    assert path.stat().st_mode & 0o777 & ~0o640 == 0
    file.close()


def test_lines_of_a_pipe_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[bytes] = []

    def write(file: int, data: memoryview) -> int:
        assert file == 1
        writes.append(bytes(data))
        return len(data)

    monkeypatch.setattr(os, "write", write)
    lines = [f"{number:0999d}\n" for number in range(10)] + ["a" * 5000 + "\n"]
    LogFile(STDOUT).write(lines)
    assert b"".join(writes).decode() == "".join(lines)
    assert all(each.endswith(b"\n") for each in writes)
    assert all(len(each) <= select.PIPE_BUF for each in writes[:-1])


def test_a_full_buffer_drops(tmp_path: Path) -> None:
    """While the disk hangs, requests go on and memory does not grow."""
    buffer = LogBuffer(str(tmp_path / "a.log"))
    hangs = threading.Event()
    write = buffer._file.write

    def slowly(lines: Sequence[str]) -> None:
        hangs.wait(20)
        write(lines)

    buffer._file.write = slowly  # type: ignore[method-assign]
    line = "a" * (MAX_BUFFER // 4 - 1) + "\n"
    buffer.add(line)
    buffer.flush()
    for _ in range(6):
        buffer.add(line)
        buffer.flush()
    assert buffer.dropped == 2
    hangs.set()
    flushed(buffer)
    flushed(buffer)
    assert (tmp_path / "a.log").stat().st_size == 5 * len(line)
    buffer.close()


def test_what_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "logs"
    buffer = LogBuffer(str(folder / "a.log"))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            buffer.add("lost\n")
            flushed(buffer)
        folder.mkdir()
        buffer.add("kept\n")
        flushed(buffer)
    assert buffer.dropped == 3
    assert (folder / "a.log").read_text() == "kept\n"
    assert [message.partition(" ")[0] for message in caplog.messages] == [
        "access_log.failed",
        "access_log.recovered",
    ]
    buffer.close()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param(lambda folder: folder, "is a folder", id="folder"),
        pytest.param(
            lambda folder: folder / "x" / "a.log",
            "is in a folder that does not exist",
            id="no-folder",
        ),
        pytest.param(lambda folder: folder / "a.log", None, id="new-file"),
        pytest.param(lambda _: STDOUT, None, id="stdout"),
    ],
)
def test_paths(path: Callable[[Path], object], words: str | None, tmp_path: Path) -> None:
    if words is None:
        check_writable(str(path(tmp_path)), "routes.json: access_log.path")
        assert list(tmp_path.iterdir()) == []
        return
    with pytest.raises(InvalidConfig, match=words) as raised:
        check_writable(str(path(tmp_path)), "routes.json: access_log.path")
    assert "routes.json: access_log.path" in str(raised.value)
