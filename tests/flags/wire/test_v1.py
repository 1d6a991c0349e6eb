"""The first generation's events, read by the SDK's own stream processor into its own store."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldclient.feature_store import InMemoryFeatureStore
from ldclient.impl.datasource.streaming import StreamingUpdateProcessor
from ldclient.versioned_data_kind import FEATURES, SEGMENTS

from flag_builders import PRODUCTION, a_boolean, a_segment, a_staged, within
from flags.wire import v1
from flags.wire.encoding import compact
from flags.wire.sdk import sdk_flag, sdk_segment
from instruction_strategies import patient
from sse import STEPS, events

FLAGS = {f.key: sdk_flag(f, PRODUCTION) for f in (a_boolean(), a_staged())}
SEGMENT = sdk_segment(a_segment())
BODY = v1.everything(
    [v1.member(key, compact(flag)) for key, flag in FLAGS.items()],
    [v1.member("beta", compact(SEGMENT))],
)


def fed(stream: bytes, step: int = 10_000) -> Any:
    """The SDK's store after `stream`."""
    store: Any = InMemoryFeatureStore()  # type: ignore[no-untyped-call]
    processor: Any = StreamingUpdateProcessor.__new__(StreamingUpdateProcessor)
    for event in events(stream, step):
        processor._process_message(store, event)
    return store


def all_of(store: Any, kind: Any) -> dict[str, Any]:
    found: dict[str, Any] = store.all(kind, lambda items: items)
    return {key: item.to_json_dict() for key, item in found.items()}


def test_poll() -> None:
    assert json.loads(BODY) == {"flags": FLAGS, "segments": {"beta": SEGMENT}}
    assert json.loads(v1.everything([], [])) == {"flags": {}, "segments": {}}


@pytest.mark.parametrize("step", STEPS, ids="{}-bytes".format)
def test_put(step: int) -> None:
    store = fed(v1.put(BODY), step)
    assert store.initialized
    assert all_of(store, FEATURES) == FLAGS
    assert all_of(store, SEGMENTS) == {"beta": SEGMENT}


@pytest.mark.parametrize("step", STEPS, ids="{}-bytes".format)
def test_changes(step: int) -> None:
    flag = sdk_flag(within(a_staged(), on=True, version=2), PRODUCTION)
    segment = {**SEGMENT, "version": 2}
    store = fed(
        v1.put(BODY)
        + v1.patch("flags", "publishing", compact(flag))
        + v1.delete("flags", "articles-service", 2)
        + v1.patch("segments", "beta", compact(segment))
        + v1.delete("segments", "nope", 9),
        step,
    )
    assert all_of(store, FEATURES) == {"publishing": flag}
    assert all_of(store, SEGMENTS) == {"beta": segment}


@pytest.mark.parametrize(
    ("version", "heard"),
    [pytest.param(1, False, id="same"), pytest.param(2, True, id="newer")],
)
def test_what_is_not_newer_is_ignored(version: int, heard: bool) -> None:
    """So versions must never go back."""
    flag = sdk_flag(within(a_staged(), on=True, version=version), PRODUCTION)
    put, patch = v1.put(BODY), v1.patch("flags", "publishing", compact(flag))
    assert all_of(fed(put + patch), FEATURES)["publishing"]["on"] is heard
    delete = v1.delete("flags", "publishing", version)
    assert ("publishing" not in all_of(fed(put + delete), FEATURES)) is heard


def test_events() -> None:
    assert v1.delete("flags", "publishing", 8) == (
        b'event: delete\ndata: {"path":"/flags/publishing","version":8}\n\n'
    )
    assert v1.patch("segments", "beta", b'{"version":2}') == (
        b'event: patch\ndata: {"path":"/segments/beta","data":{"version":2}}\n\n'
    )
    assert v1.put(b"{}") == b'event: put\ndata: {"path":"/","data":{}}\n\n'


@patient
@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(1, 50))
def test_any_text_stays_in_one_line_of_data(text: str, step: int) -> None:
    """A line break within an event's data would end it early."""
    flag = within(a_staged(), targets=[{"variation": 0, "values": [text[:512]]}])
    encoded = compact(sdk_flag(flag, PRODUCTION))
    (event,) = events(v1.patch("flags", flag.key, encoded), step)
    assert event.event == "patch"
    assert json.loads(event.data)["data"]["targets"][0]["values"] == [text[:512]]
