"""Which requests are watched: what is off costs nothing, what is on gets what it asked for."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ldclient import Context

from proxy_builders import a_lane
from routing.config import ProxyConfig
from routing.decision import Evaluation
from routing.evaluation_counts import Given
from routing.flag_events import Detail
from routing.message import RequestReader
from routing.record import Attempt, Record
from routing.stages import Side, Stage
from routing.watch import NOBODY, Watch

LANE = a_lane()
LIVE = Evaluation(Stage.LIVE, "FALLTHROUGH", 7)
HEAD = RequestReader().read(b"GET /articles/1 HTTP/1.1\r\nHost: a\r\n\r\n")
ALICE = Context.builder("alice").set("plan", "free").set("email", "a@example.org").build()


def a_config(**changes: object) -> ProxyConfig:
    document = {
        "migration": "test",
        "listen": {"port": 0},
        "gateway": {"port": 0},
        "monolith": "http://127.0.0.1:1",
        "events": {"migration_ops": 0},
    }
    return ProxyConfig.model_validate({**document, **changes})


def a_watch(value: str = "live", **config: object) -> Watch:
    detail = Detail(Given("publishing", 3, 7, value), {}, 1)
    return Watch(a_config(**config), lambda flag, context: detail)


def requests(watch: Watch, count: int, status: int = 200) -> int:
    """The number of requests that were watched, of `count`."""
    watched = 0
    for _ in range(count):
        watch.left -= 1
        if watch.left >= 0:
            continue
        record = a_request(watch)
        if record is not None:
            watched += 1
            record.asks(LANE.decision.origin, "http://new", b"", Mock(), 0.0)
            record.is_answered(LANE.decision.origin, "http://new", status, 0.0)
            record.end(0.0, complete=True)
    return watched


def a_request(watch: Watch) -> Record | None:
    assert HEAD is not None
    return watch.begin(HEAD, LANE, LIVE, ALICE, b"192.0.2.1", edge=True, scheme=b"http")


def test_everything_is_off() -> None:
    watch = a_watch()
    assert requests(watch, 1000) == 0
    assert watch.left == NOBODY - 1000
    watch.refuse(b"192.0.2.1", 400, edge=True)
    watch.tick()
    watch.close()
    assert watch.take_events() == []


def test_operations_only() -> None:
    """A thousand at once: some are chosen, and they stand for nearly all."""
    watch = a_watch(events={"migration_ops": 20, "private_attributes": ["email"]})
    assert 20 <= requests(watch, 1000) < 200
    found = watch.take_events()
    assert sum(event.get("samplingRatio", 1) for event in found) <= 1000
    assert found[0]["context"] == {
        "kind": "user",
        "key": "alice",
        "plan": "free",
        "_meta": {"redactedAttributes": ["email"]},
    }


def test_both_sides_were_compared() -> None:
    watch = a_watch()
    attempts = [Attempt(side, 0.0) for side in Side]
    watch.measure({"kind": "migration_op"}, attempts, consistent=False)
    (event,) = watch.take_events()
    assert {"key": "consistent", "value": False} in event["measurements"]


@pytest.mark.parametrize(
    ("compared", "consistent"),
    [
        pytest.param(True, [{"key": "consistent", "value": True}], id="agree"),
        pytest.param(False, [{"key": "consistent", "value": False}], id="differ"),
        pytest.param(None, [], id="not-compared"),
    ],
)
def test_an_operation_waits_for_its_comparison(
    compared: bool | None, consistent: list[object]
) -> None:
    watch = a_watch(events={"migration_ops": 20})
    told = ended(watch, True)
    assert watch.take_events() == []
    other = Attempt(Side.NEW if LANE.decision.origin is Side.OLD else Side.OLD, 0.0)
    other.ended = 0.5
    told[0](other, compared)
    (event,) = watch.take_events()
    measured = {each["key"]: each for each in event["measurements"]}
    assert [each for key, each in measured.items() if key == "consistent"] == consistent
    assert measured["invoked"]["values"] == {"old": True, "new": True}
    assert len(measured["latency_ms"]["values"]) == 2


def test_an_operation_whose_copy_is_not_compared_does_not_wait() -> None:
    watch = a_watch(events={"migration_ops": 20})
    ended(watch, False)
    assert len(watch.take_events()) == 1


def ended(watch: Watch, compared: bool) -> list[Any]:
    """Who waits for the comparison of a request that has ended."""
    told: list[Any] = []

    def tell(tell: Any) -> bool:
        told.append(tell)
        return compared

    record = a_request(watch)
    assert record is not None
    record.copied = Mock(tell=tell)
    record.asks(LANE.decision.origin, "http://new", b"", Mock(), 0.0)
    record.is_answered(LANE.decision.origin, "http://new", 200, 0.0)
    record.end(0.0, complete=True)
    return told


def test_the_flag_gives_something_else_by_now() -> None:
    assert requests(a_watch("off", events={"migration_ops": 20}), 10) == 0


def test_contexts() -> None:
    watch = a_watch()
    for _ in range(2):
        watch.see(ALICE)
    assert [event["kind"] for event in watch.take_events()] == ["index"]


@pytest.mark.parametrize(
    ("log", "status", "lines"),
    [
        pytest.param({}, 200, 100, id="all"),
        pytest.param({"sample": 0}, 200, 0, id="none"),
        pytest.param({"sample": 0}, 500, 100, id="errors"),
        pytest.param({"sample": 0, "errors": False}, 500, 0, id="not-even-errors"),
        pytest.param({"sample": 0.5, "errors": False}, 200, range(20, 80), id="half"),
    ],
)
def test_the_access_log(
    log: dict[str, Any], status: int, lines: int | range, tmp_path: Path
) -> None:
    """Beside it, operations are still chosen by their own rate."""
    path = tmp_path / "access.log"
    watch = a_watch(access_log={"path": str(path), **log}, events={"migration_ops": 1})
    requests(watch, 100, status)
    log_buffer = watch._log
    assert log_buffer is not None
    watch.close()
    log_buffer._thread.shutdown()
    found = path.read_text().splitlines() if path.exists() else []
    assert len(found) in ([lines] if isinstance(lines, int) else lines)
    assert all(json.loads(each)["url.path"] == "/articles/1" for each in found)
    assert 1 <= len(watch.take_events()) <= 2


def test_another_file(tmp_path: Path) -> None:
    """What was written to the old one stays there; requests in flight go to the new one."""
    files = tmp_path / "a.log", tmp_path / "b.log"
    configs = [{"path": str(file)} for file in files]
    watch = a_watch(access_log=configs[0])
    requests(watch, 1)
    record = a_request(watch)
    assert record is not None
    first = watch._log
    watch.apply(a_config(access_log=configs[1]))
    record.end(0.0, complete=False)
    second = watch._log
    watch.close()
    for buffer in (first, second):
        assert buffer is not None
        buffer._thread.shutdown()
    assert [len(file.read_text().splitlines()) for file in files] == [1, 1]
