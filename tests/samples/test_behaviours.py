"""The behaviours' own rules: plans that are valid, checks that can fail, and the command."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.behaviours import clean, crashes, errors, human, plans, quiet, slow, wrong
from demo.behaviours.catalogue import BEHAVIOURS
from demo.behaviours.checks import asked, course, numbers, obeyed, planned, steps_entered, users
from demo.summary import SwitchOff
from migrator.plan.load import load
from running import SAMPLE

PLAN = plans.sample()
LOAD: dict[str, Any] = {
    "requests": 90,
    "checked": 80,
    "failures": [],
    "wrong_answers": [],
    "lost_writes": [],
    "acknowledged_writes": 7,
}
BROKEN_WRITE = {"repeatable": False, "at": 11.0, "path": "/write"}
SWITCH = SwitchOff(
    what="publishing", capability="publishing", who="root",
    changed_at=12.0, last_wrong_at=12.1, fault_at=10.0,
)  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"schedule": plans.SCHEDULE, "analysis": plans.LOOSE}, id="common"),
        pytest.param({"analysis": {"parity": clean.PARITY}}, id="clean"),
        pytest.param({"schedule": errors.STEPS, "analysis": errors.LIMITS}, id="errors"),
        pytest.param({"schedule": slow.STEPS, "analysis": slow.LIMITS}, id="slow"),
        pytest.param({"schedule": plans.SCHEDULE, "analysis": wrong.LIMITS}, id="wrong"),
        pytest.param({"schedule": crashes.STEPS}, id="crashes"),
        pytest.param({"schedule": human.STEPS}, id="human"),
        pytest.param({"schedule": quiet.STEPS}, id="quiet"),
    ],
)
def test_plans_are_valid(settings: dict[str, Any], tmp_path: Path) -> None:
    before = yaml.safe_dump(PLAN)
    document = plans.variant(PLAN, {"publishing": settings, "search": settings})
    assert yaml.safe_dump(PLAN) == before
    file = tmp_path / "migration.yaml"
    file.write_text(yaml.safe_dump(document))
    plan = load(file)
    assert list(plan.spec.capabilities) == ["publishing", "search"]
    assert plan.spec.services.keys() == {
        "articles",
        "media",
        "twitter-publisher",
        "search",
        "social",
    }
    assert plan.spec.proxy.port == 0, "beside a sample that runs already"


def failed(report: dict[str, Any], *switches: SwitchOff) -> list[str]:
    return [check.what for check in users({**LOAD, **report}, switches) if not check.seen]


@pytest.mark.parametrize(
    ("report", "switches", "expected"),
    [
        pytest.param({}, (), [], id="all-well"),
        pytest.param(
            {"wrong_answers": [{"path": "/"}]}, (), ["no user was given wrong data"], id="wrong"
        ),
        pytest.param({"checked": 0}, (), ["no user was given wrong data"], id="nobody-looked"),
        pytest.param({"failures": [BROKEN_WRITE]}, (), ["no request failed"], id="failed"),
        pytest.param({"failures": [BROKEN_WRITE]}, (SWITCH,), [], id="failed-by-the-fault"),
        pytest.param(
            {"failures": [{**BROKEN_WRITE, "at": 13.0}]},
            (SWITCH,),
            ["no request failed"],
            id="failed-after-the-fault",
        ),
        pytest.param(
            {"failures": [{**BROKEN_WRITE, "repeatable": True}]},
            (SWITCH,),
            ["no request failed"],
            id="failed-though-repeatable",
        ),
        pytest.param(
            {"lost_writes": ["comment"]}, (), ["no acknowledged write was lost"], id="lost"
        ),
        pytest.param(
            {"acknowledged_writes": 0}, (), ["no acknowledged write was lost"], id="nobody-wrote"
        ),
    ],
)
def test_what_users_saw(
    report: dict[str, Any], switches: tuple[SwitchOff, ...], expected: list[str]
) -> None:
    assert failed(report, *switches) == expected


@pytest.mark.parametrize(("last", "seen"), [(11.0, True), (12.2, True), (12.3, False)])
def test_obeyed(last: float, seen: bool) -> None:
    switch = SwitchOff(what="a", capability="a", who="root", changed_at=12.0, last_wrong_at=last)
    assert obeyed(switch).seen is seen


def event(kind: str, why: str = "", capability: str = "search", **data: int) -> dict[str, Any]:
    return {"capability": capability, "kind": kind, "why": why, "data": data}


def test_where_a_rollout_went() -> None:
    events = [
        event("step_entered", "live 5%", step=2),
        event("step_entered", "live 5%", "accounts", step=2),
        event("held", "not enough data"),
        event("step_passed", step=2),
    ]
    assert steps_entered(events, "search") == ["live 5%"]
    assert course(events, "search") == [("search", "step_entered", 2), ("search", "step_passed", 2)]


def test_what_a_schedule_shows() -> None:
    assert planned(plans.SCHEDULE[1:4]) == ["shadow 100%", "live 5%", "live 25%"]


def test_figures() -> None:
    cells = [
        {"capability": "search", "origin": "new", "requests": 3, "errors": 1},
        {"capability": "search", "origin": "new", "requests": 4, "errors": 0},
        {"capability": "search", "origin": "old", "requests": 9, "errors": 9},
        {"capability": "accounts", "origin": "new", "requests": 9, "errors": 9},
    ]
    assert (asked(cells, "search"), asked(cells, "search", "errors")) == (7, 1)
    evidence = "new 9/271 = 3.3% errors, old 0/2177 = 0.0% errors; limit +0.5%"
    assert numbers(errors.EVIDENCE, evidence) == (9, 271, 0, 2177)
    assert numbers(errors.EVIDENCE, "a person said so") == ()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo.behaviours", *arguments],
        cwd=SAMPLE,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_names() -> None:
    listed = command("--list")
    assert (listed.returncode, len(listed.stdout.splitlines())) == (0, len(BEHAVIOURS))
    unknown = command("eror")
    assert unknown.returncode == 2
    assert "no behaviour 'eror'; there are: clean, errors" in unknown.stderr
