"""What people get wrong: one clear message, a code that is not zero, nothing half-started."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from running import MIGRATOR, Running, start, tiny_plan, wait_for

pytestmark = [pytest.mark.e2e]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Everything is ready, and stays so."""
    folder = tmp_path_factory.mktemp("running")
    running = start(tiny_plan(folder), folder / "state")
    try:
        wait_for(lambda: running.has("all_ready"), "everything to be ready")
        yield running
    finally:
        running.end()


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Running:
    """Stopped in order after its rollout began: for copies of its folder."""
    folder = tmp_path_factory.mktemp("ended")
    running = start(tiny_plan(folder), folder / "state")
    try:
        wait_for(lambda: running.has("rollout"), "a rollout")
    finally:
        running.end()
    return running


def up(plan: Path, state: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MIGRATOR, "up", str(plan), "--state", str(state)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def nothing_runs(state: Path) -> bool:
    """Whether no program was given anything below `state`."""
    return not any(
        str(state) in " ".join(process.info["cmdline"] or ())
        for process in psutil.process_iter(["cmdline"])
    )


def misspelt(document: dict[str, Any]) -> None:
    document["spec"]["capabilities"]["publishing"]["shedule"] = "fast"


def missing_command(document: dict[str, Any]) -> None:
    document["spec"]["services"]["articles"]["command"] = ["no-such-program-here"]


def never_ready(document: dict[str, Any]) -> None:
    document["spec"]["services"]["articles"] = {
        "command": ["python", "-c", "print('I will never listen'); import time; time.sleep(60)"],
        "ready_timeout": "1s",
    }


def dies_at_once(document: dict[str, Any]) -> None:
    document["spec"]["services"]["articles"]["command"] = ["python", "-c", "raise SystemExit('no')"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        pytest.param(misspelt, 2, ("migration.yaml:", "shedule", "schedule"), id="invalid-plan"),
        pytest.param(
            missing_command,
            2,
            ("spec.services.articles", "no-such-program-here", "hint:"),
            id="missing-command",
        ),
        pytest.param(
            never_ready,
            1,
            ("articles", "not ready within 1 s", "I will never listen", "hint:"),
            id="never-ready",
        ),
        pytest.param(dies_at_once, 1, ("articles", "exit code 1", "hint:"), id="dies-at-once"),
    ],
)
def test_up_says_what_is_wrong(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], code: int, words: tuple[str, ...]
) -> None:
    done = up(tiny_plan(tmp_path, change), tmp_path / "state")
    assert done.returncode == code, done.stdout + done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr
    assert nothing_runs(tmp_path / "state")


def test_a_used_port(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]

        def take(document: dict[str, Any]) -> None:
            document["spec"]["proxy"]["port"] = port

        done = up(tiny_plan(tmp_path, take), tmp_path / "state")
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert f"process {os.getpid()}" in done.stderr
    assert nothing_runs(tmp_path / "state")


@pytest.mark.xdist_group("ended")
@pytest.mark.parametrize("name", ["secrets.json", "instance.json", "processes.json", "rollout.db"])
def test_a_corrupt_state_file(tmp_path: Path, ended: Running, name: str) -> None:
    state = tmp_path / "state"
    shutil.copytree(ended.state, state, ignore=shutil.ignore_patterns("*.sock"))
    (state / name).write_bytes(b"\x00not what it was" * 1000)
    for side in state.glob("rollout.db-*"):
        side.unlink()
    done = up(ended.plan, state)
    assert done.returncode != 0
    assert name in done.stderr, done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    assert nothing_runs(state)
    assert (state / name).read_bytes().startswith(b"\x00not"), "nothing is lost: it is still there"


@pytest.mark.xdist_group("running")
def test_a_second_up_in_the_same_folder(running: Running) -> None:
    done = up(running.plan, running.state)
    assert done.returncode == 2
    assert f"process {running.process.pid}" in done.stderr
    assert running.process.poll() is None


@pytest.mark.xdist_group("running")
def test_a_wrong_sdk_key(tmp_path: Path, running: Running) -> None:
    flags = running.address("flags")
    names = ("BASE_URI", "STREAM_URI", "EVENTS_URI")
    done = subprocess.run(
        [
            *(*MIGRATOR, "proxy", "serve", "--config", str(running.state / "routes.json")),
            *("--state", str(tmp_path / "other")),
        ],
        env={
            **os.environ,
            "LAUNCHDARKLY_SDK_KEY": "sdk-00000000-wrong",
            **{f"LAUNCHDARKLY_{name}": flags for name in names},
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "refuses the SDK key that ends in ...rong" in done.stderr
    assert "sdk-00000000" not in done.stderr, "a key is a secret"
    assert "hint:" in done.stderr
