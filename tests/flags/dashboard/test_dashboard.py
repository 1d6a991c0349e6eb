"""The dashboard as a browser sees it: sign-in, changes, refusals, and no secrets in pages."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.flags.conftest import Server

TOKEN = "api-alice-7b1f44d2"
ON = {"kind": "turnFlagOn"}


class Browser(httpx.Client):
    """Keeps cookies, follows redirects, sends the page's CSRF token with a form."""

    def __init__(self, server: "Server") -> None:
        super().__init__(base_url=server.origin, follow_redirects=True, timeout=20)

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/audit").text)
        assert found, "no form with a CSRF token"
        return found[1]

    def submit(self, path: str, **fields: str) -> httpx.Response:
        return self.post(path, data={"csrf": self.csrf(), **fields})


@pytest.fixture
def stranger(server: "Server") -> Iterator[Browser]:
    with closing(Browser(server)) as browser:
        yield browser


@pytest.fixture
def alice(stranger: Browser) -> Browser:
    assert stranger.get(f"/login?token={TOKEN}").status_code == 200
    return stranger


def is_on(server: "Server", key: str) -> object:
    return server.get(key)["environments"]["production"]["on"]


def problem(answer: httpx.Response) -> str:
    found = re.search(r'class="problem" role="alert">([^<]+)<', answer.text)
    assert found, answer.text
    return found[1].replace("&#39;", "'").replace("&#34;", '"')


def test_without_a_session_there_is_only_the_sign_in(server: "Server", stranger: Browser) -> None:
    server.create("articles-service")
    for path in ("/", "/flags/articles-service", "/audit"):
        answer = stranger.get(path)
        assert answer.status_code == 401
        assert "API token" in answer.text
        assert "articles-service" not in answer.text
    assert stranger.get("/changes").status_code == 401
    assert stranger.post("/flags/articles-service/on").status_code == 401
    assert is_on(server, "articles-service") is False


def test_sign_in_by_link(server: "Server", stranger: Browser) -> None:
    answer = stranger.get(f"/login?token={TOKEN}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Sign out alice" in stranger.get("/").text


def test_sign_in_by_form_and_out(stranger: Browser) -> None:
    assert "Sign out alice" in stranger.post("/login", data={"token": TOKEN}).text
    assert "API token" in stranger.submit("/logout").text
    assert stranger.get("/").status_code == 401


@pytest.mark.parametrize("token", ["", "api-wrong-wrong-wrong", "sdk-5f1c0a9e-2b7d-4c63"])
def test_wrong_token(stranger: Browser, token: str) -> None:
    answer = stranger.post("/login", data={"token": token})
    assert answer.status_code == 401
    assert problem(answer) == "This token is not known here."
    assert stranger.get("/").status_code == 401


def test_a_forged_cookie_is_no_session(alice: Browser) -> None:
    good = alice.cookies["flags_session"]
    payload, rest = good.split(".", 1)
    for bad in (f"{payload}x.{rest}", f"{good}x", "x", "e30.e30.e30"):
        cookies = {"Cookie": f"flags_session={bad}"}
        assert httpx.get(alice.base_url, headers=cookies).status_code == 401
        assert httpx.get(alice.base_url.join("/changes"), headers=cookies).status_code == 401


def test_a_session_ends_with_the_members_token(stopped: "Server") -> None:
    with stopped.running():
        browser = Browser(stopped)
        assert browser.get(f"/login?token={TOKEN}").status_code == 200
    left = stopped.credentials.model_dump()
    del left["tokens"]["alice"]
    stopped.settings.credentials.write_text(json.dumps(left))
    with stopped.running(), closing(browser):
        assert browser.get("/").status_code == 401
        assert browser.get("/changes").status_code == 401


def test_list(server: "Server", alice: Browser) -> None:
    server.create("articles-service", tags=["ops"])
    server.migration("publishing")
    server.create("banner", description="a word to find")
    page = alice.get("/").text
    order = [page.index(text) for text in ("Capabilities", "Services", "Other flags")]
    assert order == sorted(order)
    found = alice.get("/?q=WORD+find").text
    assert 'href="/flags/banner"' in found
    assert 'href="/flags/publishing"' not in found
    tagged = alice.get("/?tag=ops").text
    assert 'href="/flags/articles-service"' in tagged
    assert 'href="/flags/banner"' not in tagged
    assert "No flag matches." in alice.get("/?q=zzz").text


def test_toggle(server: "Server", alice: Browser) -> None:
    server.create("articles-service")
    answer = alice.submit("/flags/articles-service/on", comment=" incident over ")
    assert answer.url.path == "/flags/articles-service"
    assert is_on(server, "articles-service") is True
    assert alice.submit("/flags/articles-service/off", back="index").url.path == "/"
    assert is_on(server, "articles-service") is False


def test_percentages(server: "Server", alice: Browser) -> None:
    server.migration("publishing")
    shares = {"share-2": "94.5", "share-3": "5.5", "comment": "go"}
    page = alice.submit("/flags/publishing/fallthrough", **shares).text
    fallthrough = server.get("publishing")["environments"]["production"]["fallthrough"]
    assert fallthrough["rollout"]["variations"] == [
        {"variation": 2, "weight": 94_500},
        {"variation": 3, "weight": 5_500},
    ]
    assert re.search(r'name="share-3"[^>]* value="5\.5"', page)


def test_targets(server: "Server", alice: Browser) -> None:
    live = server.migration("publishing")["variations"][3]["_id"]
    target = {"value": "<b>bob</b>", "variation": live}
    page = alice.submit("/flags/publishing/target", **target).text
    assert "&lt;b&gt;bob&lt;/b&gt;" in page
    assert "<b>bob</b>" not in page
    environment = server.get("publishing")["environments"]["production"]
    assert environment["targets"] == [
        {"contextKind": "user", "variation": 3, "values": ["<b>bob</b>"]}
    ]
    alice.submit("/flags/publishing/target", **target, remove="1", context_kind="user")
    assert server.get("publishing")["environments"]["production"]["targets"] == []


def test_rules_and_prerequisites_are_shown(server: "Server", alice: Browser) -> None:
    service = server.create("articles-service")
    live = server.migration("publishing")["variations"][3]["_id"]
    yes = service["variations"][0]["_id"]
    clause = {"contextKind": "user", "attribute": "plan", "op": "in", "values": ["internal", 7]}
    server.patch(
        "publishing",
        {"kind": "addRule", "clauses": [clause], "variationId": live, "description": "Staff"},
        {"kind": "addPrerequisite", "key": "articles-service", "variationId": yes},
    )
    page = alice.get("/flags/publishing").text
    assert 'href="/flags/articles-service"' in page
    rule = re.sub(r"<[^>]+>|\s+", " ", page[page.index("Staff") : page.index("Needs")])
    assert " ".join(rule.split()) == "Staff user.plan in internal, 7 gets live"


def test_history_shows_who_changed_what_and_how(server: "Server", alice: Browser) -> None:
    server.create("articles-service")
    alice.submit("/flags/articles-service/on", comment="<i>ready</i>")
    for page in (alice.get("/audit").text, alice.get("/flags/articles-service").text):
        text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
        assert "alice turned articles-service on by dashboard, version 2" in text
        assert "alice created articles-service by API, version 1" in text
        assert "&lt;i&gt;ready&lt;/i&gt;" in page


@pytest.mark.parametrize(
    ("path", "fields", "message"),
    [
        pytest.param(
            "fallthrough", {"share-0": "50"}, "the percentages sum to 50, expected 100", id="sum"
        ),
        pytest.param(
            "fallthrough",
            {"share-0": "NaN"},
            "off: expected 0 to 100 with up to 3 decimals, found 'NaN'",
            id="no-number",
        ),
        pytest.param("target", {"value": " "}, "key: expected the key of a context", id="no-key"),
        pytest.param(
            "target",
            {"value": "bob", "variation": "zz"},
            "instructions[0] (addTargets): variation 'zz' is not of flag 'publishing'",
            id="variation",
        ),
        pytest.param(
            "on",
            {"comment": "x" * 2001},
            "semantic patch: comment: String should have at most 2000 characters",
            id="long-reason",
        ),
    ],
)
def test_a_refused_change_says_why(
    server: "Server", alice: Browser, path: str, fields: dict[str, str], message: str
) -> None:
    made = server.migration("publishing")
    answer = alice.submit(f"/flags/publishing/{path}", **fields)
    assert answer.status_code == 200
    assert problem(answer).startswith(message)
    assert server.get("publishing") == made


@pytest.mark.parametrize("token", ["", "wrong", "ä"])
@pytest.mark.parametrize("path", ["on", "fallthrough", "target"])
def test_a_form_without_the_csrf_token_is_refused(
    server: "Server", alice: Browser, path: str, token: str
) -> None:
    made = server.create("articles-service")
    fields = {"share-0": "100", "value": "bob", "variation": made["variations"][0]["_id"]}
    answer = alice.post(f"/flags/articles-service/{path}", data={**fields, "csrf": token})
    assert answer.status_code == 403
    assert problem(answer).startswith("The form is too old, or came from elsewhere.")
    assert server.get("articles-service") == made


def test_a_csrf_token_is_of_one_session(server: "Server", alice: Browser) -> None:
    server.create("articles-service")
    old = alice.csrf()
    alice.get(f"/login?token={TOKEN}")
    assert alice.post("/flags/articles-service/on", data={"csrf": old}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[", ""])
def test_other_host_names_are_refused(alice: Browser, host: str) -> None:
    """A page of another site that points its name here (DNS rebinding) gets nothing."""
    answer = alice.get("/", headers={"Host": host})
    assert answer.status_code in {400, 421}
    assert "Sign out" not in answer.text


@pytest.mark.parametrize(
    ("call", "status"),
    [
        pytest.param(lambda b: b.get("/flags/nope"), 404, id="flag"),
        pytest.param(lambda b: b.get("/nope"), 404, id="page"),
        pytest.param(lambda b: b.submit("/flags/a/explode"), 404, id="action"),
        pytest.param(lambda b: b.get("/flags/a/on"), 405, id="get-for-post"),
        pytest.param(lambda b: b.post("/flags/a/on", data={"x": "x" * 2**21}), 413, id="size"),
    ],
)
def test_errors_are_pages(
    server: "Server", alice: Browser, call: Callable[[Browser], httpx.Response], status: int
) -> None:
    server.create("a")
    answer = call(alice)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert problem(answer)


def test_no_secret_is_in_a_page_and_pages_are_hardened(server: "Server", alice: Browser) -> None:
    server.create("articles-service")
    secrets = [
        server.credentials.sdk_key, server.credentials.mobile_key,
        server.credentials.session_secret, *server.credentials.tokens.values(),
    ]  # fmt: skip
    for path in ("/", "/flags/articles-service", "/audit", f"/login?token={TOKEN}", "/nope"):
        answer = alice.get(path)
        assert not [s for s in secrets if s in answer.text + str(answer.url)], path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert not re.search(r"<[^>]* (style|on[a-z]+)=|<script>", answer.text), path


@pytest.mark.parametrize("name", ["style.css", "live.js"])
def test_static_files(stranger: Browser, name: str) -> None:
    assert stranger.get(f"/static/{name}").status_code == 200


def test_changes_are_streamed_to_the_page(server: "Server", alice: Browser) -> None:
    server.create("articles-service")
    with alice.stream("GET", "/changes") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        server.patch("articles-service", ON)
        lines = answer.iter_lines()
        assert next(lines) == 'data: "articles-service"'


def test_the_page_counts_sdks(server: "Server", alice: Browser) -> None:
    assert "0 SDKs connected" in alice.get("/").text
    headers = {"Authorization": server.credentials.sdk_key}
    with httpx.stream("GET", f"{server.origin}/all", headers=headers) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: put"
        assert "1 SDK connected" in alice.get("/").text
