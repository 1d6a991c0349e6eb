"""What people see of rollouts, and what `kill` and `restore` are meant to hit."""

import io
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from migrator.cli import app
from migrator.cli.progress import event_line, status_table
from migrator.cli.rollout import flag_of
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
