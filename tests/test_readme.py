"""What the documents tell people to type exists."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from migrator.cli import app
from migrator.plan.load import load

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/plan.md",
    "docs/architecture.md",
    "docs/discover.md",
    "docs/analysis.md",
    "docs/behaviours.md",
    "docs/proxy.md",
    "docs/parity.md",
    "docs/performance.md",
    "docs/flag-server.md",
    "docs/launchdarkly.md",
    "samples/cms-app/README.md",
)


def told(pattern: str) -> set[str]:
    """What follows the pattern's word in code, in any document."""
    found: set[str] = set()
    for name in DOCUMENTS:
        text = (ROOT / name).read_text()
        code = [
            *re.findall(r"^```\w*\n(.*?)^```$", text, re.S | re.M),
            *re.findall(r"`([^`\n]+)`", text),
        ]
        found |= {match for part in code for match in re.findall(pattern, part, re.M)}
    return found


def test_make_targets() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    mentioned = told(r"^make ([a-z-]+)")
    assert mentioned >= {"demo", "test", "up", "load", "down"}
    assert mentioned <= targets


def test_commands() -> None:
    mentioned = told(r"^migrator ([a-z]+(?: [a-z]+)?)")
    assert len(mentioned) > 10
    for words in mentioned:
        done = CliRunner().invoke(app, [*words.split(), "--help"])
        assert done.exit_code == 0, f"migrator {words}: {done.output}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links(name: str) -> None:
    folder = (ROOT / name).parent
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text())
    assert [link for link in links if not (folder / link).exists()] == []


def test_the_samples_plan_is_valid() -> None:
    plan = load(ROOT / "samples" / "cms-app" / "migration.yaml")
    publishing = plan.spec.capabilities["publishing"]
    assert {route.service for route in publishing.routes} >= {
        "articles", "media", "twitter-publisher",
    }  # fmt: skip
