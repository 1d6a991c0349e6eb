"""Log files of supervised programs: appended by the program itself, kept small by us."""

import shutil
from pathlib import Path
from typing import BinaryIO, Final

LIMIT: Final = 10 * 1024 * 1024
"""Bytes; one older file of the same size is kept beside, as NAME.log.1."""


def log_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.log"


def open_log(path: Path) -> BinaryIO:
    """For a child's output. O_APPEND, so that `rotate` may truncate it under the child."""
    return path.open("ab", buffering=0)


def rotate(path: Path, limit: int = LIMIT) -> bool:
    """Move what is there to NAME.log.1 if it is longer than `limit`; whether it was."""
    if not path.exists() or path.stat().st_size <= limit:
        return False
    shutil.copyfile(path, path.with_name(path.name + ".1"))
    with path.open("r+b") as log:
        log.truncate(0)
    return True


def tail(path: Path, lines: int, most: int = 256 * 1024) -> list[str]:
    """The last `lines` lines, of the last `most` bytes."""
    if not lines or not path.exists():
        return []
    with path.open("rb") as log:
        size = log.seek(0, 2)
        log.seek(max(0, size - most))
        return log.read().decode(errors="replace").splitlines()[-lines:]
