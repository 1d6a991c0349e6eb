"""SIGKILL to every process under load, one after another, in the middle of the rollouts."""

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest

from running import SAMPLE, Running, running_sample, start, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(280)]

VICTIMS = (
    "controller",
    "flag-server",
    "articles",
    "comments",
    "media",
    "search",
    "user-management",
    "twitter-publisher",
    "monolith",
    "proxy",
)


def restarted(running: Running, name: str, old: int) -> bool:
    process = running.processes().get(name)
    return process is not None and process.pid != old and running.is_ready(name)


def test_no_acknowledged_write_is_lost_and_no_reader_sees_an_error(tmp_path: Path) -> None:
    with running_sample(tmp_path) as running:
        report = tmp_path / "load.json"
        load = subprocess.Popen(
            [
                *(sys.executable, "-m", "cms.load", "--target", running.address("proxy")),
                *("--rate", "30", "--duration", "250", "--report", str(report), "--verify"),
            ],
            cwd=SAMPLE,
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda: running.capability("publishing")["stage"] == "live", "live traffic")
            for name in VICTIMS:
                process = running.processes()[name]
                process.kill()
                wait_for(partial(restarted, running, name, process.pid), f"{name} again")
            worker = psutil.Process(running.worker_pids()[0])
            worker.kill()
            wait_for(lambda: running.serves_with_other_workers(worker.pid), "a new worker")
            supervisor_dies(running)
            steps = {each["name"]: each["step"] for each in running.status()["capabilities"]}
            assert all(step > 0 for step in steps.values()), "the rollouts forgot where they were"
            load.send_signal(signal.SIGINT)
            assert load.wait(timeout=90) == 0
        finally:
            load.kill()
            load.wait()
    seen = json.loads(report.read_text())
    assert seen["lost_writes"] == []
    assert seen["acknowledged_writes"] > 0
    assert [failure for failure in seen["failures"] if failure["repeatable"]] == []


def supervisor_dies(running: Running) -> None:
    """The programs go on without `migrator up`; the next one takes them over."""
    before = {name: process.pid for name, process in running.processes().items()}
    running.process.kill()
    running.process.wait()
    again = start(running.plan, running.state)
    running.process, running.events = again.process, again.events
    wait_for(lambda: running.has("all_ready"), "everything to be taken over")
    assert {name: process.pid for name, process in running.processes().items()} == before
