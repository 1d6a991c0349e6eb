"""`flags export`, `import` and `tokens` against a real server, as a person types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from typer.testing import CliRunner, Result

from flags.cli import app
from flags.errors import FlagsError

if TYPE_CHECKING:
    from tests.flags.conftest import Server

Flags = Callable[..., Result]


@pytest.fixture
def run(server: "Server", monkeypatch: pytest.MonkeyPatch) -> Flags:
    """A command with alice's token; `fails` gives its error instead."""
    monkeypatch.setenv("FLAGS_TOKEN", server.credentials.tokens["alice"])
    monkeypatch.setenv("FLAGS_SERVER", server.origin)

    def command(*words: str, stdin: str | None = None) -> Result:
        done = CliRunner().invoke(app, words, input=stdin)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done

    return command


def test_a_whole_environment_goes_to_a_file_and_back(
    server: "Server", run: Flags, tmp_path: Path
) -> None:
    server.migration("publishing")
    server.create("articles-service")
    server.patch("publishing", {"kind": "turnFlagOn"})
    file = tmp_path / "flags.yaml"
    run("export", "--project", "cms", "--output", str(file))
    server.patch("publishing", {"kind": "turnFlagOff"})
    server.http.delete("/api/v2/flags/cms/articles-service").raise_for_status()

    shown = run("import", str(file), "--project", "cms", "--dry-run").output
    assert shown.splitlines() == [
        "1 would be created: articles-service",
        "1 would be changed: publishing",
        "0 would be unchanged",
    ]
    assert not server.get("publishing")["environments"]["production"]["on"]
    done = run("import", str(file), "--project", "cms", "--comment", "back again").output
    assert done.splitlines()[0] == "1 created: articles-service"
    assert server.get("publishing")["environments"]["production"]["on"]
    entry = server.http.get("/api/v2/auditlog?limit=1").json()["items"][0]
    assert entry["comment"] == "back again"
    assert run("import", str(file), "--project", "cms").output.splitlines()[2].startswith("2 un")


@pytest.mark.parametrize("form", ["yaml", "json", "datafile"])
def test_formats(server: "Server", run: Flags, form: str) -> None:
    server.create("articles-service")
    text = run("export", "--project", "cms", "--format", form).output
    document = yaml.safe_load(text) if form == "yaml" else json.loads(text)
    assert "articles-service" in (
        document["flags"] if form == "datafile" else [f["key"] for f in document["flags"]]
    )
    assert "0 created" in run("import", "-", "--project", "cms", stdin=text).output


def test_a_project_of_launchdarkly_is_read(
    server: "Server", run: Flags, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own server stands in its place."""
    for number in range(60):  # more than a page
        server.create(f"flag-{number}")
    server.migration("publishing")
    server.patch("publishing", {"kind": "turnFlagOn"})
    new = {"key": "blog", "name": "Blog", "environments": [{"key": "test", "name": "Test"}]}
    server.http.post("/api/v2/projects", json=new).raise_for_status()
    monkeypatch.setenv("LAUNCHDARKLY_ACCESS_TOKEN", server.credentials.tokens["alice"])
    done = run(
        *("import", "--from-launchdarkly", "cms", "--launchdarkly-api", server.origin),
        *("--from-environment", "production", "--project", "blog", "--environment", "test"),
    )
    assert "61 created" in done.output
    flag = server.http.get("/api/v2/flags/blog/publishing").json()
    assert (flag["environments"]["test"]["on"], flag["_purpose"]) == (True, "migration")


def test_tokens(server: "Server", run: Flags) -> None:
    secret = run("tokens", "create", "robot", "--role", "viewer", "--member", "bob").output.strip()
    known = json.loads(run("tokens", "list", "--json").output)
    assert [(t["name"], t["role"]) for t in known if t["memberId"] == "bob"] == [
        ("robot", "reader")
    ]
    assert secret not in run("tokens", "list").output
    asked = {"Authorization": secret}
    assert server.http.get("/api/v2/flags/cms", headers=asked).status_code == 200
    run("tokens", "revoke", next(t["_id"] for t in known if t["memberId"] == "bob"))
    assert server.http.get("/api/v2/flags/cms", headers=asked).status_code == 401


@pytest.mark.parametrize(
    ("words", "problem", "hint"),
    [
        pytest.param(("import",), "expected a file or --from-launchdarkly", "--help", id="nothing"),
        pytest.param(("import", "no.yaml"), "no.yaml: cannot be read", None, id="no-file"),
        pytest.param(("import", "bad.yaml"), "bad.yaml:2: neither YAML", None, id="bad-yaml"),
        pytest.param(
            ("import", "odd.yaml", "--project", "cms"), "import: flagz", "nothing", id="odd"
        ),
        pytest.param(("export", "--project", "no"), "404 project 'no'", "check the", id="project"),
        pytest.param(
            ("export", "--project", "cms", "--format", "xml"), "xml", "nothing", id="format"
        ),
        pytest.param(
            ("tokens", "create", "a", "--role", "boss"), "--role: expected one of", None, id="role"
        ),
    ],
)
def test_bad_input(
    run: Flags,
    words: tuple[str, ...],
    problem: str,
    hint: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text("flags: [\n]: x")
    Path("odd.yaml").write_text(
        "{apiVersion: migrator.dev/v1alpha1, project: a, environment: b, flagz: []}"
    )
    with pytest.raises(FlagsError) as caught:
        run(*words)
    assert problem in str(caught.value)
    assert hint is None or hint in str(caught.value.hint)


def test_a_missing_or_wrong_token(run: Flags, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGS_TOKEN", "api-nobodys-token-00")
    with pytest.raises(FlagsError, match="401 invalid access token") as caught:
        run("export", "--project", "cms")
    assert caught.value.hint == "the token in $FLAGS_TOKEN is wrong or was revoked"
    monkeypatch.delenv("FLAGS_TOKEN")
    with pytest.raises(FlagsError, match=r"\$FLAGS_TOKEN is not set"):
        run("export", "--project", "cms")


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGS_TOKEN", "api-nobodys-token-00")
    done = CliRunner().invoke(app, ["export", "--server", "http://127.0.0.1:9"])
    assert isinstance(done.exception, FlagsError)
    assert done.exception.hint == "is the flag server running there?"
