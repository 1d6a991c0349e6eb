"""The event log: what was appended is there, what is damaged is named."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.controller.store import EventLog
from migrator.errors import StateError
from migrator.rollout.events import Event, Kind

Make = Callable[..., Event]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rollout.db"


def test_events_come_back_as_they_were(path: Path, event: Make) -> None:
    events = [event(Kind.STARTED, steps=[{"hold": "5s"}], on=False), event(), event(Kind.RESUMED)]
    with EventLog(path) as log:
        numbered = log.append(events)
        assert numbered == tuple(replace(e, seq=n) for n, e in enumerate(events, 1))
        assert log.read() == list(numbered)
    with EventLog(path) as log:
        assert log.read() == list(numbered)
        assert log.append([event()])[0].seq == 4


@pytest.mark.parametrize(
    ("asked", "seqs"),
    [
        pytest.param({}, [1, 2, 3, 4], id="all"),
        pytest.param({"after": 2}, [3, 4], id="after"),
        pytest.param({"after": 99}, [], id="after the last"),
        pytest.param({"limit": 2}, [1, 2], id="page"),
        pytest.param({"capability": "shop"}, [1, 3], id="capability"),
        pytest.param({"capability": "shop", "after": 1, "limit": 5}, [3], id="all together"),
        pytest.param({"capability": "unknown"}, [], id="unknown capability"),
    ],
)
def test_reading(path: Path, event: Make, asked: dict[str, int | str], seqs: list[int]) -> None:
    with EventLog(path) as log:
        log.append([event(capability=name) for name in ("shop", "blog", "shop", "blog")])
        assert [e.seq for e in log.read(**asked)] == seqs  # type: ignore[arg-type] # a table


def test_nobody_else_may_read_it(path: Path) -> None:
    with EventLog(path):
        assert path.stat().st_mode & 0o777 == 0o600


def test_all_or_none_are_appended(path: Path, event: Make) -> None:
    with EventLog(path) as log:
        with pytest.raises(TypeError):
            log.append([event(), event(value=object())])
        assert log.read() == []


def test_what_was_appended_survives_sigkill(path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from migrator.controller.store import EventLog
from migrator.rollout.events import Event, Kind
log = EventLog(Path(sys.argv[1]))
for number in range(20):
    log.append([Event(at=1.0, capability="shop", kind=Kind.PAUSED, by="a", why=str(number))])
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program, str(path)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    with EventLog(path) as log:
        assert [e.why for e in log.read()] == [str(number) for number in range(20)]


def damage_header(path: Path) -> None:
    path.write_bytes(b"not a database, but longer than its header\n" * 100)


def damage_pages(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


def change_row(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(sql)
        db.commit()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(damage_header, id="header"),
        pytest.param(damage_pages, id="pages"),
        pytest.param(truncate, id="truncated"),
    ],
)
def test_a_damaged_file_is_named_with_what_to_do(
    path: Path, event: Make, spoil: Callable[[Path], None]
) -> None:
    with EventLog(path) as log:
        log.append([event(text="x" * 500) for _ in range(100)])
    spoil(path)
    with pytest.raises(StateError) as refused, EventLog(path) as log:
        log.read()
    assert str(path) in str(refused.value)
    assert refused.value.hint is not None
    assert "restore rollout.db from a backup" in refused.value.hint


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("UPDATE events SET kind = 'danced'", id="unknown kind"),
        pytest.param("UPDATE events SET data = '{'", id="no JSON"),
        pytest.param("UPDATE events SET data = '[]'", id="no object"),
        pytest.param("UPDATE events SET at = 'soon'", id="no time"),
        pytest.param("DROP TABLE events; ", id="no table"),
    ],
)
def test_what_is_no_event_is_named(path: Path, event: Make, sql: str) -> None:
    with EventLog(path) as log:
        log.append([event()])
        change_row(path, sql)
        with pytest.raises(StateError) as refused:
            log.read()
    assert str(path) in str(refused.value)
    assert refused.value.hint is not None


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=str(tmp_path)):
        EventLog(tmp_path)
