"""Ctrl-C at any moment: no process is left, no port is held."""

import signal
import socket
from pathlib import Path

import psutil
import pytest

from running import Running, start, tiny_plan, wait_for

pytestmark = [pytest.mark.e2e]


def lives(process: psutil.Process) -> bool:
    """Not gone, and not a zombie that only waits for init to take note of its end."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ports_of(running: Running) -> list[int]:
    return list(running.instance()["ports"].values())


@pytest.mark.parametrize(
    ("event", "process", "number"),
    [
        pytest.param("started", "flag-server", signal.SIGINT, id="first-start"),
        pytest.param("ready", "flag-server", signal.SIGINT, id="flag-server-ready"),
        pytest.param("started", "proxy", signal.SIGINT, id="proxy-starts"),
        pytest.param("started", "controller", signal.SIGINT, id="controller-starts"),
        pytest.param("all_ready", None, signal.SIGHUP, id="terminal-closed"),
        pytest.param("rollout", None, signal.SIGTERM, id="rolling-out-SIGTERM"),
    ],
)
def test_nothing_is_left(
    tmp_path: Path, event: str, process: str | None, number: signal.Signals
) -> None:
    running = start(tiny_plan(tmp_path), tmp_path / "state")
    try:
        wait_for(lambda: running.has(event, process), f"{event} {process}")
        children = psutil.Process(running.process.pid).children(recursive=True)
        running.process.send_signal(number)
        assert running.process.wait(timeout=60) == 0
    finally:
        running.end()
    assert [child for child in children if lives(child)] == []
    for port in ports_of(running):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))


def test_down_stops_what_a_killed_supervisor_left(tmp_path: Path) -> None:
    running = start(tiny_plan(tmp_path), tmp_path / "state")
    try:
        wait_for(lambda: running.has("all_ready"), "everything to be ready")
        children = psutil.Process(running.process.pid).children(recursive=True)
        running.process.kill()
        running.process.wait()
        assert any(child.is_running() for child in children)
        running.cli("down")
    finally:
        running.end()
    assert [child for child in children if lives(child)] == []
    assert "nothing runs" in running.cli("down").stdout
