"""`migrator writes list|replay|discard` as a person types them."""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from migrator.cli import app
from migrator.errors import InvalidInput, Unavailable
from routing.journal import FILE, Journal, State
from second_writes import fill

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The state folder of a migration with one write of each state."""
    with contextlib.closing(Journal(tmp_path / "proxy", fsync=False)) as journal:
        fill(journal, State.PENDING, State.REFUSED, State.INCOMPLETE, State.UNKNOWN)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    def command(*words: str) -> Result:
        done = CliRunner().invoke(app, ["writes", *words, "--state", str(folder)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return command


def states(run: Run) -> dict[int, str]:
    return {each["id"]: each["state"] for each in json.loads(run("list", "--json").stdout)}


def test_list(run: Run) -> None:
    told = run("list").stdout
    assert told.splitlines()[0].split()[:2] == ["id", "state"]
    assert "POST /articles?draft" in told
    assert "secret" not in told + run("list", "--json").stdout
    (only,) = json.loads(run("list", "--in", "refused", "--json").stdout)
    assert (only["id"], only["idempotency_key"], only["size"]) == (2, '"k"', 6)
    assert "no second writes" in run("list", "--capability", "other").stdout


def test_replay(run: Run) -> None:
    assert json.loads(run("replay", "2", "4", "--json").stdout) == {"ids": [2, 4]}
    assert states(run) == {1: "pending", 2: "pending", 3: "incomplete", 4: "pending"}
    with pytest.raises(InvalidInput, match="3: the body was not kept"):
        run("replay", "--capability", "publishing")


def test_more_than_one_command_looks_at(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrator.cli.writes.MOST", 2)
    assert run("list").stdout.splitlines()[-1].startswith("the oldest 2 only")
    assert json.loads(run("replay", "4", "--json").stdout) == {"ids": [4]}


def test_discard(run: Run, folder: Path) -> None:
    assert "1 discarded: 3" in run("discard", "3", "-m", "done by hand").stdout
    assert "1 discarded: 2" in run("discard", "--in", "refused", "-m", "not wanted").stdout
    assert states(run) == {1: "pending", 4: "unknown"}
    with contextlib.closing(sqlite3.connect(folder / "proxy" / FILE)) as file:
        kept = file.execute("SELECT id, reason, idempotency_key FROM discarded").fetchall()
    assert kept == [(2, "not wanted", '"k"'), (3, "done by hand", '"k"')]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        pytest.param(["replay"], "no entries are named", id="nothing"),
        pytest.param(["replay", "1", "99"], "no such entries: 99", id="unknown-number"),
        pytest.param(["discard", "1", "-m", " "], "--reason is empty", id="no-reason"),
    ],
)
def test_wrong_input_changes_nothing(run: Run, words: list[str], error: str) -> None:
    before = states(run)
    with pytest.raises(InvalidInput, match=error):
        run(*words)
    assert states(run) == before


def test_without_a_journal(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["writes", "list", "--proxy-state", str(tmp_path)])
    assert isinstance(done.exception, Unavailable)
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"
