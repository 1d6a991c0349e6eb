"""Replicas of a service come and go, and the proxy hears of it from the controller."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from running import TINY, Running, running_sample, tiny_plan, wait_for

pytestmark = [pytest.mark.e2e]

PATIENT = f"""
import os, time

while os.path.exists({{hold!r}}):
    time.sleep(0.05)
{TINY}"""
"""Begins to listen once there is no such file."""


def addresses(running: Running) -> list[str]:
    """Of the service's endpoints, as the proxy has them by the stream."""
    told = httpx.get(f"{running.address('proxy_admin')}/endpoints", trust_env=False).json()
    if told["source"] != "stream":
        return []
    return [
        endpoint["address"]
        for origin in told["origins"]
        if origin["service"] == "articles"
        for endpoint in origin["endpoints"]
    ]


def test_the_proxy_follows(tmp_path: Path) -> None:
    hold = tmp_path / "hold"

    def change(document: dict[str, Any]) -> None:
        document["spec"]["services"]["articles"] = {
            "command": ["python", "-c", PATIENT.format(hold=str(hold))],
            "replicas": 2,
            "slow_start_window": "1s",
        }

    with running_sample(tmp_path, tiny_plan(tmp_path, change)) as running:
        ports = running.instance()["ports"]
        first, second = (f"http://127.0.0.1:{ports[name]}" for name in ("articles", "articles.2"))
        assert running.services() == {"articles": first}
        wait_for(lambda: addresses(running) == [first, second], "both in the proxy")
        one, two = (running.processes()[name] for name in ("articles", "articles.2"))
        folders = {process.environ()["DATA_DIR"] for process in (one, two)}
        assert folders == {str(running.state / "data" / "articles")}

        hold.touch()
        two.kill()
        wait_for(lambda: addresses(running) == [first], "the one that is left")
        one.kill()
        wait_for(lambda: restarts(running, "articles") == 1, "the end of both")
        assert addresses(running) == [first], "nothing is ready: what was known last stays"
        hold.unlink()
        wait_for(lambda: addresses(running) == [first, second], "both again")

        token = (running.state / "endpoints-token").read_text()
        assert (running.state / "endpoints-token").stat().st_mode & 0o777 == 0o600
        headers = {"Authorization": f"Bearer {token}"}
        status = httpx.get(
            f"{running.address('controller')}/v1/status", headers=headers, trust_env=False
        )
        assert status.status_code == 401, "the proxy's token is for the stream alone"


def restarts(running: Running, name: str) -> int:
    processes = running.record()
    return next(int(each["restarts"]) for each in processes if each["name"] == name)
