"""Evaluated flags as browser and mobile SDKs keep them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flag_builders import CLAUSE, PRODUCTION, a_choice, within
from flags.evaluation import Context, Detail, evaluate
from flags.model import Flag, Snapshot
from flags.wire import client
from flags.wire.encoding import LAST_CHUNK, chunk, compact
from instruction_strategies import patient
from sse import events

FLAG = within(a_choice(), on=True, version=7, fallthrough={"variation": 1})
RULE = {"id": "r1", "clauses": [{**CLAUSE, "id": "c"}], "serve": {"variation": 2}}
EXPERIMENT = {"kind": "experiment", "variations": [{"variation": 3, "weight": 100_000}]}


def detail(flag: Flag, **attributes: Any) -> Detail:
    context = Context.parse({"kind": "user", "key": "u", **attributes})
    world = Snapshot(environment=PRODUCTION, flags={flag.key: flag}, segments={})
    return evaluate(flag, context, world)


def shown(flag: Flag, *, with_reasons: bool = False, **attributes: Any) -> dict[str, Any]:
    return client.client_flag(
        flag, PRODUCTION, detail(flag, **attributes), version=90, with_reasons=with_reasons
    )


PLAIN = {"value": "b", "variation": 1, "version": 90, "flagVersion": 7, "trackEvents": False}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({}, {}, id="plain"),
        pytest.param({"track_events": True}, {"trackEvents": True}, id="tracked"),
        pytest.param({"debug_events_until": 99}, {"debugEventsUntilDate": 99}, id="debugged"),
        pytest.param({"sampling_ratio": 5}, {"samplingRatio": 5}, id="sampled"),
        pytest.param(
            {"exclude_from_summaries": True}, {"excludeFromSummaries": True}, id="not-counted"
        ),
        pytest.param(
            {"track_events_fallthrough": True},
            {"trackEvents": True, "trackReason": True, "reason": {"kind": "FALLTHROUGH"}},
            id="tracked-by-reason",
        ),
        pytest.param(
            {"on": False, "track_events_fallthrough": True},
            {"value": "a", "variation": 0},
            id="tracked-for-another-reason",
        ),
        pytest.param({"on": False, "off_variation": None}, {"value": None, "variation": None},
                     id="no-value"),
        pytest.param(
            {"fallthrough": {"rollout": EXPERIMENT}},
            {
                "value": "d", "variation": 3, "trackEvents": True, "trackReason": True,
                "reason": {"kind": "FALLTHROUGH", "inExperiment": True},
            },
            id="experiment",
        ),
    ],
)  # fmt: skip
def test_flag(config: dict[str, Any], expected: dict[str, Any]) -> None:
    assert shown(within(FLAG, **config)) == {**PLAIN, **expected}


def test_a_rule_that_is_tracked() -> None:
    one = within(FLAG, rules=[{**RULE, "track_events": True}])
    reason = {"kind": "RULE_MATCH", "ruleIndex": 0, "ruleId": "r1"}
    found = shown(one, plan="internal")
    assert (found["value"], found["trackReason"], found["reason"]) == ("c", True, reason)
    assert shown(one) == PLAIN
    assert "reason" not in shown(within(FLAG, rules=[RULE]), plan="internal")


def test_reasons_where_they_are_asked_for() -> None:
    assert shown(FLAG, with_reasons=True) == {**PLAIN, "reason": {"kind": "FALLTHROUGH"}}


def test_prerequisites() -> None:
    """So that SDKs count them as evaluated, too."""
    needs = within(a_choice(key="main"), on=True, prerequisites=[{"key": FLAG.key, "variation": 1}])
    flags = {f.key: f for f in (needs, FLAG)}
    world = Snapshot(environment=PRODUCTION, flags=flags, segments={})
    found = evaluate(needs, Context.parse({"kind": "user", "key": "u"}), world)
    wire = client.client_flag(needs, PRODUCTION, found, version=1, with_reasons=False)
    assert wire["prerequisites"] == [FLAG.key]


def test_events() -> None:
    assert client.put({"k": PLAIN}) == b"event: put\ndata: " + compact({"k": PLAIN}) + b"\n\n"
    patch, delete = events(client.changes({"k": PLAIN, "gone": None}, 91))
    assert (patch.event, json.loads(patch.data)) == ("patch", {"key": "k", **PLAIN})
    assert (delete.event, json.loads(delete.data)) == ("delete", {"key": "gone", "version": 91})
    assert client.changes({}, 91) == b""
    (ping,) = events(client.PING)
    assert ping.event == "ping"


def test_the_second_generation() -> None:
    first = [(name, json.loads(data)) for name, data in client.transfer({"k": PLAIN}, "abc", 7)]
    assert [name for name, _ in first] == ["server-intent", "put-object", "payload-transferred"]
    assert first[0][1]["payloads"][0]["intentCode"] == "xfer-full"
    put = first[1][1]
    assert (put["key"], put["version"], put["object"]) == ("k", 7, PLAIN)
    assert first[2][1]["state"] == "abc:7"
    changed = events(client.transferred_changes({"k": PLAIN, "gone": None}, "abc", 8))
    assert [e.event for e in changed] == ["put-object", "delete-object", "payload-transferred"]
    delete = json.loads(changed[1].data)
    assert delete == {"version": 8, "kind": put["kind"], "key": "gone"}


@patient
@given(st.binary(max_size=300))
def test_chunks(data: bytes) -> None:
    """RFC 9112, section 7.1: the size in hexadecimal digits, the data, and an end."""
    size, rest = chunk(data).split(b"\r\n", 1)
    assert (int(size, 16), rest) == (len(data), data + b"\r\n")
    assert LAST_CHUNK == b"0\r\n\r\n"


_texts = st.text(st.characters(codec="utf-8"))


@patient
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(st.characters(codec="utf-8")),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
        ),
        max_leaves=5,
    )
)
def test_compact_json(value: Any) -> None:
    encoded = compact(value)
    assert b"\n" not in encoded
    assert b"\r" not in encoded
    assert json.loads(encoded) == value
