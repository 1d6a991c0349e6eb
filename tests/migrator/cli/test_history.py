"""`migrator history` reads the log of a state folder."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from migrator.cli import app
from migrator.controller.store import EventLog
from migrator.errors import InvalidInput
from migrator.rollout.events import Event, Kind
from migrator.state import StateDir


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with EventLog(StateDir(tmp_path).rollout_database) as log:
        log.append(
            Event(at=at, capability="shop", kind=kind, by="alice", why=f"alice said {kind}")
            for at, kind in ((1_000.0, Kind.PAUSED), (2_000.0, Kind.ABORTED))
        )
        log.append(
            [
                Event(
                    at=3_000.0,
                    capability="service/cart",
                    kind=Kind.SWITCHED_OFF,
                    by="migrator-controller",
                    why="31/40 requests failed in 0.5 s",
                    data={"version": 5},
                )
            ]
        )
    return tmp_path


def run(folder: Path, *options: str) -> str:
    done = CliRunner().invoke(app, ["history", "--state", str(folder), *options])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def test_events(folder: Path) -> None:
    assert run(folder).splitlines()[1].endswith("shop aborted: alice said aborted")
    assert run(folder, "service/cart").endswith(
        "service/cart switched off: 31/40 requests failed in 0.5 s\n"
    )
    assert json.loads(run(folder, "--json").splitlines()[0])["kind"] == "paused"


def test_a_past_moment(folder: Path) -> None:
    assert run(folder, "--at", "1970-01-01T00:20Z") == (
        "shop was paused at off 100%: alice said paused\n"
    )
    (then,) = json.loads(run(folder, "shop", "--at", "1970-01-01T01:00Z", "--json"))
    assert then["phase"] == "aborted"


def test_what_is_no_moment(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="found 'noon', expected a moment"):
        run(folder, "--at", "noon")
