"""`migrator parity list|report|replay` as a person types them, against a served admin address."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from migrator.cli import app
from migrator.errors import InvalidInput, Unavailable
from routing.config import ParityRules
from routing.parity.difference import Difference, Kind
from routing.parity.report import merge_parity, parity_report
from routing.parity.rules import Rules
from routing.parity.tally import Tally
from routing.stages import Access

Run = Callable[..., Result]
EVIL = '<script>alert("&")</script>\x00'


def parity() -> list[dict[str, Any]]:
    tally, rules = Tally(), Rules(ParityRules(show=("body.title",)))
    request = {"at": 1.0, "method": "GET", "target": "/a?token=REDACTED", "status": [200, 200]}
    title = Difference("body.title", Kind.VALUE, EVIL, "x")
    for _ in range(8):
        tally.repeat([Difference("body.at", Kind.VALUE, 1, 2)])
        tally.add([Difference("body.at", Kind.VALUE, 1, 2), title], request, rules)
    tally.add([Difference("body.rare", Kind.MISSING)], request, rules)
    left = Tally(noise=False)
    left.add([title], request, rules)
    return parity_report(
        merge_parity(
            [
                tally.document("shop"),
                Tally().document("quiet"),
                left.document("shop", Access.WRITE),
            ]
        )
    )


class Served:
    """Two origins and an admin address on one port."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.asked.append(self.path)
                body = json.dumps(served.documents().get(self.path, {"title": EVIL})).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def documents(self) -> dict[str, Any]:
        moved = {"path": "/a", "service": "carts", "rewrite": {"path": "/v2/a"}}
        routes = [moved, {"path": "/b", "service": "other"}]
        return {
            "/parity": {"at": 5.0, "parity": parity()},
            "/routes": {
                "monolith": self.url,
                "services": {"carts": self.url, "other": "http://127.0.0.1:1"},
                "capabilities": {"shop": {"flag": "shop", "routes": routes}},
            },
        }


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,))
    thread.start()
    with closing(served.server.socket):
        yield served
        served.server.shutdown()
        thread.join()
        served.server.server_close()


@pytest.fixture
def run(served: Served) -> Run:
    def command(*words: str) -> Result:
        done = CliRunner().invoke(app, ["parity", *words, "--admin", served.url])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return command


def ids(run: Run) -> dict[str, str]:
    capabilities = json.loads(run("list", "--json").stdout)
    reads = [each for each in capabilities if each["access"] == "read"]
    return {group["path"]: group["id"] for each in reads for group in each["groups"]}


def test_list(run: Run) -> None:
    told = run("list").stdout
    assert told.splitlines()[0].split()[:3] == ["capability", "access", "agree"]
    assert [line.split()[:3] for line in told.splitlines()[2:4]] == [
        ["shop", "read", "44.44%"],
        ["shop", "write", "0.00%"],
    ], told
    assert "body.title" in told
    assert "\x00" not in told
    assert set(ids(run)) == {"body.title", "body.at", "body.rare"}
    assert "body.title" not in run("list", "--capability", "quiet").stdout
    assert "no reads were compared" in run("list", "--capability", "none").stdout


def test_junit(run: Run, tmp_path: Path) -> None:
    run("report", "--junit", str(tmp_path / "parity.xml"))
    root = ElementTree.fromstring((tmp_path / "parity.xml").read_text())  # noqa: S314 - our own
    quiet, shop, left = root.findall("testsuite")
    assert (left.get("name"), left.get("failures")) == ("shop, after writes", "1")
    assert (shop.get("tests"), shop.get("failures"), shop.get("skipped")) == ("4", "1", "1")
    assert quiet.get("skipped") == "1"
    (failure,) = shop.iter("failure")
    assert failure.get("message") == "8 of 9 reads differ"
    assert "<script>" in (failure.text or ""), "escaped, and read again"


def test_html(run: Run, tmp_path: Path) -> None:
    run("report", "--html", str(tmp_path / "parity.html"))
    text = (tmp_path / "parity.html").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "http" not in text.replace("http-equiv", ""), "it needs nothing from elsewhere"


def test_replay(run: Run, served: Served) -> None:
    id = ids(run)["body.title"]
    told = run("replay", id).stdout
    assert f"'{served.url}/a?token=REDACTED'" in told
    assert f"'{served.url}/v2/a?token=REDACTED'" in told, "as the service gets it"
    assert "fill them in" in told
    served.asked.clear()
    assert "both answers agree now" in run("replay", id, "--run").stdout
    assert served.asked[-2:] == ["/a?token=REDACTED", "/v2/a?token=REDACTED"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        pytest.param(["report"], "no file is named", id="no-file"),
        pytest.param(["report", "--html", "/nowhere/x"], "cannot be written", id="no-folder"),
        pytest.param(["replay", "12345678"], "no difference '12345678'", id="unknown"),
    ],
)
def test_wrong_input(run: Run, words: list[str], error: str) -> None:
    with pytest.raises(InvalidInput, match=error):
        run(*words)


def test_nobody_there(run: Run, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "documents", lambda: {"/parity": {"parity": 1}})
    with pytest.raises(Unavailable, match="/parity"):
        run("list")
