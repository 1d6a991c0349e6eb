"""The second generation's events, read by the SDK's own parsers of streams and polls."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldclient.impl.datasourcev2.polling_common import polling_payload_to_changeset
from ldclient.impl.datasourcev2.streaming_common import process_message
from ldclient.interfaces import ChangeSet, ChangeSetBuilder, ChangeType, IntentCode, ObjectKind

from flag_builders import PRODUCTION, a_boolean, a_segment
from flags.wire import v2
from flags.wire.encoding import compact
from flags.wire.sdk import sdk_flag, sdk_segment
from instruction_strategies import patient
from sse import STEPS, events

EPOCH = "0123456789abcdef"
FLAG = sdk_flag(a_boolean(version=1), PRODUCTION)
SEGMENT = sdk_segment(a_segment())
FULL = (
    v2.intent("xfer-full", EPOCH, 12),
    v2.put_object("flag", "articles-service", 1, compact(FLAG)),
    v2.put_object("segment", "beta", 1, compact(SEGMENT)),
    v2.transferred(EPOCH, 12),
)
CHANGES = (
    v2.intent("xfer-changes", EPOCH, 14),
    v2.put_object("segment", "beta", 2, compact({**SEGMENT, "version": 2})),
    v2.delete_object("flag", "articles-service", 2),
    v2.transferred(EPOCH, 14),
)


def streamed(stream: bytes, step: int = 10_000) -> list[ChangeSet]:
    """What the SDK takes from a stream: one change set for each transfer."""
    builder: Any = ChangeSetBuilder()  # type: ignore[no-untyped-call]
    updates: Iterable[Any] = (process_message(e, builder, None) for e in events(stream, step))
    return [u.change_set for u in updates if u is not None and u.change_set is not None]


def polled(body: bytes) -> ChangeSet:
    result: Any = polling_payload_to_changeset(json.loads(body))
    found: ChangeSet = result.value  # which a failure does not have
    return found


def content(changes: ChangeSet) -> list[tuple[Any, ...]]:
    return [(c.action, c.kind, c.key, c.version, c.object) for c in changes.changes]


FULL_CONTENT = [
    (ChangeType.PUT, ObjectKind.FLAG, "articles-service", 1, FLAG),
    (ChangeType.PUT, ObjectKind.SEGMENT, "beta", 1, SEGMENT),
]
CHANGED_CONTENT = [
    (ChangeType.PUT, ObjectKind.SEGMENT, "beta", 2, {**SEGMENT, "version": 2}),
    (ChangeType.DELETE, ObjectKind.FLAG, "articles-service", 2, None),
]


@pytest.mark.parametrize("step", STEPS, ids="{}-bytes".format)
def test_a_stream(step: int) -> None:
    later = (v2.delete_object("segment", "beta", 3), v2.transferred(EPOCH, 15))
    full, changed = streamed(v2.stream(FULL) + v2.stream(later), step)
    assert (full.intent_code, content(full)) == (IntentCode.TRANSFER_FULL, FULL_CONTENT)
    assert full.selector is not None
    assert (full.selector.state, full.selector.version) == (f"{EPOCH}:12", 12)
    assert changed.intent_code == IntentCode.TRANSFER_CHANGES
    assert content(changed) == [(ChangeType.DELETE, ObjectKind.SEGMENT, "beta", 3, None)]
    assert changed.selector is not None
    assert changed.selector.state == f"{EPOCH}:15"


@pytest.mark.parametrize(
    ("sent", "code", "expected"),
    [
        pytest.param(FULL, IntentCode.TRANSFER_FULL, FULL_CONTENT, id="full"),
        pytest.param(CHANGES, IntentCode.TRANSFER_CHANGES, CHANGED_CONTENT, id="changes"),
        pytest.param(
            (v2.intent("none", EPOCH, 12),), IntentCode.TRANSFER_NONE, [], id="nothing-new"
        ),
        pytest.param(
            (v2.intent("xfer-full", EPOCH, 0), v2.transferred(EPOCH, 0)),
            IntentCode.TRANSFER_FULL,
            [],
            id="nothing-at-all",
        ),
    ],
)
def test_a_poll(sent: tuple[v2.Event, ...], code: IntentCode, expected: list[Any]) -> None:
    changes = polled(v2.poll(sent))
    assert (changes.intent_code, content(changes)) == (code, expected)
    if len(sent) > 1:
        (in_stream,) = streamed(v2.stream(sent))
        assert in_stream == changes


def test_changes_after_nothing_new() -> None:
    """The stream of an SDK that was up to date when it came."""
    later = (v2.delete_object("flag", "gone", 3), v2.transferred(EPOCH, 13))
    (changes,) = streamed(v2.stream((v2.intent("none", EPOCH, 12),)) + v2.stream(later))
    assert changes.intent_code == IntentCode.TRANSFER_CHANGES
    assert content(changes) == [(ChangeType.DELETE, ObjectKind.FLAG, "gone", 3, None)]


def test_events() -> None:
    assert v2.intent("xfer-full", EPOCH, 12) == (
        "server-intent",
        b'{"payloads":[{"id":"0123456789abcdef","target":12,"intentCode":"xfer-full",'
        b'"reason":"payload-missing"}]}',
    )
    assert v2.put_object("flag", "k", 7, b'{"a":1}') == (
        "put-object",
        b'{"version":7,"kind":"flag","key":"k","object":{"a":1}}',
    )
    assert v2.delete_object("segment", "k", 8) == (
        "delete-object",
        b'{"version":8,"kind":"segment","key":"k"}',
    )
    name, data = v2.transferred(EPOCH, 12)
    assert name == "payload-transferred"
    assert json.loads(data) == {"id": EPOCH, "state": f"{EPOCH}:12", "version": 12}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param("xfer-full", "payload-missing", id="full"),
        pytest.param("xfer-changes", "stale", id="changes"),
        pytest.param("none", "up-to-date", id="none"),
    ],
)
def test_reasons(code: Any, reason: str) -> None:
    _, data = v2.intent(code, EPOCH, 1)
    (payload,) = json.loads(data)["payloads"]
    assert (payload["intentCode"], payload["reason"]) == (code, reason)


@given(st.text("0123456789abcdef", min_size=1, max_size=32), st.integers(0, 10**18 - 1))
def test_a_state_is_read_back(epoch: str, sequence: int) -> None:
    assert v2.read_state(v2.state(epoch, sequence)) == (epoch, sequence)


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "abc", "abc:", ":1", "abc:-1", "abc:1.0", "ABC:1", "xyz:1", "abc:1 ", " abc:1",
        "abc:1\n", "abc:1:2", "abc:٣", "abc:" + "9" * 19, "a" * 33 + ":1", "(p:abc:1)", "\ud800:1",
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_state_of_ours(text: str) -> None:
    assert v2.read_state(text) is None


@patient
@given(st.text())
def test_any_text_may_be_asked_for(text: str) -> None:
    known = v2.read_state(text)
    assert known is None or v2.read_state(v2.state(*known)) == known


@patient
@given(st.text(st.characters(codec="utf-8"), max_size=20), st.integers(1, 50))
def test_any_text_stays_in_one_line_of_data(text: str, step: int) -> None:
    sent = (
        v2.intent("xfer-full", EPOCH, 1),
        v2.put_object("flag", "k", 1, compact({"key": "k", "version": 1, "variations": [text]})),
        v2.transferred(EPOCH, 1),
    )
    (changes,) = streamed(v2.stream(sent), step)
    assert changes.changes[0].object == {"key": "k", "version": 1, "variations": [text]}
    assert polled(v2.poll(sent)) == changes
