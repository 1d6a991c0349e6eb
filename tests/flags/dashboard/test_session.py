"""Signing in and out, what a stranger gets, and what every page is protected by."""

import re
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.flags.conftest import Server
    from tests.flags.dashboard.conftest import Browser

TOKEN = "api-alice-7b1f44d2"
HOME = "/p/cms/production"
Problem = Callable[[httpx.Response], str]


def test_a_stranger_gets_the_sign_in_only(server: "Server", stranger: "Browser") -> None:
    server.create("articles-service")
    for path in ("/", f"{HOME}/", f"{HOME}/flags/articles-service", f"{HOME}/history", "/nope"):
        answer = stranger.get(path)
        assert answer.status_code == 401
        assert "API token" in answer.text
        assert "articles-service</" not in answer.text
    assert stranger.get("/changes").status_code == 401
    path = f"{HOME}/flags/articles-service/change/switch"
    assert stranger.post(path, data={"to": "on"}).status_code == 401
    assert server.get("articles-service")["environments"]["production"]["on"] is False


def test_sign_in_and_out(stranger: "Browser") -> None:
    answer = stranger.post("/login", data={"token": f" {TOKEN} "}, follow_redirects=False)
    assert answer.status_code == 302
    for part in ("HttpOnly", "SameSite=Strict"):
        assert part in answer.headers["set-cookie"]
    page = stranger.get("/")
    assert page.url.path == f"{HOME}/"
    assert "Signed in as <b>alice</b>" in page.text
    assert "API token" in stranger.post("/logout", data={"csrf": stranger.csrf()}).text
    assert stranger.get("/").status_code == 401


@pytest.mark.parametrize("token", ["", "api-wrong-wrong-wrong", "sdk-5f1c0a9e-2b7d-4c63"])
def test_wrong_token(stranger: "Browser", problem: Problem, token: str) -> None:
    answer = stranger.post("/login", data={"token": token})
    assert answer.status_code == 401
    assert problem(answer) == "This token is not known here."
    assert stranger.get("/").status_code == 401


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        pytest.param(f"{HOME}/history?q=a", f"{HOME}/history?q=a", id="the-page-asked-for"),
        pytest.param("//evil.example/", "/", id="another-host"),
        pytest.param("/\\evil.example/", "/", id="another-host-to-browsers"),
        pytest.param("https://evil.example/", "/", id="another-site"),
        pytest.param("/logout", "/", id="logout"),
        pytest.param("/a\r\nSet-Cookie: a", "/", id="line-end"),
    ],
)
def test_sign_in_leads_to_pages_of_this_server(
    stranger: "Browser", wanted: str, led_to: str
) -> None:
    form = {"token": TOKEN, "next": wanted}
    answer = stranger.post("/login", data=form, follow_redirects=False)
    assert answer.headers["location"] == led_to


def test_the_page_asked_for_is_remembered(stranger: "Browser") -> None:
    assert f'name="next" value="{HOME}/history?q=a"' in stranger.get(f"{HOME}/history?q=a").text


def test_a_copied_cookie_is_worth_nothing_after_sign_out(
    server: "Server", alice: "Browser"
) -> None:
    copied = {"Cookie": f"flags_session={alice.cookies['flags_session']}"}
    assert httpx.get(f"{server.origin}{HOME}/", headers=copied).status_code == 200
    with httpx.stream("GET", f"{server.origin}/changes", headers=copied) as stream:
        assert stream.status_code == 200
    alice.post("/logout", data={"csrf": alice.csrf()})
    for path in (f"{HOME}/", "/changes"):
        assert httpx.get(server.origin + path, headers=copied).status_code == 401


def test_sessions_end_with_their_token(
    server: "Server", alice: "Browser", member: Callable[[str], "Browser"]
) -> None:
    viewer = member("reader")
    assert viewer.get("/").status_code == 200
    (revoke,) = re.findall(r"/p/cms/production(/tokens/[^/\"]+/revoke)", alice.page("/tokens"))
    alice.submit(revoke)
    assert viewer.get("/").status_code == 401
    assert viewer.get("/changes").status_code == 401


def test_a_forged_cookie_is_no_session(server: "Server", alice: "Browser") -> None:
    good = alice.cookies["flags_session"]
    payload, rest = good.split(".", 1)
    for bad in (f"{payload}x.{rest}", f"{good}x", "x", "e30.e30.e30"):
        cookies = {"Cookie": f"flags_session={bad}"}
        assert httpx.get(server.origin, headers=cookies).status_code == 401
        assert httpx.get(f"{server.origin}/changes", headers=cookies).status_code == 401


@pytest.mark.parametrize("token", ["", "wrong", "ä"])
@pytest.mark.parametrize(
    "path",
    ["/flags/a/change/switch", "/flags/a/settings/archive", "/new-flag", "/tokens", "/new-segment"],
)
def test_a_form_without_the_csrf_token_is_refused(
    server: "Server", alice: "Browser", problem: Problem, path: str, token: str
) -> None:
    made = server.create("a")
    form = {"to": "on", "archive": "1", "key": "b", "name": "b", "role": "admin", "csrf": token}
    answer = alice.post(HOME + path, data=form)
    assert answer.status_code == 403
    assert problem(answer).startswith("The form is too old, or came from elsewhere.")
    assert server.get("a") == made
    assert server.http.get("/api/v2/flags/cms/b").status_code == 404


def test_a_csrf_token_is_of_one_session(server: "Server", alice: "Browser") -> None:
    server.create("a")
    old = alice.csrf()
    alice.post("/login", data={"token": TOKEN})
    form = {"csrf": old, "to": "on"}
    assert alice.post(f"{HOME}/flags/a/change/switch", data=form).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[", ""])
def test_other_host_names_are_refused(alice: "Browser", host: str) -> None:
    """A page of another site that points its name here (DNS rebinding) gets nothing."""
    answer = alice.get("/", headers={"Host": host})
    assert answer.status_code in {400, 421}
    assert "Sign out" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", f"{HOME}/flags/nope", 404, id="flag"),
        pytest.param("GET", "/p/cms/nope/", 404, id="environment"),
        pytest.param("GET", "/p/nope/production/", 404, id="project"),
        pytest.param("GET", f"{HOME}/segments/nope", 404, id="segment"),
        pytest.param("GET", f"{HOME}/history/999999", 404, id="entry"),
        pytest.param("GET", f"{HOME}/flags/a/rules/nope", 404, id="rule"),
        pytest.param("GET", "/nope", 404, id="page"),
        pytest.param("POST", f"{HOME}/flags/a/change/explode", 404, id="action"),
        pytest.param("GET", f"{HOME}/flags/a/change/switch", 405, id="get-for-post"),
    ],
)
def test_errors_are_pages(
    server: "Server", alice: "Browser", problem: Problem, method: str, path: str, status: int
) -> None:
    server.create("a")
    form = {"csrf": alice.csrf()} if method == "POST" else None
    answer = alice.request(method, path, data=form)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert problem(answer)


def test_a_form_that_is_too_large(alice: "Browser") -> None:
    assert alice.post(f"{HOME}/new-flag", data={"x": "x" * 2**21}).status_code == 413


PAGES = (
    "/", "/flags/a", "/flags/a/rules/new", "/flags/a/evaluations", "/flags/a/schedule",
    "/flags/a/history", "/flags/a/settings", "/history", "/history/2", "/segments",
    "/new-segment", "/new-flag", "/sdks", "/environments", "/tokens", "/nope",
)  # fmt: skip


def test_no_secret_is_in_a_page_and_pages_are_hardened(server: "Server", alice: "Browser") -> None:
    server.create("a")
    secrets = [
        server.credentials.sdk_key, server.credentials.mobile_key,
        server.credentials.session_secret, *server.credentials.tokens.values(),
    ]  # fmt: skip
    for path in PAGES:
        answer = alice.get(HOME + path)
        assert not [s for s in secrets if s in answer.text + str(answer.url)], path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(r"<[^>]* (style|on[a-z]+)=|<script>", answer.text), path


@pytest.mark.parametrize("name", ["style.css", "live.js", "sliders.js", "keys.js", "icon.svg"])
def test_static_files_need_no_session(stranger: "Browser", name: str) -> None:
    assert stranger.get(f"/static/{name}").status_code == 200


def test_two_people_at_once(server: "Server", token_of: Callable[["Server", str], str]) -> None:
    token = token_of(server, "writer")
    with closing(httpx.Client(base_url=server.origin, follow_redirects=True)) as other:
        page = other.post("/login", data={"token": token}).text
        assert '<span class="role">operator</span>' in page
