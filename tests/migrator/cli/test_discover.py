"""`migrator discover` as a person types it, over a log of the sample under its own load."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from migrator.cli import app, discover
from migrator.errors import InvalidInput
from migrator.plan.load import load

LOG = Path(__file__).parents[1] / "discover" / "data" / "cms.access.log.gz"
"""Of nginx before the sample's monolith, in combined format, with the cookie `uid` as the user."""
LINE = '10.0.0.7 - {user} [10/Oct/2025:11:55:36 +0000] "GET {target} HTTP/1.1" 200 1\n'
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def command(*words: str | Path) -> Result:
        done = CliRunner().invoke(app, ["discover", *map(str, words)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return command


def log(folder: Path, *targets: str, user: str = "-", name: str = "a.log") -> Path:
    file = folder / name
    file.write_text("".join(LINE.format(target=target, user=user) for target in targets))
    return file


def spans(folder: Path, *paths: str) -> Path:
    file = folder / "traces.jsonl"
    spans = [
        {"traceId": "5b8e", "kind": 2, "attributes": [
            {"key": "http.request.method", "value": {"stringValue": "GET"}},
            {"key": "url.path", "value": {"stringValue": path}}]}
        for path in paths
    ]  # fmt: skip
    file.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}) + "\n")
    return file


def test_the_samples_log(run: Run, tmp_path: Path) -> None:
    found = json.loads(run(LOG, "--json").stdout)
    (source,) = found["sources"]
    assert (source["requests"], source["malformed"]) == (1500, 0)
    groups = {group["name"]: group for group in found["groups"]}
    assert {"articles", "home", "media", "search", "session", "users"} <= set(groups)
    paths = {route["path"] for group in found["groups"] for route in group["routes"]}
    assert {"/articles/{id}", "/api/articles/{id}/publish", "/api/users/{name}"} <= paths
    assert len(paths) < 25
    assert groups["search"]["writes"] == 0 < groups["articles"]["writes"]
    for group in found["groups"]:
        parts = group["risk"]["parts"]
        assert sum(part["points"] for part in parts) == pytest.approx(
            group["risk"]["score"], abs=0.1
        )


def test_no_word_of_a_user_comes_out(run: Run, tmp_path: Path) -> None:
    shown = run(LOG).stdout + run(LOG, "--json", "-o", "p.yaml").stdout
    shown += (tmp_path / "p.yaml").read_text()
    lines = gzip.decompress(LOG.read_bytes()).decode().splitlines()
    users = {line.split()[2] for line in lines} - {"-"}
    assert len(users) > 20
    for secret in (*users, "seed-", "python-httpx", "127.0.0.1 -", "name="):
        assert secret not in shown


def test_a_plan(run: Run, tmp_path: Path) -> None:
    done = run(log(tmp_path, "/articles/1", "/articles/2"), "-o", "shop.yaml")
    assert done.stdout.endswith("then migrator plan validate shop.yaml\n")
    plan = load(tmp_path / "shop.yaml")
    assert plan.metadata.name == "shop"
    assert plan.spec.capabilities["articles"].schedule == "manual"
    with pytest.raises(InvalidInput, match="exists already"):
        run(tmp_path / "a.log", "-o", "shop.yaml")
    assert run(tmp_path / "a.log", "-o", "shop.yaml", "--force").exit_code == 0


def test_the_table_shows_the_risks_parts(run: Run, tmp_path: Path) -> None:
    out = run(log(tmp_path, "/articles/1", "/search")).stdout
    assert out.splitlines()[0].split()[:3] == ["#", "capability", "requests"]
    assert "0.50 x 15 = 7.5" in out
    assert "50% of all requests" in out


def test_malformed_lines_are_counted(run: Run, tmp_path: Path) -> None:
    file = log(tmp_path, "/a/1")
    with file.open("a") as more:
        more.write(
            "password=hunter2\n\n" + "x" * 70_000 + "\n" + LINE.format(target="/a/2", user="-")
        )
    out = run(file).stdout
    assert f"2 of 4 lines malformed; first {file}:2: expected the common or combined" in out
    assert "hunter2" not in out
    assert "2 requests in 1 groups" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "no request was found in 0 lines", id="empty"),
        pytest.param(b"a\nb\n", "in 2 lines, of which 2 are malformed; first", id="another-log"),
        pytest.param(gzip.compress(b"x" * 1000)[:-20], "the compressed data is damaged", id="cut"),
        pytest.param(b"\x1f\x8b\x08abc", "cannot be read", id="no-gzip"),
    ],
)
def test_nothing_could_be_read(run: Run, tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        run(file)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param((), "nothing to read", id="nothing"),
        pytest.param(("none.log",), "none.log: cannot be read: No such file", id="missing"),
        pytest.param((".",), "cannot be read: Is a directory", id="folder"),
        pytest.param((LOG, "--since", "noon"), "found 'noon', expected a time", id="since"),
        pytest.param(("--openapi", "none.yaml"), "none.yaml: cannot be read", id="openapi"),
        pytest.param((LOG, "--since", "2999-01-01"), "no request was found since", id="future"),
    ],
)
def test_errors(run: Run, words: tuple[str | Path, ...], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        run(*words)


@pytest.mark.parametrize(
    ("since", "requests"),
    [("2025-10-10", 1), ("2025-10-10T11:55:36Z", 1), ("2025-10-10T13:55:37+02:00", 0)],
)
def test_since(run: Run, tmp_path: Path, since: str, requests: int) -> None:
    log(tmp_path, "/a/1")
    other = tmp_path / "b.log"
    other.write_text(LINE.format(target="/b/1", user="-").replace("2025", "2026"))
    found = json.loads(run("a.log", "b.log", "--since", since, "--json").stdout)
    assert found["requests"] == requests + 1


def test_an_hour_back(monkeypatch: pytest.MonkeyPatch) -> None:
    assert discover._since("1h30m", 10_000.0) == 4600.0


def test_openapi_and_traces(run: Run, tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("openapi: 3.1.0\npaths: {'/p/{slug}': {get: {tags: [Pages]}}}")
    file = log(tmp_path, "/p/about-us", "/q/1")
    traces = spans(tmp_path, "/p/x", "/q/1")
    found = json.loads(run(file, "--openapi", "o.yaml", "--traces", traces, "--json").stdout)
    assert found["requests"] == 2
    assert {group["name"]: group["coupling"] for group in found["groups"]} == {"pages": 1, "q": 1}
    only = json.loads(run("--traces", traces, "--json").stdout)
    assert only["requests"] == 2
    alone = json.loads(run("--openapi", "o.yaml", "--json").stdout)
    assert [group["name"] for group in alone["groups"]] == ["pages"]


def test_tables_that_two_capabilities_write(run: Run, tmp_path: Path) -> None:
    file = log(tmp_path, "/orders/1", "/stock/1")
    traces = spans(tmp_path, "/orders/1", "/stock/1")
    document = json.loads(traces.read_text())
    (scope,) = document["resourceSpans"][0]["scopeSpans"]
    for number, span in enumerate(list(scope["spans"])):
        span["spanId"] = f"s{number}"
        query = {"stringValue": "UPDATE items SET owner = 'Ann'"}
        scope["spans"].append(
            {"traceId": "5b8e", "spanId": f"d{number}", "parentSpanId": f"s{number}", "kind": 3,
             "attributes": [{"key": "db.query.text", "value": query}]}
        )  # fmt: skip
    traces.write_text(json.dumps(document) + "\n")
    out = run(file, "--traces", traces).stdout
    assert "writes tables that others write, too: items (stock)" in out
    assert "1.00 x 10 = 10.0" in out
    shown = run(file, "--traces", traces, "--json").stdout
    assert json.loads(shown)["groups"][0]["shared_tables"] == [
        {"table": "items", "groups": ["stock"]}
    ]
    assert "Ann" not in out + shown
