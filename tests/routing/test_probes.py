"""Which read shows what a write has left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.changes import PathTemplate
from routing.errors import InvalidConfig
from routing.message import RequestHead, RequestReader
from routing.probes import probe_head

ROUTE = "/articles/{id}/publish"


def request(line: str = "POST /articles HTTP/1.1", *fields: str) -> tuple[RequestHead, bytes]:
    data = "\r\n".join((line, "Host: Shop.example:8080", *fields, "", "")).encode()
    head = RequestReader().read(data)
    assert head is not None
    return head, data


def target(
    line: str, *answer: str, status: int = 200, template: PathTemplate | None = None
) -> bytes:
    head, out = request(line)
    fields = "".join(f"{each}\r\n" for each in ("HTTP/1.1 200 OK", *answer)).encode()
    return probe_head(template, head, out, status, fields).split()[1]


@pytest.mark.parametrize(
    ("line", "location", "status", "expected"),
    [
        pytest.param("PUT /a/7?x=1", None, 200, "/a/7", id="the-path-itself"),
        pytest.param("POST /a", None, 201, "/a", id="no-location"),
        pytest.param("POST /a", "/a/7", 201, "/a/7", id="what-was-made"),
        pytest.param("POST /a/", "7?v=1#top", 201, "/a/7?v=1", id="relative"),
        pytest.param("POST /a", "http://shop.example:8080/a/7", 201, "/a/7", id="a-url"),
        pytest.param("POST /a", "http://10.0.0.1/a/7", 201, "/a", id="another-site"),
        pytest.param("POST /a", "//evil.example/x", 201, "/a", id="another-authority"),
        pytest.param("POST /a", "/a/7", 303, "/a", id="leads-elsewhere"),
        pytest.param("PUT /a/7", "/b", 201, "/a/7", id="nothing-was-made"),
        pytest.param("POST /a", "/a/7 HTTP/1.1", 201, "/a", id="no-target"),
        pytest.param("POST /a", "http://[/", 201, "/a", id="no-url"),
    ],
)
def test_targets(line: str, location: str | None, status: int, expected: str) -> None:
    answer = () if location is None else (f"Location: {location}",)
    assert target(f"{line} HTTP/1.1", *answer, status=status) == expected.encode()


def test_what_the_route_says_counts_first() -> None:
    template = PathTemplate("probe", "/articles/{id}", ROUTE)
    line = "POST /articles/7%2f8/publish HTTP/1.1"
    assert target(line, "Location: /x", status=201, template=template) == b"/articles/7%2F8"
    with pytest.raises(InvalidConfig, match=r"has \{slug\}, expected one of: \{id\}"):
        PathTemplate("probe", "/articles/{slug}", ROUTE)


def test_it_is_the_same_request_but_for_its_body() -> None:
    body = ("Content-Length: 3", "content-type: a/b", "Expect: 100-continue", "If-Match: x")
    more = ("Idempotency-Key: k", "Range: bytes=0-1", "X-HTTP-Method-Override: DELETE")
    kept = ("Cookie: session=a", "Accept: text/html", "X-Migrator-Context: e30")
    head, out = request("PUT /a/7 HTTP/1.1", *body, *kept, *more)
    probe = probe_head(None, head, out, 200, b"HTTP/1.1 200 OK\r\n")
    lines = ("GET /a/7 HTTP/1.1", "Host: Shop.example:8080", *kept, "", "")
    assert probe == "\r\n".join(lines).encode()


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=40))
def test_whatever_an_origin_says_it_is_one_request(location: str) -> None:
    head, out = request()
    answer = b"HTTP/1.1 201 Created\r\nLocation: %b\r\n" % location.encode("latin-1")
    probe = RequestReader().read(probe_head(None, head, out, 201, answer))
    assert probe is not None
    assert (probe.method, probe.host) == (b"GET", b"Shop.example:8080")
