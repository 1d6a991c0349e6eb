"""What people see of rollouts, and what `kill` and `restore` are meant to hit."""

import io
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from migrator.cli import app
from migrator.cli.progress import event_line, status_table
from migrator.cli.switch import flag_of
from migrator.errors import InvalidInput
from migrator.plan.load import parse
from migrator.plan.model import Migration


@pytest.fixture(scope="module")
def plan() -> Migration:
    text = """
apiVersion: migrator.dev/v1alpha1
kind: Migration
metadata: {name: shop}
spec:
  monolith: {url: "http://127.0.0.1:1"}
  services: {search: {command: [a]}, media: {command: [b]}, idle: {command: [c]}}
  capabilities:
    search: {routes: [{path: /search, service: search}]}
    publishing: {routes: [{path: /x, service: media}]}
"""
    return parse(text, "plan.yaml")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("publishing", ("capability", "publishing", "publishing")),
        ("media", ("service", "media", "media-service")),
        ("search", ("capability", "search", "search")),
        ("service/search", ("service", "search", "search-service")),
        ("capability/search", ("capability", "search", "search")),
    ],
)
def test_what_is_meant(plan: Migration, target: str, expected: tuple[str, str, str]) -> None:
    assert flag_of(plan, target) == expected


@pytest.mark.parametrize("target", ["publshing", "idle", "service/publishing", "", "x/y/z"])
def test_what_is_unknown(plan: Migration, target: str) -> None:
    with pytest.raises(InvalidInput, match="there are: search, publishing, service/media"):
        flag_of(plan, target)


def test_a_misspelt_name_gets_a_suggestion(plan: Migration) -> None:
    with pytest.raises(InvalidInput) as found:
        flag_of(plan, "publshing")
    assert found.value.hint == "did you mean publishing?"


def cohort(origin: str, requests: int, ms: float | None) -> dict[str, Any]:
    return {
        "stage": "live",
        "origin": origin,
        "requests": requests,
        "errors": 2,
        "error_rate": 2 / requests,
        "p50_ms": ms,
        "p95_ms": ms,
        "p99_ms": ms,
    }


def status(**changes: Any) -> dict[str, Any]:
    capability = {
        "name": "publishing",
        "phase": "holding",
        "stage": "live",
        "share": 25_000,
        "step": 4,
        "steps": 8,
        "reason": "",
        "since": 0.0,
        "hold_until": 90.0,
        "origins": {
            "old": {"requests": 300, "errors": 0, "p99_ms": 8.25},
            "new": {"requests": 100, "errors": 2, "p99_ms": 31.5},
        },
        "cohorts": [cohort("old", 300, None), cohort("new", 100, 31.5)],
        "consistency": {"compared": 400, "different": 1, "rate": 0.9975},
        "metrics": [
            {
                "name": "checkout-failures",
                "old": {"count": 3, "total": 120},
                "new": {"count": 1, "total": 30},
                "problem": None,
            },
            {"name": "queue", "old": None, "new": 12.5, "problem": "it does not answer"},
        ],
        **changes,
    }
    services = [{"name": "media", "enabled": False}]
    return {"capabilities": [capability], "services": services, "problems": []}


def drawn(document: dict[str, Any], width: int) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width)
    console.print(status_table(document, 30.0, width=width))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_table_fits(width: int) -> None:
    text = drawn(status(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for shown in ("publishing", "live", "25%", "4/8", "holding", "1m", "100 req, 2 failed"):
        assert shown in text
    assert ("p99 32 ms" in text) == (width >= 120)
    assert "media is switched off" in text


def test_cohorts_and_metrics_are_shown() -> None:
    lines = [" ".join(line.split()) for line in drawn(status(), 80).splitlines()]
    assert "publishing live monolith 300 0.7% - - -" in lines
    assert "live services 100 2.0% 32 ms 32 ms 32 ms 99.75%" in lines
    assert "publishing checkout-failures 3/120 1/30" in lines
    assert "publishing queue - 12.5 it does not answer" in lines


def test_before_the_first_look_there_are_no_cohorts() -> None:
    text = drawn(status(cohorts=None, consistency=None, metrics=[]), 80)
    assert "publishing" in text
    assert "origin" not in text
    assert "metric" not in text


def test_the_reason_is_shown_when_it_does_not_go_on() -> None:
    paused = status(phase="paused", reason='alice turned publishing off ("it [burns]")')
    assert 'publishing: alice turned publishing off ("it [burns]")' in drawn(paused, 120)


def test_events() -> None:
    event = {"at": 0.0, "capability": "a", "kind": "rolled_back", "why": "errors [5/10]"}
    line = event_line(event)
    assert line is not None
    assert line.plain.endswith("a rolled back: errors [5/10]")
    assert event_line({**event, "kind": "flag_applied"}) is None


@pytest.mark.parametrize(
    "command",
    ["", "up", "down", "logs", "status", "promote", "pause", "resume", "abort", "kill", "restore",
     "init", "plan", "plan validate", "flags serve", "proxy serve", "controller run"],
)  # fmt: skip
def test_help(command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.output


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(app, ["premote"]).exit_code == 2
