"""Each command is found by its name alone, whichever file it is in."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from migrator.cli import app
from migrator.cli.commands import FILES


@pytest.mark.parametrize("name", FILES)
def test_a_command_is_in_its_file(name: str) -> None:
    done = CliRunner().invoke(app, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert f" {name} [OPTIONS]" in done.output


def test_all_are_shown() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    lines = shown[shown.index("Commands:") :].splitlines()[1 : len(FILES) + 1]
    assert [line.split()[0] for line in lines] == [*FILES]


def test_a_misspelt_name() -> None:
    done = CliRunner().invoke(app, ["statos"])
    assert done.exit_code == 2
    assert "Did you mean 'status'" in done.output


def test_a_command_imports_no_others() -> None:
    look = (
        "import sys; from migrator.cli import app; app(['logs', '--help'], standalone_mode=False)"
    )
    show = "print([name for name in sys.modules if name in ('sqlalchemy', 'starlette', 'httpx')])"
    done = subprocess.run(
        [sys.executable, "-c", f"{look}; {show}"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
