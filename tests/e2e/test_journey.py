"""The whole main job: every capability from off to complete under load, then two switch-offs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from running import SAMPLE, sample_plan

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_the_demonstration_keeps_its_promises(tmp_path: Path) -> None:
    """The demonstration itself, on free ports. It exits with 0 only if no acknowledged write was
    lost, no request failed that could be repeated, and every proxy obeyed in 200 ms."""
    plan = sample_plan(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--plan", str(plan), "--state", str(tmp_path / "state")],
        cwd=SAMPLE,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for capability in ("accounts", "publishing", "discussion", "search"):
        assert f"{capability} completed" in done.stdout
    assert "publishing rolled back" in done.stdout
    assert "comments-service is off" in done.stdout
    report = json.loads((tmp_path / "state" / "load.json").read_text())
    assert report["acknowledged_writes"] > 0
    assert report["by_origin"].keys() >= {"monolith", "articles", "comments", "search", "media"}
