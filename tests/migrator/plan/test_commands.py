"""`migrator plan …` and `migrator init` as a person or a script calls them: output, exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from migrator.cli import main


@dataclass(frozen=True)
class Done:
    code: object
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The command line's entry point, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["migrator", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return Done(end.value.code, captured.out, captured.err)

    return call


@pytest.fixture
def plan(tmp_path: Path, small: str) -> Path:
    file = tmp_path / "plan.yaml"
    file.write_text(small)
    return file


@pytest.fixture
def bad(tmp_path: Path, small: str) -> Path:
    file = tmp_path / "bad.yaml"
    file.write_text(small.replace("[GET]", "[GTE]").replace("name: cms", "name: C"))
    return file


def test_validate(run: Run, plan: Path) -> None:
    assert run("plan", "validate", str(plan)) == Done(0, "1 valid plan\n", "")
    assert run("plan", "validate", str(plan), str(plan)).out == "2 valid plans\n"
    assert run("plan", "validate", "--json", str(plan)).json == {"valid": True, "problems": []}


def test_validate_shows_every_problem_of_every_plan(run: Run, plan: Path, bad: Path) -> None:
    done = run("plan", "validate", str(bad), str(plan), "missing.yaml")
    assert (done.code, done.out) == (2, "")
    assert "error: the plan has 2 problems" in done.err
    assert f"{bad}:3:12: metadata.name: found 'C'" in done.err
    assert f"{bad}:16:46: " in done.err
    assert "missing.yaml: cannot read the plan: No such file or directory" in done.err
    assert "hint: `migrator init` writes a plan" in done.err


def test_validate_as_json(run: Run, bad: Path) -> None:
    done = run("plan", "validate", "--json", str(bad), "missing.yaml")
    assert (done.code, done.json["valid"]) == (2, False)
    assert done.json["problems"][0] == {
        "file": str(bad),
        "line": 3,
        "column": 12,
        "path": "metadata.name",
        "message": "found 'C', expected lower-case letters, digits and single hyphens",
        "suggestion": None,
    }
    assert [p.get("line") for p in done.json["problems"]] == [3, 16, None]


def test_show(run: Run, plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = run("plan", "show", str(plan))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("cms: 1 capabilities, 2 services\n")
    for text in ("publishing", "/articles/{id}", "GET", "live", "25%", "4h", "1.5 times"):
        assert text in done.out


def test_show_as_json_has_the_steps(run: Run, plan: Path) -> None:
    done = run("plan", "show", "--json", str(plan))
    schedule = done.json["spec"]["capabilities"]["publishing"]["schedule"]
    assert schedule[2] == {
        "stage": "live", "share": "1%", "hold": "1h", "min_requests": 500, "approval": False,
        "before_leaving": None, "webhook": None,
    }  # fmt: skip
    assert schedule[-1]["stage"] == "complete"


def test_show_bad_plan(run: Run, bad: Path) -> None:
    done = run("plan", "show", "--json", str(bad))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: the plan has 2 problems\n")


@pytest.mark.parametrize(
    ("options", "code"),
    [pytest.param([], 0, id="plain"), pytest.param(["--exit-code"], 1, id="exit-code")],
)
def test_diff(run: Run, plan: Path, small: str, options: Sequence[str], code: int) -> None:
    new = plan.with_name("new.yaml")
    new.write_text(small.replace("name: cms", "name: blog").replace("    images:", "    pictures:"))
    done = run("plan", "diff", *options, str(plan), str(new))
    assert done.code == code
    lines = done.out.splitlines()
    assert lines[0] == "~ metadata.name: cms -> blog"
    assert lines[1].startswith("- spec.services.images: ")
    assert lines[2].startswith("+ spec.services.pictures: ")
    changes = run("plan", "diff", "--json", *options, str(plan), str(new))
    assert changes.code == code
    assert changes.json[0] == {
        "path": "metadata.name", "kind": "changed", "old": "cms", "new": "blog"
    }  # fmt: skip


def test_no_diff(run: Run, plan: Path) -> None:
    assert run("plan", "diff", "--exit-code", str(plan), str(plan)) == Done(
        0, "no difference\n", ""
    )


def test_schema(run: Run) -> None:
    done = run("plan", "schema")
    assert done.code == 0
    assert done.json["$schema"].endswith("2020-12/schema")
    assert set(done.json["required"]) == {"apiVersion", "kind", "metadata", "spec"}


def test_init_writes_a_valid_plan(run: Run, tmp_path: Path) -> None:
    done = run("init", "shop.yaml", "--name", "shop")
    assert done == Done(
        0, "wrote shop.yaml; next: edit it, then migrator plan validate shop.yaml\n", ""
    )
    assert run("plan", "validate", "shop.yaml").code == 0
    assert "name: shop\n" in (tmp_path / "shop.yaml").read_text()
    assert os.stat(tmp_path / "shop.yaml").st_mode & 0o777 == 0o644


def test_init_keeps_what_is_there(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "migration.yaml"
    file.write_text("mine")
    done = run("init")
    assert done.code == 2
    assert done.err == (
        "error: migration.yaml exists already\nhint: choose another file, or add --force\n"
    )
    assert file.read_text() == "mine"
    assert run("init", "--force").code == 0
    assert file.read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["no/such/m.yaml"], "error: no/such is not a folder", id="folder"),
        pytest.param(["--name", "My App"], "metadata.name: found 'My App'", id="name"),
    ],
)
def test_init_refuses(run: Run, tmp_path: Path, arguments: Sequence[str], message: str) -> None:
    done = run("init", *arguments)
    assert done.code == 2
    assert message in done.err
    assert not list(tmp_path.iterdir())


def test_plan_from_standard_input(small: str) -> None:
    """A real process: `-` is standard input, the exit code is the shell's."""
    good, bad = (
        subprocess.run(
            [sys.executable, "-m", "migrator", "plan", "validate", "-"],
            input=text,
            capture_output=True,
            timeout=60,
        )
        for text in (small.encode(), b"kind: \xff")
    )
    assert (good.returncode, good.stdout) == (0, b"1 valid plan\n")
    assert (bad.returncode, bad.stderr) == (2, b"error: -: the plan is not UTF-8 (byte 6)\n")
