"""One moment's data in every form: whichever way an SDK took, it has the same."""

import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_stream import parsed, unchunked
from flag_builders import PRODUCTION, a_boolean, a_segment, an_environment, within
from flags.model import Flag, Segment
from flags.store.changes import Change, Deleted
from flags.streams.state import State
from flags.wire import v2
from flags.wire.sdk import sdk_flag, sdk_segment

EPOCH = "0a1b2c3d"
Data = dict[str, dict[str, Any]]


def a_state(sequence: int = 1, epoch: str = EPOCH) -> State:
    return State(an_environment(), epoch, sequence)


def a_change(item: Flag | Segment | Deleted, sequence: int) -> Change:
    is_segment = isinstance(item, Segment) or (isinstance(item, Deleted) and item.kind == "segment")
    environment = PRODUCTION if is_segment else None
    return Change(sequence=sequence, project="cms", environment=environment, item=item)


def polled(state: State) -> Data:
    found: Data = json.loads(state.encoded.body)
    return found


class FirstGeneration:
    """What an SDK does with the events of `/all`."""

    def __init__(self, put: bytes) -> None:
        ((name, data),) = parsed(unchunked(put))
        assert (name, data["path"]) == ("put", "/")
        self.data: Data = data["data"]

    def take(self, message: bytes) -> None:
        ((name, data),) = parsed(message)
        kind, key = data["path"].removeprefix("/").split("/")
        version = data["version"] if name == "delete" else data["data"]["version"]
        if version <= self._version(kind, key):
            return
        self.data[kind][key] = (
            {"version": version, "deleted": True} if name == "delete" else data["data"]
        )

    def live(self) -> Data:
        return {
            kind: {key: item for key, item in items.items() if not item["deleted"]}
            for kind, items in self.data.items()
        }

    def _version(self, kind: str, key: str) -> int:
        return int(self.data[kind].get(key, {"version": 0})["version"])


class SecondGeneration:
    """What an SDK does with the events of `/sdk/poll` or `/sdk/stream`."""

    def __init__(self) -> None:
        self.data: Data = {"flags": {}, "segments": {}}
        self.basis: str | None = None

    def take(self, events: Sequence[tuple[str, Any]]) -> None:
        changed = self.data
        for name, data in events:
            if name == "server-intent":
                code = data["payloads"][0]["intentCode"]
                if code == "xfer-full":
                    changed = {"flags": {}, "segments": {}}
            elif name == "put-object":
                changed[f"{data['kind']}s"][data["key"]] = data["object"]
                assert data["object"]["version"] == data["version"]
            elif name == "delete-object":
                changed[f"{data['kind']}s"].pop(data["key"], None)
            else:
                assert name == "payload-transferred"
                self.data, self.basis = changed, data["state"]


def decoded(events: Sequence[v2.Event]) -> list[tuple[str, Any]]:
    return [(name, json.loads(data)) for name, data in events]


keys = st.sampled_from(["a", "b", "c"])
steps = st.lists(
    st.tuples(st.sampled_from(["flag", "segment", "delete-flag", "delete-segment", "same"]), keys),
    max_size=25,
)


def changes(wanted: Sequence[tuple[str, str]]) -> list[Change]:
    """As a store makes them: versions of one thing only grow, also when it is made anew.

    `same` tells of a flag again, as when something changed for another environment.
    """
    versions: dict[tuple[str, str], int] = {}
    there: set[str] = set()
    made: list[Change] = []
    for number, (step, key) in enumerate(wanted, start=2):
        if step == "same" and f"flag {key}" not in there:
            continue
        kind = step.removeprefix("delete-").replace("same", "flag")
        version = versions.get((kind, key), 0) + (step != "same")
        versions[kind, key] = version
        item: Flag | Segment | Deleted
        if step.startswith("delete"):
            item = Deleted(kind=kind, key=key, version=version)
            there.discard(f"{kind} {key}")
        elif kind == "segment":
            item = a_segment(key, version=version)
        else:
            item = within(a_boolean(key), version=version, on=version % 2 == 0)
            there.add(f"flag {key}")
        made.append(a_change(item, number))
    return made


def test_nothing() -> None:
    state = a_state()
    assert polled(state) == {"flags": {}, "segments": {}}
    assert [name for name, _ in state.encoded.full] == ["server-intent", "payload-transferred"]


def test_every_form_of_a_flag_and_a_segment() -> None:
    state, flag, segment = a_state(), within(a_boolean(), version=7), a_segment(version=3)
    state.apply(a_change(flag, 2))
    state.apply(a_change(segment, 3))
    wire_flag, wire_segment = sdk_flag(flag, PRODUCTION), sdk_segment(segment)
    everything = {"flags": {flag.key: wire_flag}, "segments": {segment.key: wire_segment}}
    encoded = state.encoded
    assert polled(state) == everything
    assert json.loads(gzip.decompress(encoded.gzipped)) == everything
    assert parsed(unchunked(encoded.put)) == [("put", {"path": "/", "data": everything})]
    assert json.loads(encoded.flags) == everything["flags"]
    assert json.loads(encoded.one("flag", flag.key) or b"") == wire_flag
    assert json.loads(encoded.one("segment", segment.key) or b"") == wire_segment
    assert encoded.one("flag", segment.key) is None
    assert decoded(encoded.full) == [
        (
            "server-intent",
            {
                "payloads": [
                    {
                        "id": EPOCH,
                        "target": 3,
                        "intentCode": "xfer-full",
                        "reason": "payload-missing",
                    }
                ]
            },
        ),
        ("put-object", {"version": 7, "kind": "flag", "key": flag.key, "object": wire_flag}),
        (
            "put-object",
            {"version": 3, "kind": "segment", "key": segment.key, "object": wire_segment},
        ),
        ("payload-transferred", {"id": EPOCH, "state": f"{EPOCH}:3", "version": 3}),
    ]
    assert parsed(unchunked(encoded.full_stream)) == decoded(encoded.full)


def test_a_snapshot_does_not_change() -> None:
    state = a_state()
    state.apply(a_change(within(a_boolean(), version=1), 2))
    before, encoded = state.snapshot, state.encoded
    body = encoded.body
    state.apply(a_change(within(a_boolean(), version=2, on=True), 3))
    assert before.flags["articles-service"].config(PRODUCTION).on is False
    assert state.snapshot.flags["articles-service"].config(PRODUCTION).on is True
    assert (encoded.body, encoded.sequence) == (body, 2)
    assert state.encoded.body != body


@pytest.mark.parametrize(
    ("change", "is_told"),
    [
        pytest.param(a_change(within(a_boolean(), version=2), 10), True, id="newer"),
        pytest.param(a_change(within(a_boolean(), version=1), 10), False, id="the-same"),
        pytest.param(a_change(within(a_boolean(), version=2), 5), False, id="told-already"),
        pytest.param(a_change(within(a_boolean(), version=2), 4), False, id="older"),
        pytest.param(
            a_change(within(within(a_boolean(), version=1), "staging", version=9), 10),
            False,
            id="of-another-environment",
        ),
        pytest.param(
            a_change(Deleted(kind="flag", key="articles-service", version=2), 10),
            True,
            id="deleted",
        ),
        pytest.param(
            Change(sequence=10, project="cms", environment=PRODUCTION, item=an_environment()),
            False,
            id="environment",
        ),
    ],
)
def test_what_sdks_need_to_hear(change: Change, is_told: bool) -> None:
    state = a_state()
    state.apply(a_change(within(a_boolean(), version=1), 5))
    assert (state.apply(change) is not None) is is_told


@pytest.mark.parametrize(
    "basis",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("rubbish", id="rubbish"),
        pytest.param("ffffffff:2", id="of-another-database"),
        pytest.param(f"{EPOCH}:99", id="from-the-future"),
        pytest.param(f"{EPOCH}:-1", id="negative"),
        pytest.param(f"{EPOCH}:٢", id="other-digits"),
        pytest.param(f"{EPOCH}:2\n", id="line-break"),
        pytest.param(f"{EPOCH}:{'9' * 5000}", id="huge"),
    ],
)
def test_an_unknown_basis_gets_everything(basis: str | None) -> None:
    state = a_state()
    state.apply(a_change(a_boolean(), 2))
    assert state.encoded.since(basis) == state.encoded.full


def test_the_same_basis_gets_nothing() -> None:
    state = a_state()
    state.apply(a_change(a_boolean(), 2))
    ((name, data),) = decoded(state.encoded.since(f"{EPOCH}:2"))
    assert name == "server-intent"
    assert data["payloads"][0] == {
        "id": EPOCH, "target": 2, "intentCode": "none", "reason": "up-to-date",
    }  # fmt: skip


def test_an_older_basis_gets_what_changed_in_order() -> None:
    state = a_state()
    items: list[Flag | Segment] = [
        a_boolean("a"),
        a_boolean("b"),
        a_segment("c"),
        within(a_boolean("a"), version=2),
    ]
    for number, item in enumerate(items, start=2):
        state.apply(a_change(item, number))
    state.apply(a_change(Deleted(kind="flag", key="b", version=2), 6))
    events = decoded(state.encoded.since(f"{EPOCH}:3"))
    assert events[0][1]["payloads"][0]["intentCode"] == "xfer-changes"
    assert [(name, data.get("kind"), data.get("key")) for name, data in events[1:]] == [
        ("put-object", "segment", "c"),
        ("put-object", "flag", "a"),
        ("delete-object", "flag", "b"),
        ("payload-transferred", None, None),
    ]


@given(steps)
def test_every_way_leads_to_the_same_data(wanted: Sequence[tuple[str, str]]) -> None:
    """Polls, a stream from any earlier moment, and changes since any earlier basis."""
    state = a_state()
    listening = [FirstGeneration(state.encoded.put)]
    streaming = [SecondGeneration()]
    streaming[0].take(decoded(state.encoded.full))
    moments: list[tuple[str | None, Data]] = [(streaming[0].basis, polled(state))]
    for change in changes(wanted):
        stored = state.apply(change)
        if stored is not None:
            for sdk in listening:
                sdk.take(stored.v1())
            closing = v2.transferred(EPOCH, state.sequence)
            for other in streaming:
                other.take(decoded((stored.v2(), closing)))
        listening.append(FirstGeneration(state.encoded.put))
        late = SecondGeneration()
        late.take(decoded(state.encoded.full))
        assert late.data == polled(state)
        streaming.append(late)
        moments.append((late.basis, polled(state)))
    now = polled(state)
    for sdk in listening:
        assert sdk.live() == now
    for other in streaming:
        assert other.data == now
    for basis, data in moments:
        returning = SecondGeneration()
        returning.data, returning.basis = data, basis
        returning.take(decoded(state.encoded.since(basis)))
        assert returning.data == now
    assert json.loads(gzip.decompress(state.encoded.gzipped)) == now


@given(steps)
def test_the_snapshot_is_what_polls_say(wanted: Sequence[tuple[str, str]]) -> None:
    state = a_state()
    for change in changes(wanted):
        state.apply(change)
    assert snapshot_data(state) == polled(state)


@given(steps, steps)
def test_equal_tags_mean_equal_data(
    first: Sequence[tuple[str, str]], second: Sequence[tuple[str, str]]
) -> None:
    one, two = a_state(), a_state()
    for state, wanted in ((one, first), (two, second)):
        for change in changes(wanted):
            state.apply(change)
    assert (one.encoded.etag == two.encoded.etag) == (one.encoded.body == two.encoded.body)


def snapshot_data(state: State) -> Mapping[str, Any]:
    return {
        "flags": {k: sdk_flag(f, PRODUCTION) for k, f in state.snapshot.flags.items()},
        "segments": {k: sdk_segment(s) for k, s in state.snapshot.segments.items()},
    }
