"""The import rule of docs/architecture.md, checked by import-linter, and that it can fail."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"migrator", "routing", "flags"}


def imported(folder: Path) -> set[str]:
    """Top-level names that the Python files below `folder` import."""
    names: set[str] = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        pytest.param("flags", {"routing", "migrator"}, id="flags"),
        pytest.param("routing", {"flags", "migrator"}, id="routing"),
        pytest.param("samples/cms-app", OURS, id="sample"),
    ],
)
def test_stands_alone(folder: str, forbidden: set[str]) -> None:
    assert not imported(ROOT / folder) & forbidden


def test_sees_imports(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "def f():\n    from routing.table import x\nimport flags.model\n"
    )
    assert imported(tmp_path) == {"routing", "flags"}
