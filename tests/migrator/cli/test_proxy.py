"""`migrator proxy check|routes|explain` as a person types them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ldclient.versioned_data_kind import FEATURES, SEGMENTS
from typer.testing import CliRunner, Result

from migrator.cli import app
from migrator.errors import InvalidInput
from routing.config import ProxyConfig
from routing.endpoint_updates import kept
from routing.flag_cache import FILE, RememberingStore
from routing.key_files import make_decision_key

KEY = "sdk-0123456789abcdef"
CONFIG: dict[str, Any] = {
    "migration": "test",
    "listen": {"port": 0},
    "gateway": {"port": 0},
    "context": {"key": [{"cookie": "uid"}]},
    "monolith": "http://127.0.0.1:1",
    "services": {"articles": "http://127.0.0.1:2"},
    "capabilities": {
        "publishing": {
            "flag": "publishing",
            "routes": [
                {"path": "/articles/{id}", "service": "articles", "methods": ["GET", "PUT"]}
            ],
        }
    },
}
FLAG = {
    "key": "publishing",
    "version": 7,
    "on": True,
    "salt": "s",
    "variations": ["off", "dualwrite", "shadow", "live", "rampdown", "complete"],
    "offVariation": 0,
    "fallthrough": {"variation": 0},
    "targets": [{"values": ["alice"], "variation": 3}],
    "rules": [],
    "prerequisites": [],
}
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command in a folder with `routes.json` and the flags that a proxy kept."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAUNCHDARKLY_SDK_KEY", KEY)
    Path("routes.json").write_text(json.dumps(CONFIG))
    store = RememberingStore(tmp_path / FILE, KEY, writes=True, on_change=lambda: None)
    store.init({FEATURES: {"publishing": FLAG}, SEGMENTS: {}})
    make_decision_key(tmp_path)

    def command(*words: str) -> Result:
        done = CliRunner().invoke(app, ["proxy", *words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return command


@pytest.fixture
def explained(run: Run) -> Callable[..., Result]:
    place = ("--config", "routes.json", "--proxy-state", ".")
    return lambda *words: run("explain", *words, *place)


def test_check_and_routes(run: Run) -> None:
    assert run("check", "routes.json").output == ("routes.json: valid, 1 capabilities, 1 routes\n")
    assert json.loads(run("check", "routes.json", "--json").output)["valid"]
    (route,) = json.loads(run("routes", "routes.json", "--json").output)
    assert (route["path"], route["flag"], route["methods"]) == (
        "/articles/{id}", "publishing", ["GET", "PUT"],
    )  # fmt: skip
    shown = run("routes", "routes.json").output
    assert "GET PUT" in shown
    assert "everything else" in shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{", "routes.json", id="no-JSON"),
        pytest.param(json.dumps({**CONFIG, "workers": 0}), "workers", id="no-workers"),
        pytest.param(
            json.dumps({**CONFIG, "services": {}}), "names the service 'articles'", id="no-service"
        ),
    ],
)
def test_wrong_configurations(run: Run, text: str, words: str) -> None:
    Path("routes.json").write_text(text)
    for command in ("check", "routes"):
        with pytest.raises(InvalidInput, match=words) as found:
            run(command, "routes.json")
        assert found.value.exit_code == 2


def test_explain(explained: Run) -> None:
    told = explained("/articles/7", "-H", "Cookie: uid=alice").output
    assert "publishing: GET PUT /articles/{id}, a read" in told
    assert "live, because TARGET_MATCH" in told
    assert "service articles, http://127.0.0.1:2" in told
    assert re.search("a copy goes to +monolith", told)
    told = explained("/articles/7", "-X", "PUT", "-H", "Cookie: uid=bob").output
    assert "off, because FALLTHROUGH" in told
    assert "monolith, http://127.0.0.1:1" in told
    assert "none matches" in explained("/other").output
    document = json.loads(explained("/articles/7", "-H", "Cookie: uid=alice", "--json").output)
    assert document["flag"]["stage"] == "live"
    assert document["origin"]["side"] == "new"


def test_explain_knows_endpoints_and_trusted_peers(explained: Run) -> None:
    stream = {"url": "https://controller.example/v1/endpoints", "token_file": "token"}
    document = {**CONFIG, "endpoints": stream, "trusted": ["10.0.0.0/8"]}
    Path("routes.json").write_text(json.dumps(document))
    places = {"articles": ["http://127.0.0.1:3"]}
    kept_places = kept(places, stream["url"], ProxyConfig.model_validate(document))
    Path("endpoints.json").write_text(json.dumps(kept_places))
    who = ("-H", "Cookie: uid=alice", "-H", "X-Forwarded-For: 203.0.113.9", "--client", "10.0.0.1")
    told = " ".join(explained("/articles/7", *who).output.split())
    assert "articles, http://127.0.0.1:3, as the stream of endpoints said last" in told
    assert "203.0.113.9, as 10.0.0.1 says" in told
    document = json.loads(explained("/articles/7", *who, "--json").output)
    assert document["origin"]["source"] == "kept"
    assert document["request"]["client"] == "203.0.113.9"


def test_override(explained: Run, run: Run) -> None:
    place = ("--for", "1h", "--who", "tester", "--config", "routes.json")
    with pytest.raises(InvalidInput, match="takes no overrides"):
        run("override", "publishing=shadow", *place)
    Path("tests.key").write_text("k" * 32)
    Path("routes.json").write_text(json.dumps({**CONFIG, "overrides": {"key_file": "tests.key"}}))
    header, cookie = run("override", "publishing=shadow", *place).output.splitlines()
    assert json.loads(run("override", "publishing=off", *place, "--json").output).keys() == {
        "header", "cookie",
    }  # fmt: skip
    for field in (header, f"Cookie: a=b; {cookie}"):
        told = explained("/articles/7", "-H", "Cookie: uid=alice", "-H", field).output
        assert "shadow, because OVERRIDE" in told
    altered = f"{header[:-1]}{'A' if header[-1] != 'A' else 'B'}"
    told = explained("/articles/7", "-H", "Cookie: uid=alice", "-H", altered).output
    assert "live, because TARGET_MATCH" in told
    for words, message in (
        (("other=live", *place), "expected a capability: publishing"),
        (("publishing=on", *place), "expected a stage: off, "),
        (("publishing=live", "--for", "soon", *place[2:]), "expected a duration"),
    ):
        with pytest.raises(InvalidInput, match=message):
            run("override", *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("articles/7",), "refuses this request with 400", id="relative-path"),
        pytest.param(("/x", "-H", "no colon"), "refuses this request with 400", id="bad-field"),
        pytest.param(("/x", "-H", "A: 1\r\nB: 2"), "without line ends", id="two-lines"),
    ],
)
def test_wrong_requests(explained: Run, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        explained(*words)


def test_half_of_the_options(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="belong together"):
        run("explain", "/x", "--config", "routes.json")
    monkeypatch.delenv("LAUNCHDARKLY_SDK_KEY")
    with pytest.raises(InvalidInput, match="LAUNCHDARKLY_SDK_KEY"):
        run("explain", "/x", "--config", "routes.json", "--proxy-state", ".")
