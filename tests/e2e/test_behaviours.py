"""One of the behaviours, as scripts play it; docs/behaviours.md has all of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from running import SAMPLE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_wrong_data_is_stopped_before_any_user_sees_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo.behaviours", "wrong", "--json", "--state", str(tmp_path)],
        cwd=SAMPLE,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wrong,) = json.loads(done.stdout)["behaviours"]
    assert (wrong["name"], wrong["seen"]) == ("wrong", True)
    assert all(check["seen"] for check in wrong["checks"])
    entered = [e["why"] for e in wrong["events"] if e["kind"] == "step_entered"]
    assert entered == ["dualwrite 100%", "shadow 100%"]
    (back,) = (e for e in wrong["events"] if e["kind"] == "rolled_back")
    assert back["why"].startswith("parity: ")
