"""Streams of browser and mobile SDKs: what a change means for one context."""

from typing import Any

import pytest

from event_stream import parsed, unchunked
from fake_transport import FakeTransport
from flag_builders import PRODUCTION, a_boolean, a_choice, a_segment, an_environment, within
from flags.evaluation.context import Context
from flags.model import Clause, Flag, Prerequisite, Rule, Segment, SegmentTarget, Serve
from flags.store.changes import Change, Deleted
from flags.streams.client import affected_by, evaluated, for_browsers, for_mobile
from flags.streams.hub import EnvironmentHub
from flags.streams.state import State, Stored

ALICE = Context.parse({"kind": "user", "key": "alice"})
OPEN: dict[str, Any] = {"using_environment_id": True}
IS_BETA = Rule(
    id="r1",
    clauses=(Clause(id="c1", attribute="", op="segmentMatch", values=("beta",)),),
    serve=Serve(variation=0),
)
Event = tuple[str, Any]


class World:
    """One environment and a browser's stream for alice."""

    def __init__(self, *items: Flag | Segment, with_reasons: bool = False) -> None:
        self.hub = EnvironmentHub(State(an_environment(), "0a", 1))
        self._sequence = 1
        self._transport = FakeTransport()
        for item in items:
            self.change(item)
        stream = self.hub.follow_context("", ALICE, for_browsers, with_reasons=with_reasons)
        stream.start(self._transport, b"")
        ((name, self.put),) = self.heard()
        assert name == "put"

    def change(self, item: Flag | Segment | Deleted) -> list[Event]:
        """What the browser hears of it."""
        self._sequence += 1
        self.hub.apply(
            Change(sequence=self._sequence, project="cms", environment=PRODUCTION, item=item)
        )
        return self.heard()

    def heard(self) -> list[Event]:
        return parsed(unchunked(self._transport.take()))


def on(flag: Flag, **fields: Any) -> Flag:
    return within(flag, on=True, **fields)


def test_the_first_event_has_what_is_available() -> None:
    world = World(on(a_boolean("open", **OPEN)), on(a_boolean("closed")))
    assert world.put == {
        "open": {
            "value": True, "variation": 0, "version": 3, "flagVersion": 1, "trackEvents": False,
        }
    }  # fmt: skip


def test_a_change_is_a_patch_with_the_new_value() -> None:
    world = World(a_boolean(**OPEN))
    assert world.put["articles-service"]["value"] is False
    ((name, data),) = world.change(on(a_boolean(**OPEN), version=2))
    assert (name, data) == (
        "patch",
        {
            "key": "articles-service",
            "value": True,
            "variation": 0,
            "version": 3,
            "flagVersion": 2,
            "trackEvents": False,
        },
    )


def test_reasons_only_when_asked_for() -> None:
    flag = on(a_boolean(**OPEN), version=2)
    assert World(flag, with_reasons=True).put["articles-service"]["reason"] == {
        "kind": "FALLTHROUGH"
    }
    assert "reason" not in World(flag).put["articles-service"]
    ((_, data),) = World(with_reasons=True).change(flag)
    assert data["reason"] == {"kind": "FALLTHROUGH"}


def test_a_deleted_flag() -> None:
    world = World(a_boolean(**OPEN))
    events = world.change(Deleted(kind="flag", key="articles-service", version=2))
    assert events == [("delete", {"key": "articles-service", "version": 3})]


def test_a_flag_that_is_no_longer_available() -> None:
    world = World(a_boolean(**OPEN))
    events = world.change(within(a_boolean(), version=2))
    assert events == [("delete", {"key": "articles-service", "version": 3})]


def test_a_flag_that_is_not_available_is_never_named() -> None:
    world = World(a_boolean("secret-plan"))
    assert world.put == {}
    assert world.change(on(a_boolean("secret-plan"), version=2)) == []
    assert world.change(Deleted(kind="flag", key="secret-plan", version=3)) == []
    ((name, data),) = world.change(within(a_boolean("secret-plan", **OPEN), version=4))
    assert (name, data["key"]) == ("patch", "secret-plan")


def test_a_prerequisite_changes_what_needs_it() -> None:
    """Its version grows too, though nobody has changed the flag itself."""
    needing = on(
        a_boolean("publishing", **OPEN), prerequisites=(Prerequisite(key="service", variation=0),)
    )
    world = World(on(a_boolean("service")), needing)
    assert world.put["publishing"]["value"] is True
    assert world.put["publishing"]["prerequisites"] == ["service"]
    events = world.change(within(a_boolean("service"), version=2))
    ((name, data),) = events  # of the prerequisite itself nothing is said
    assert (name, data["key"], data["value"]) == ("patch", "publishing", False)
    assert data["version"] > world.put["publishing"]["version"]
    assert data["flagVersion"] == 1


def test_a_segment_changes_what_asks_for_it() -> None:
    flag = within(a_boolean(**OPEN), on=True, fallthrough=Serve(variation=1), rules=(IS_BETA,))
    world = World(flag, a_segment())
    assert world.put["articles-service"]["value"] is False
    member = a_segment(version=2, included=(SegmentTarget(values=("alice",)),))
    ((name, data),) = world.change(member)
    assert (name, data["value"]) == ("patch", True)
    ((name, data),) = world.change(Deleted(kind="segment", key="beta", version=3))
    assert (name, data["value"]) == ("patch", False)


@pytest.mark.parametrize(
    ("available", "keys"),
    [
        pytest.param(for_browsers, ["browser", "both"], id="browsers"),
        pytest.param(for_mobile, ["phone", "both"], id="phones"),
    ],
)
def test_availability(available: Any, keys: list[str]) -> None:
    hub = EnvironmentHub(State(an_environment(), "0a", 1))
    for number, flag in enumerate(
        (
            a_boolean("neither"),
            a_boolean("browser", using_environment_id=True),
            a_boolean("phone", using_mobile_key=True),
            a_boolean("both", using_environment_id=True, using_mobile_key=True),
        ),
        start=2,
    ):
        hub.apply(Change(sequence=number, project="cms", environment=None, item=flag))
    assert list(evaluated(hub.state, ALICE, available, with_reasons=False)) == keys


def needs(key: str, *others: str) -> Flag:
    return within(
        a_choice(key=key), prerequisites=tuple(Prerequisite(key=o, variation=0) for o in others)
    )


@pytest.mark.parametrize(
    ("kind", "key", "affected"),
    [
        pytest.param("flag", "a", {"a", "b", "c", "d"}, id="everything-above"),
        pytest.param("flag", "c", {"c", "d"}, id="one-above"),
        pytest.param("flag", "e", {"e"}, id="alone"),
        pytest.param("flag", "x", {"x", "y"}, id="cycle"),
        pytest.param("flag", "gone", {"gone"}, id="unknown"),
        pytest.param("segment", "beta", {"a", "b", "c", "d", "e", "x", "y"}, id="segment"),
    ],
)
def test_affected(kind: Any, key: str, affected: set[str]) -> None:
    state = State(an_environment(), "0a", 1)
    flags = (
        needs("a"),
        needs("b", "a"),
        needs("c", "b"),
        needs("d", "a", "c"),
        needs("e"),
        needs("x", "y"),
        needs("y", "x"),
    )
    for number, flag in enumerate(flags, start=2):
        state.apply(Change(sequence=number, project="cms", environment=None, item=flag))
    changed = Stored(sequence=99, kind=kind, key=key, version=1, encoded=b"{}")
    assert affected_by(changed, state.snapshot) == affected
