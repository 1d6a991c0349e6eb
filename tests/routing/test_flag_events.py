"""`migration_op` and `index` events, and that a running proxy's reach the flag server."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldclient import Context
from ldclient.config import Config
from ldclient.evaluation import EvaluationDetail
from ldclient.impl.events.event_context_formatter import EventContextFormatter
from ldclient.impl.events.event_processor_common import EventOutputFormatter
from ldclient.impl.model import FeatureFlag
from ldclient.migrations import Operation, OpTracker, Origin, Stage

from routing.config import Events
from routing.evaluation_counts import Given
from routing.flag_events import FORGET, Detail, FlagEvents
from routing.record import Attempt
from routing.stages import Access, Side

DETAIL = Detail(Given("publishing", 3, 7, "live"), {"kind": "FALLTHROUGH"}, 1)
ALICE = Context.builder("alice").set("plan", "free").build()


def plain(context: Context, *, redact_anonymous: bool) -> dict[str, Any]:
    return {"key": context.key, "redacted": redact_anonymous}


def events(chance: float = 0.0, **config: float) -> FlagEvents:
    made = FlagEvents(lambda: chance, 0.0)
    made.apply(Events.model_validate(config), plain, 0.0)
    return made


def attempts(*spans: tuple[Side, float, float | None, int | None, str | None]) -> list[Attempt]:
    made = []
    for side, began, ended, status, error in spans:
        attempt = Attempt(side, began)
        attempt.ended, attempt.status, attempt.error = ended, status, error
        made.append(attempt)
    return made


def test_the_event() -> None:
    waiting = events()
    event = waiting.begin(DETAIL, Access.READ, ALICE, 100.0, 0.0)
    assert event is not None
    waiting.end(event, attempts((Side.NEW, 1.0, 1.0125, 200, None)))
    assert waiting.take() == [
        {
            "kind": "migration_op",
            "creationDate": 100_000,
            "operation": "read",
            "context": {"key": "alice", "redacted": True},
            "evaluation": {
                "key": "publishing",
                "value": "live",
                "version": 7,
                "variation": 3,
                "default": "off",
                "reason": {"kind": "FALLTHROUGH"},
            },
            "measurements": [
                {"key": "invoked", "values": {"new": True}},
                {"key": "latency_ms", "values": {"new": 12.5}},
            ],
        }
    ]
    assert waiting.take() == []


FELL_BACK = attempts((Side.NEW, 1.0, 1.5, None, "reset"), (Side.OLD, 1.5, 1.75, 200, None))


@pytest.mark.parametrize(
    ("made", "consistent", "expected"),
    [
        pytest.param([], None, None, id="nobody-asked"),
        pytest.param(
            attempts((Side.OLD, 1.0, None, None, None)),
            None,
            {"invoked": {"old": True}},
            id="client-gone",
        ),
        pytest.param(
            attempts((Side.OLD, 1.0, 1.5, 500, None)),
            True,
            {"invoked": {"old": True}, "latency_ms": {"old": 500.0}, "error": {"old": True}},
            id="server-error; one side cannot be compared",
        ),
        pytest.param(
            attempts((Side.OLD, 1.0, 1.5, None, "stale"), (Side.OLD, 1.5, 2.0, 200, None)),
            None,
            {"invoked": {"old": True}, "latency_ms": {"old": 1000.0}},
            id="repeated",
        ),
        pytest.param(
            FELL_BACK,
            False,
            {
                "invoked": {"new": True, "old": True},
                "consistent": False,
                "latency_ms": {"new": 500.0, "old": 250.0},
                "error": {"new": True},
            },
            id="fell-back; compared",
        ),
    ],
)
def test_measurements(
    made: Iterable[Attempt], consistent: bool | None, expected: dict[str, Any] | None
) -> None:
    waiting = events()
    waiting.end({"kind": "migration_op"}, made, consistent=consistent)
    found = waiting.take()
    if expected is None:
        assert found == []
        return
    measured = {
        each["key"]: each.get("values", each.get("value")) for each in found[0].pop("measurements")
    }
    assert measured == expected


@pytest.mark.parametrize(
    ("ratio", "chance", "sampling"),
    [
        pytest.param(1, 0.99, None, id="every-one"),
        pytest.param(4, 0.24, 4, id="chosen"),
        pytest.param(4, 0.26, "none", id="not-chosen"),
        pytest.param(0, 0.0, "none", id="never"),
    ],
)
def test_the_flags_own_sampling(ratio: int, chance: float, sampling: object) -> None:
    detail = Detail(DETAIL.given, DETAIL.reason, ratio)
    event = events(chance).begin(detail, Access.WRITE, ALICE, 1.0, 0.0)
    assert (event.get("samplingRatio") if event else "none") == sampling


def test_both_ratios_are_multiplied() -> None:
    waiting = events()
    assert waiting.bound is not None
    waiting.bound.let_pass(9)
    event = waiting.begin(Detail(DETAIL.given, DETAIL.reason, 3), Access.READ, ALICE, 1.0, 0.0)
    assert event is not None
    assert event["samplingRatio"] == 30


def test_off() -> None:
    waiting = events(migration_ops=0, contexts=0)
    assert waiting.begin(DETAIL, Access.READ, ALICE, 1.0, 0.0) is None
    waiting.see(ALICE, 1.0, 0.0)
    assert waiting.take() == []


def test_contexts_are_reported_once_in_a_while() -> None:
    waiting = events()
    for context in (ALICE, ALICE, Context.create("bob"), Context.create("alice", "device")):
        waiting.see(context, 1.0, 0.0)
    waiting.see(Context.create(""), 1.0, 0.0)
    found = waiting.take()
    assert [event["context"]["key"] for event in found] == ["alice", "bob", "alice"]
    assert {event["kind"] for event in found} == {"index"}
    waiting.see(ALICE, 1.0, FORGET - 1)
    assert waiting.take() == []
    waiting.see(ALICE, 1.0, FORGET)
    assert len(waiting.take()) == 1


def test_contexts_beyond_the_rate_come_later() -> None:
    waiting = events(contexts=2)
    bob, carol = Context.create("bob"), Context.create("carol")
    for context in (ALICE, bob, carol):
        waiting.see(context, 1.0, 0.0)
    assert [event["context"]["key"] for event in waiting.take()] == ["alice", "bob"]
    waiting.see(carol, 2.0, 1.0)
    assert [event["context"]["key"] for event in waiting.take()] == ["carol"]


@given(
    invoked=st.sets(st.sampled_from(Side), min_size=1),
    failed=st.sets(st.sampled_from(Side)),
    consistent=st.none() | st.booleans(),
    access=st.sampled_from(Access),
)
def test_the_official_sdk_sends_the_same(
    invoked: set[Side], failed: set[Side], consistent: bool | None, access: Access
) -> None:
    flag = FeatureFlag({"key": "publishing", "version": 7, "variations": [], "salt": ""})
    said = EvaluationDetail("live", 3, {"kind": "FALLTHROUGH"})
    tracker = OpTracker("publishing", flag, ALICE, said, Stage.OFF)
    tracker.operation(Operation(access.value))
    for side in invoked:
        tracker.invoked(Origin(side.value))
        tracker.latency(Origin(side.value), timedelta(milliseconds=250))
        if side in failed:
            tracker.error(Origin(side.value))
    if len(invoked) == 2 and consistent is not None:
        tracker.consistent(lambda: consistent)
    expected = EventOutputFormatter(Config("sdk")).make_output_event(tracker.build())
    assert expected is not None
    expected["creationDate"] = 1000

    waiting = FlagEvents(lambda: 0.0, 0.0)
    form = EventContextFormatter(False, [])
    waiting.apply(Events(), lambda context, redact_anonymous: form.format_context(context), 0.0)
    event = waiting.begin(DETAIL, access, ALICE, 1.0, 0.0)
    assert event is not None
    made = attempts(*((side, 1.0, 1.25, 500 if side in failed else 200, None) for side in invoked))
    waiting.end(event, made, consistent=consistent)
    assert waiting.take() == [expected]


Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Any]


def test_the_flag_server_gets_them(begin: Begin, wait_until: Until) -> None:
    async def fails(_head: bytes, _reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\ndown")

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            world.start_proxy(workers=1, expose_decision=True)
            await world.ready(http)
            for _ in range(3):
                await http.get(f"{world.edge}/articles/1", headers={"X-User": "alice"})
            await world.stage(http, "complete")
            world.new.answer = fails
            answer = await http.get(f"{world.edge}/articles/1", headers={"X-User": "bob"})
            assert answer.text == "old 0"
            await asyncio.to_thread(world.end)

            async def measured() -> bool:
                with contextlib.closing(sqlite3.connect(world.folder / "flags.db")) as db:
                    query = "SELECT name, SUM(count) FROM measurements GROUP BY name"
                    found = dict(db.execute(query).fetchall())
                complete = found.get("error.new") == 1 and found["latency_ms.new"] >= 1
                return complete and found["invoked.old"] >= 4

            await wait_until(measured)

    asyncio.run(run())
