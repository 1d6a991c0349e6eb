"""What server-side SDKs poll, in both generations, and PHP's single reads."""

import gzip
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from flag_builders import ON

if TYPE_CHECKING:
    from tests.flags.conftest import Server
    from tests.flags.sdk.conftest import Segments


@pytest.fixture
def sdk(server: "Server") -> Iterator[httpx.Client]:
    headers = {"Authorization": server.credentials.sdk_key}
    with httpx.Client(base_url=server.origin, headers=headers, timeout=20) as http:
        yield http


POLLS = [
    pytest.param("/sdk/latest-all", id="first"),
    pytest.param("/sdk/poll", id="second"),
]
READS = [
    *POLLS,
    pytest.param("/sdk/flags", id="flags"),
    pytest.param("/sdk/flags/articles-service", id="flag"),
    pytest.param("/sdk/segments/staff", id="segment"),
]


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    "key",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("sdk-wrong-wrong-wrong", id="unknown"),
        pytest.param("mob-5f1c0a9e-2b7d-4c63", id="mobile"),
        pytest.param("0123456789abcdef01234567", id="client-side"),
        pytest.param("Bearer sdk-5f1c0a9e-2b7d-4c63", id="scheme"),
    ],
)
def test_wrong_key(shared_server: "Server", path: str, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": key}
    answer = httpx.get(shared_server.origin + path, headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"code": "unauthorized", "message": "invalid SDK key"}


@pytest.mark.parametrize("path", READS)
def test_every_answer_names_the_environment(
    server: "Server", sdk: httpx.Client, segment: "Segments", path: str
) -> None:
    server.create("articles-service")
    segment("staff")
    answer = sdk.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["x-ld-envid"] == server.credentials.client_side_id
    assert "x-ld-fd-fallback" not in answer.headers


def test_everything(server: "Server", sdk: httpx.Client, segment: "Segments") -> None:
    server.create("articles-service")
    segment("staff", {"kind": "addIncludedTargets", "contextKind": "user", "values": ["alice"]})
    first = sdk.get("/sdk/latest-all").json()
    assert list(first["flags"]) == ["articles-service"]
    assert first["segments"]["staff"]["included"] == ["alice"]
    second = sdk.get("/sdk/poll").json()["events"]
    assert [event["event"] for event in second] == [
        "server-intent", "put-object", "put-object", "payload-transferred",
    ]  # fmt: skip
    objects = {event["data"]["key"]: event["data"]["object"] for event in second[1:-1]}
    assert objects == {**first["flags"], **first["segments"]}


@pytest.mark.parametrize("path", POLLS)
def test_what_has_not_changed_is_not_sent_again(
    server: "Server", sdk: httpx.Client, path: str
) -> None:
    server.create("articles-service")
    first = sdk.get(path)
    tag = first.headers["etag"]
    assert tag.startswith('"')
    assert sdk.get(path).headers["etag"] == tag
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = sdk.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["x-ld-envid"] == server.credentials.client_side_id
    server.patch("articles-service", ON)
    changed = sdk.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert '"on":true' in changed.text


def test_a_poll_is_compressed_where_that_is_accepted(server: "Server", sdk: httpx.Client) -> None:
    server.create("articles-service")
    plain = sdk.get("/sdk/latest-all", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with sdk.stream("GET", "/sdk/latest-all", headers={"Accept-Encoding": "gzip"}) as zipped:
        raw = b"".join(zipped.iter_raw())
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert int(zipped.headers["content-length"]) == len(raw)
    assert json.loads(gzip.decompress(raw)) == plain.json()


def test_changes_since_a_basis(server: "Server", sdk: httpx.Client) -> None:
    server.create("articles-service")
    server.create("images-service")

    def since(basis: str) -> list[tuple[str, str | None]]:
        events = sdk.get("/sdk/poll", params={"basis": basis}).json()["events"]
        code = events[0]["data"]["payloads"][0]["intentCode"]
        return [(code, None), *((e["event"], e["data"].get("key")) for e in events[1:])]

    basis = sdk.get("/sdk/poll").json()["events"][-1]["data"]["state"]
    assert since(basis) == [("none", None)]
    server.patch("images-service", ON)
    assert server.http.delete("/api/v2/flags/cms/articles-service").status_code == 204
    assert since(basis) == [
        ("xfer-changes", None),
        ("put-object", "images-service"),
        ("delete-object", "articles-service"),
        ("payload-transferred", None),
    ]
    for unknown in ("", "x", "ffffffff:1", basis + "0"):
        assert since(unknown)[0] == ("xfer-full", None), unknown


def test_a_restart_changes_no_basis_and_no_tag(stopped: "Server") -> None:
    key = {"Authorization": stopped.credentials.sdk_key}
    with stopped.running():
        stopped.create("articles-service")
        stopped.create("images-service")
        assert stopped.http.delete("/api/v2/flags/cms/images-service").status_code == 204
        before = [stopped.http.get(p, headers=key) for p in ("/sdk/latest-all", "/sdk/poll")]
    with stopped.running():
        after = [stopped.http.get(p, headers=key) for p in ("/sdk/latest-all", "/sdk/poll")]
    for one, other in zip(before, after, strict=True):
        assert (one.headers["etag"], one.json()) == (other.headers["etag"], other.json())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("/sdk/flags/nope", "flag 'nope' does not exist", id="flag"),
        pytest.param("/sdk/segments/nope", "segment 'nope' does not exist", id="segment"),
        pytest.param("/sdk/flags/staff", "flag 'staff' does not exist", id="segment-as-flag"),
        pytest.param("/sdk/flags/gone", "flag 'gone' does not exist", id="deleted"),
    ],
)
def test_single_reads_of_what_is_not_there(
    server: "Server", sdk: httpx.Client, segment: "Segments", path: str, message: str
) -> None:
    segment("staff")
    server.create("gone")
    server.http.delete("/api/v2/flags/cms/gone")
    answer = sdk.get(path)
    assert (answer.status_code, answer.json()) == (404, {"code": "not_found", "message": message})


def test_single_reads(server: "Server", sdk: httpx.Client, segment: "Segments") -> None:
    server.create("articles-service")
    segment("staff")
    everything = sdk.get("/sdk/latest-all").json()
    assert sdk.get("/sdk/flags").json() == everything["flags"]
    flag = sdk.get("/sdk/flags/articles-service").json()
    assert flag == everything["flags"]["articles-service"]
    assert sdk.get("/sdk/segments/staff").json() == everything["segments"]["staff"]
    server.patch("articles-service", ON)
    assert sdk.get("/sdk/flags/articles-service").json()["on"] is True
