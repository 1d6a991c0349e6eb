"""`migrator simulate` at the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from migrator.cli import app

PLAN = """\
apiVersion: migrator.dev/v1alpha1
kind: Migration
metadata: {name: shop}
spec:
  monolith: {url: "http://127.0.0.1:1"}
  services: {cart: {command: [a]}}
  capabilities:
    cart:
      routes: [{path: /cart, service: cart}]
      schedule: [{stage: live, share: 50%, hold: 1m}, {stage: live, hold: 1m}]
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


def test_the_end_for_people_and_for_scripts(plan: Path) -> None:
    told = CliRunner().invoke(app, ["simulate", str(plan), "--scenario", "errors"])
    assert told.exit_code == 0
    assert "cart is rolled_back at off 100%: " in told.stdout.splitlines()[-1]
    done = CliRunner().invoke(app, ["simulate", str(plan), "--json"])
    document = json.loads(done.stdout)
    assert document["capabilities"][0]["phase"] == "complete"
    assert document["events"][0]["kind"] == "started"


def test_a_scenario_in_a_file(plan: Path) -> None:
    scenario = plan.with_name("scenario.yaml")
    scenario.write_text("people: [{at: 10s, capability: cart, say: abort}]")
    told = CliRunner().invoke(app, ["simulate", str(plan), "--scenario", str(scenario)])
    assert "cart is aborted at off 100%: somebody said abort" in told.stdout
