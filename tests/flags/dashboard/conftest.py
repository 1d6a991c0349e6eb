"""Flags to render, and browsers that are signed in to a real server."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from html import unescape
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache

from flags.model import STAGES_BY_COUNT, Defaults, Flag, Variation

if TYPE_CHECKING:
    from tests.flags.conftest import Server

TOKEN: Final = "api-alice-7b1f44d2"
HOME: Final = "/p/cms/production"


class Compiled(BytecodeCache):
    """Templates of all servers of this process."""

    def __init__(self) -> None:
        self._compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if known := self._compiled.get(bucket.key):
            bucket.bytecode_from_string(known)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def templates_compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": Compiled()})
        yield


class Browser(httpx.Client):
    """A browser without script: keeps cookies, follows redirects, sends the page's CSRF token."""

    def __init__(self, server: "Server", token: str = "") -> None:
        super().__init__(base_url=server.origin, follow_redirects=True, timeout=20)
        if token:
            assert self.post("/login", data={"token": token}).status_code == 200

    def page(self, path: str = "/") -> str:
        answer = self.get(HOME + path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(f"{HOME}/sdks").text)
        assert found, "no form with a CSRF token"
        return found[1]

    def submit(self, path: str, **fields: str | list[str]) -> httpx.Response:
        return self.post(HOME + path, data={"csrf": self.csrf(), **fields})


def text_of(page: str) -> str:
    """What a person reads, in one line."""
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


def problem_of(answer: httpx.Response) -> str:
    found = re.search(r'class="problem" role="alert"[^>]*>([^<]+)<', answer.text)
    assert found, text_of(answer.text)
    return unescape(found[1])


@pytest.fixture(scope="session")
def read() -> Callable[[str], str]:
    return text_of


@pytest.fixture(scope="session")
def problem() -> Callable[[httpx.Response], str]:
    return problem_of


@pytest.fixture
def stranger(server: "Server") -> Iterator[Browser]:
    with closing(Browser(server)) as browser:
        yield browser


@pytest.fixture
def alice(server: "Server") -> Iterator[Browser]:
    """An admin."""
    with closing(Browser(server, TOKEN)) as browser:
        yield browser


@pytest.fixture
def member(server: "Server") -> Iterator[Callable[[str], Browser]]:
    """Browsers by role: `reader` or `writer`."""
    opened: list[Browser] = []

    def sign_in(role: str) -> Browser:
        opened.append(Browser(server, new_token(server, role)))
        return opened[-1]

    yield sign_in
    for browser in opened:
        browser.close()


def new_token(server: "Server", role: str) -> str:
    answer = server.http.post("/api/v2/tokens", json={"name": f"a {role}", "role": role})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


@pytest.fixture(scope="session")
def token_of() -> Callable[["Server", str], str]:
    return new_token


@pytest.fixture
def careful(server: "Server", alice: Browser) -> Callable[..., None]:
    """Make the environment ask for reasons, previews, or both."""

    def set_up(**choices: str) -> None:
        answer = alice.submit("/environments/production", name="production", **choices)
        assert answer.status_code == 200

    return set_up


@pytest.fixture(scope="session")
def boolean() -> Flag:
    """A boolean flag that is off; variations have the ids `yes` and `no`."""
    return Flag(
        key="articles-service",
        name="Articles",
        kind="boolean",
        variations=(Variation(id="yes", value=True), Variation(id="no", value=False)),
        defaults=Defaults(on_variation=0, off_variation=1),
        created=1,
    )


@pytest.fixture(scope="session")
def staged() -> Flag:
    """A migration flag; the id of a variation is `v-` and its stage."""
    return Flag(
        key="publishing",
        name="Publishing",
        kind="migration",
        variations=tuple(Variation(id=f"v-{s}", value=s) for s in STAGES_BY_COUNT[6]),
        defaults=Defaults(on_variation=0, off_variation=0),
        created=1,
    )
