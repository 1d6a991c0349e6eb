"""Posts of events: taken within limits, counted once, written by minute."""

import gzip
import json
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from ldclient import Context
from ldclient.migrations import Origin, Stage
from ldclient.migrations.types import Operation

from flag_builders import ON, Wait, an_environment
from flags.model import Counter, Measure, Snapshot, Sum
from flags.sdk import events as module
from flags.sdk.events import MAX_EVENTS, Ingestion, now_minute
from flags.sdk.seen import Seen
from flags.store import Store
from python_sdk import flush, python_sdk

if TYPE_CHECKING:
    from tests.flags.conftest import Server

ID = "0123456789abcdef01234567"
FALLTHROUGH = "updateFallthroughVariationOrRollout"
COUNTED = [
    pytest.param("/bulk", "sdk", id="server"),
    pytest.param(f"/events/bulk/{ID}", "", id="browser"),
    pytest.param("/mobile", "mobile", id="mobile"),
    pytest.param("/mobile/events", "mobile", id="mobile-events"),
    pytest.param("/mobile/events/bulk", "mobile", id="mobile-bulk"),
]
DIAGNOSTIC = [
    pytest.param("/diagnostic", "sdk", id="diagnostic"),
    pytest.param(f"/events/diagnostic/{ID}", "", id="browser-diagnostic"),
    pytest.param("/mobile/events/diagnostic", "mobile", id="mobile-diagnostic"),
]
every_path = pytest.mark.parametrize(("path", "key"), COUNTED + DIAGNOSTIC)
NO_FLAGS = Snapshot(environment="production", flags={}, segments={})
counted_path = pytest.mark.parametrize(("path", "key"), COUNTED)


def a_summary(count: int = 1, flag: str = "publishing", variation: int = 3) -> dict[str, Any]:
    counters = [{"variation": variation, "version": 7, "value": "live", "count": count}]
    feature = {"default": "off", "contextKinds": ["user"], "counters": counters}
    return {"kind": "summary", "startDate": 1, "endDate": 2, "features": {flag: feature}}


def post(
    server: "Server",
    path: str,
    key: str,
    content: Any,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    keys = {"sdk": server.credentials.sdk_key, "mobile": server.credentials.mobile_key}
    authorization = {"Authorization": keys.get(key, key)} if key else {}
    body = json.dumps(content) if isinstance(content, list | dict) else content
    return httpx.post(
        server.origin + path, content=body, headers={**authorization, **(headers or {})}, timeout=20
    )


class Written:
    """What the server keeps, once it has stopped."""

    def __init__(self, server: "Server") -> None:
        origin = {"project": "cms", "environment": "production"}
        with closing(Store(str(server.settings.database), origin)) as store:
            evaluations = store.evaluations
            minutes = evaluations.by_minute("cms", "production", "publishing", 0)
            self.measures = evaluations.measured("cms", "production", "publishing", 0)
            self.custom = evaluations.measured("cms", "production", "", 0)
        self.evaluations: dict[int, int] = {}
        for counts in minutes.values():
            for variation, count in counts.items():
                self.evaluations[variation] = self.evaluations.get(variation, 0) + count


@counted_path
def test_summaries_are_counted(stopped: "Server", path: str, key: str) -> None:
    with stopped.running():
        for count in (120, 3):
            answer = post(stopped, path, key, [{"kind": "index"}, a_summary(count)])
            assert (answer.status_code, answer.content) == (202, b"")
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["date"]  # by which SDKs know how wrong their clocks are
    assert Written(stopped).evaluations == {3: 123}


@pytest.mark.parametrize(("path", "key"), DIAGNOSTIC)
def test_diagnostics_are_taken_and_not_counted(stopped: "Server", path: str, key: str) -> None:
    with stopped.running():
        assert post(stopped, path, key, [a_summary()]).status_code == 202
        assert post(stopped, path, key, {"kind": "diagnostic-init"}).status_code == 202
    assert Written(stopped).evaluations == {}


@counted_path
def test_a_repeated_post_counts_once(stopped: "Server", path: str, key: str) -> None:
    with stopped.running():
        for payload in ("a", "a", "b", "a"):
            headers = {"X-LaunchDarkly-Payload-ID": payload, "X-LaunchDarkly-Event-Schema": "4"}
            answer = post(stopped, path, key, [a_summary(10)], headers)
            assert answer.status_code == 202
        for _ in range(2):  # without an id, each is another one
            post(stopped, path, key, [a_summary()])
    assert Written(stopped).evaluations == {3: 22}


def test_a_post_that_was_refused_may_be_repeated(stopped: "Server") -> None:
    with stopped.running():
        headers = {"X-LaunchDarkly-Payload-ID": "a"}
        cut_off = json.dumps([a_summary(10)])[:-1]
        assert post(stopped, "/bulk", "sdk", cut_off, headers).status_code == 400
        assert post(stopped, "/bulk", "sdk", [a_summary(10)], headers).status_code == 202
    assert Written(stopped).evaluations == {3: 10}


def test_compressed_and_chunked(stopped: "Server") -> None:
    zipped = gzip.compress(json.dumps([a_summary(5)]).encode())
    with stopped.running():
        for content in (zipped, iter([zipped[:10], zipped[10:]])):
            headers = {"Content-Encoding": "GZIP"}
            assert post(stopped, "/bulk", "sdk", content, headers).status_code == 202
        plain = json.dumps([a_summary(7)]).encode()
        pieces = (plain[i : i + 1] for i in range(len(plain)))
        assert post(stopped, "/bulk", "sdk", pieces).status_code == 202
    assert Written(stopped).evaluations == {3: 17}


def test_events_that_make_no_sense_are_skipped(stopped: "Server") -> None:
    events: list[Any] = [
        None,
        1,
        "x",
        [],
        {},
        {"kind": "summary"},
        {"kind": "custom"},
        a_summary(4),
        {"a": 1},
    ]
    with stopped.running():
        assert post(stopped, "/bulk", "sdk", events).status_code == 202
    assert Written(stopped).evaluations == {3: 4}


@counted_path
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[", id="cut-off"),
        pytest.param(b"{}", id="object"),
        pytest.param(b"\xff", id="binary"),
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_not_a_list_of_events(shared_server: "Server", path: str, key: str, body: bytes) -> None:
    answer = post(shared_server, path, key, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


FITS = b"[" + b" " * (MAX_EVENTS - 2) + b"]"
ZIPPED = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(FITS, {}, 202, id="fits"),
        pytest.param(FITS + b" ", {}, 413, id="one-more"),
        pytest.param(gzip.compress(FITS), ZIPPED, 202, id="fits-zipped"),
        pytest.param(gzip.compress(FITS + b" "), ZIPPED, 413, id="one-more-zipped"),
        pytest.param(gzip.compress(FITS * 4), ZIPPED, 413, id="bomb"),
    ],
)
def test_size(
    shared_server: "Server", body: bytes, headers: Mapping[str, str], status: int
) -> None:
    answer = post(shared_server, "/bulk", "sdk", body, headers)
    assert answer.status_code == status
    assert status == 202 or answer.json() == {
        "code": "request_entity_too_large",
        "message": f"body: expected at most {MAX_EVENTS} bytes",
    }


@every_path
def test_too_large(shared_server: "Server", path: str, key: str) -> None:
    body = gzip.compress(FITS + b" ")
    assert post(shared_server, path, key, body, ZIPPED).status_code == 413


@every_path
def test_not_gzip(shared_server: "Server", path: str, key: str) -> None:
    answer = post(shared_server, path, key, b"[]", {"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@every_path
def test_wrong_key(shared_server: "Server", path: str, key: str) -> None:
    if not key:
        answer = post(shared_server, path.replace(ID, "f" * 24), "", [])
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        return
    for wrong in ("", "sdk-wrong-wrong-wrong", {"sdk": "mobile", "mobile": "sdk"}[key]):
        answer = post(shared_server, path, wrong, [])
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_a_migration_is_measured(stopped: "Server") -> None:
    """With the SDK's own tracker, for each number of stages."""
    context = Context.create("alice")
    with stopped.running():
        for stages in (2, 4, 6):
            key = f"of-{stages}"
            flag = stopped.create(
                key, purpose="migration", migrationSettings={"stageCount": stages}
            )
            last = flag["variations"][-1]["_id"]
            stopped.patch(key, ON, {"kind": FALLTHROUGH, "variationId": last})
            stopped.create(
                f"off-{stages}", purpose="migration", migrationSettings={"stageCount": stages}
            )
        ids = [v["_id"] for v in stopped.migration("publishing")["variations"]]
        stopped.patch("publishing", ON, {"kind": FALLTHROUGH, "variationId": ids[2]})
        with python_sdk(stopped.origin, stopped.credentials.sdk_key) as client:
            for stages in (2, 4, 6):
                stage, _ = client.migration_variation(f"of-{stages}", context, Stage.LIVE)
                assert stage == Stage.COMPLETE
                stage, _ = client.migration_variation(f"off-{stages}", context, Stage.LIVE)
                assert stage == Stage.OFF
            stage, _ = client.migration_variation("nope", context, Stage.LIVE)
            assert stage == Stage.LIVE
            for consistent in (True, True, False):
                stage, tracker = client.migration_variation("publishing", context, Stage.OFF)
                assert stage == Stage.SHADOW
                tracker.operation(Operation.READ)
                for origin in (Origin.OLD, Origin.NEW):
                    tracker.invoked(origin)
                tracker.consistent(partial(bool, consistent))
                if not consistent:
                    tracker.error(Origin.NEW)
                client.track_migration_op(tracker)
            client.track("paid", context, metric_value=9.5)
            flush(client)
    written = Written(stopped)
    assert written.evaluations == {2: 3}
    assert {name: s.times for name, s in written.measures.items()} == {
        "invoked.old": 3, "invoked.new": 3, "consistent": 2, "inconsistent": 1, "error.new": 1,
        "custom.2.paid": 1,
    }  # fmt: skip
    assert written.custom == {"paid": Sum(1, 9.5)}


def test_what_the_sdk_counts_is_counted(stopped: "Server") -> None:
    alice, bob = Context.create("alice"), Context.create("bob")
    with stopped.running():
        yes = stopped.create("publishing")["variations"][0]["_id"]
        target = {"contextKind": "user", "variationId": yes, "values": ["alice"]}
        stopped.patch("publishing", ON, {"kind": "addTargets", **target})
        stopped.patch("publishing", {"kind": FALLTHROUGH, "variationId": yes})
        with python_sdk(stopped.origin, stopped.credentials.sdk_key) as client:
            for context in (alice, alice, bob):
                client.variation("publishing", context, False)
            client.variation("unknown", alice, False)
            flush(client)
    assert Written(stopped).evaluations == {0: 3}


def test_counts_are_written_while_the_server_runs(server: "Server", wait: Wait) -> None:
    server.migration("publishing")
    status = "/api/v2/flag-statuses/cms/production/publishing"
    assert server.http.get(status).json()["name"] == "new"
    post(server, "/bulk", "sdk", [a_summary()])
    wait(lambda: server.http.get(status).json()["name"] != "new", "the count to be written")


class TestIngestion:
    """Without a server."""

    ENVIRONMENT = an_environment()

    def test_everything_is_taken_once(self) -> None:
        ingestion = Ingestion(Seen())
        latency = {"key": "latency_ms", "values": {"old": 5}}
        migration = {
            "kind": "migration_op", "evaluation": {"key": "a"}, "measurements": [latency],
        }  # fmt: skip
        before = now_minute()
        for _ in range(2):
            ingestion.add(self.ENVIRONMENT, [a_summary(3, "a"), migration], NO_FLAGS)
        counts, measures = ingestion.take()
        assert sum(counts.values()) == 6
        assert sum(s.total for s in measures.values()) == 10.0
        minutes = {at.minute for at in counts} | {at.minute for at in measures}
        assert all(before <= minute <= now_minute() for minute in minutes)
        assert {at[:3] for at in counts} == {("cms", "production", "a")}
        assert {at[:3] for at in measures} == {("cms", "production", "a")}
        assert ingestion.take() == ({}, {})

    def test_contexts_are_seen(self) -> None:
        ingestion = Ingestion(Seen())
        alice, nobody = {"kind": "user", "key": "alice"}, {"kind": "user"}
        found = [{"kind": "index", "context": c} for c in (nobody, alice)]
        ingestion.add(self.ENVIRONMENT, found, NO_FLAGS)
        assert [c.canonical_key for c in ingestion.seen.recent("cms", "production")] == ["alice"]

    def test_what_waits_is_limited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """New names are dropped; those that are known go on."""
        monkeypatch.setattr(module, "MAX_PENDING", 2)
        monkeypatch.setattr(module, "now_minute", lambda: 5)
        ingestion = Ingestion(Seen())
        for _ in range(2):
            for flag in ("a", "b", "c"):
                ingestion.add(self.ENVIRONMENT, [a_summary(1, flag)], NO_FLAGS)
                custom = {"kind": "custom", "key": flag}
                ingestion.add(self.ENVIRONMENT, [custom], NO_FLAGS)
        counts, measures = ingestion.take()
        assert counts == {Counter("cms", "production", flag, 5, 3): 2 for flag in ("a", "b")}
        assert measures == {
            Measure("cms", "production", "", 5, name): Sum(2, 0.0) for name in ("a", "b")
        }

    def test_payload_ids_are_remembered_for_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "REMEMBERED", 2)
        ingestion = Ingestion(Seen())
        assert not ingestion.is_repeated(None)
        assert not ingestion.is_repeated(None)
        assert [ingestion.is_repeated(p) for p in ("a", "b", "a", "c", "b", "c")] == [
            False, False, True, False, True, True,
        ]  # fmt: skip
        assert not ingestion.is_repeated("a")

    def test_a_long_payload_id_is_one_too(self) -> None:
        ingestion = Ingestion(Seen())
        assert not ingestion.is_repeated("x" * 1000)
        assert ingestion.is_repeated("x" * 1000)
