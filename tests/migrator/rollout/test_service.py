"""The switch of a service: who turned it off decides who may turn it on."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from migrator.plan.model import Restore
from migrator.rollout.events import CONTROLLER, Event, Kind
from migrator.rollout.observation import Change, SeenFlag
from migrator.rollout.service import (
    TRANSITIONS,
    Service,
    Standing,
    advance_service,
    apply_service,
    fold_service,
    service_of,
    subject,
    switch_off,
)
from migrator.rollout.transitions import IllegalEvent

RULES = Restore()
EVIDENCE = "31/40 requests failed in 0.5 s"
ALICE = Change(by="alice", via="in the dashboard", comment="mended", audit_id="7")


def flag(version: int, on: bool, change: Change | None = None) -> SeenFlag:
    return SeenFlag(version=version, on=on, weights=None, change=change)


def broken(times: int = 1, rules: Restore | None = RULES, every: float = 60.0) -> Service:
    """Switched off that often, the last time at 100 and version 5 of its flag."""
    service = Service(name="cart")
    for number in range(times - 1, -1, -1):
        before = replace(service, standing=Standing.FREE)
        service = apply_service(
            before, switch_off(before, EVIDENCE, rules, 5, 100.0 - number * every)
        )
    return service


def test_subjects() -> None:
    assert subject("cart") == "service/cart"
    assert service_of("service/cart") == "cart"
    assert service_of("shop") is None


@pytest.mark.parametrize(
    ("times", "rules", "every", "told"),
    [
        pytest.param(1, RULES, 1.0, "on again once its probe answers for 2s", id="first"),
        pytest.param(2, RULES, 1.0, "on again once its probe answers for 2s", id="second"),
        pytest.param(
            3,
            RULES,
            60.0,
            "3 times within 10m: only `migrator restore service/cart` switches it on again",
            id="third",
        ),
        pytest.param(3, RULES, 300.0, "on again once its probe answers for 2s", id="long ago"),
        pytest.param(
            1, None, 1.0, "`migrator restore service/cart` switches it on again", id="manual"
        ),
    ],
)
def test_what_it_says(times: int, rules: Restore | None, every: float, told: str) -> None:
    service = broken(times, rules, every)
    assert service.reason == f"{EVIDENCE}; {told}"
    assert service.wanted is False
    healthy = advance_service(service, rules, flag(5, False), 200.0, 9_999.0)
    assert [event.kind for event in healthy] == ([Kind.SWITCHED_ON] if "once" in told else [])


@pytest.mark.parametrize(
    ("seen", "healthy_since", "kinds"),
    [
        pytest.param(None, 0.0, [], id="the flag is not known"),
        pytest.param(flag(5, False), None, [], id="not healthy"),
        pytest.param(flag(5, False), 109.0, [], id="not for long enough"),
        pytest.param(flag(5, False), 108.0, [Kind.SWITCHED_ON], id="healthy"),
        pytest.param(flag(5, True), 108.0, [], id="not off yet"),
        pytest.param(flag(6, False), 108.0, [Kind.FLAG_APPLIED], id="by us"),
        pytest.param(flag(6, False, ALICE), 108.0, [Kind.FLAG_CHANGED_BY_OTHER], id="by alice"),
        pytest.param(flag(4, True), 108.0, [], id="old news"),
    ],
)
def test_a_look(seen: SeenFlag | None, healthy_since: float | None, kinds: list[Kind]) -> None:
    events = advance_service(broken(), RULES, seen, healthy_since, 110.0)
    assert [event.kind for event in events] == kinds
    for event in events:
        assert event.capability == "service/cart"
        assert event.by == ("alice" if event.kind is Kind.FLAG_CHANGED_BY_OTHER else CONTROLLER)


def test_a_persons_word_counts_anew() -> None:
    service = broken(times=3)
    (event,) = advance_service(service, RULES, flag(6, True, ALICE), None, 110.0)
    assert event.why == 'cart-service is on (alice in the dashboard: "mended")'
    after = apply_service(service, event)
    assert (after.standing, after.wanted, after.offs) == (Standing.FREE, None, ())


EVENTS: dict[Kind, dict[str, Any]] = {
    Kind.SWITCHED_OFF: {"version": 5},
    Kind.SWITCHED_ON: {},
    Kind.FLAG_APPLIED: {"version": 6, "on": False},
    Kind.FLAG_CHANGED_BY_OTHER: {"version": 6, "on": False},
}


def event(kind: Kind, data: dict[str, Any]) -> Event:
    return Event(at=1.0, capability="service/cart", kind=kind, by="me", why="so", data=data)


@pytest.mark.parametrize("standing", Standing)
@pytest.mark.parametrize("kind", Kind)
def test_every_event_in_every_standing(standing: Standing, kind: Kind) -> None:
    service = replace(broken(), standing=standing)
    if kind in TRANSITIONS[standing]:
        after = apply_service(service, event(kind, EVENTS[kind]))
        assert after.standing is TRANSITIONS[standing][kind]
    else:
        with pytest.raises(IllegalEvent, match=f"{kind} cannot happen while cart is {standing}"):
            apply_service(service, event(kind, {}))


@pytest.mark.parametrize("kind", [Kind.SWITCHED_OFF, Kind.FLAG_APPLIED])
def test_spoilt_data_is_illegal(kind: Kind) -> None:
    standing = next(each for each in Standing if kind in TRANSITIONS[each])
    with pytest.raises(IllegalEvent, match=f"{kind}.*version"):
        apply_service(replace(broken(), standing=standing), event(kind, {}))


class World(RuleBasedStateMachine):
    """One service, its flag, people who turn that, and a controller that may die between any two
    of: deciding, changing the flag, seeing it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.service = Service(name="cart")
        self.events: list[Event] = []
        self.version, self.on = 1, True
        self.seen = flag(self.version, self.on)
        """At the last look."""
        self.people: dict[int, bool] = {}
        """What people turned it to, by version."""
        self.healthy_since: float | None = None
        self.theirs = False
        """The newest word is a person's, and it was off."""

    def record(self, events: tuple[Event, ...]) -> None:
        for each in events:
            numbered = replace(each, seq=len(self.events) + 1)
            self.events.append(numbered)
            self.service = apply_service(self.service, numbered)

    @rule(seconds=st.sampled_from([0.25, 2.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def the_probe(self) -> None:
        self.healthy_since = None if self.healthy_since is not None else self.now

    @precondition(lambda self: self.seen.on and self.service.standing is Standing.FREE)
    @rule()
    def it_breaks(self) -> None:
        self.record((switch_off(self.service, EVIDENCE, RULES, self.seen.version, self.now),))

    @rule(on=st.booleans())
    def somebody_turns_it(self, on: bool) -> None:
        if on is not self.on:
            self.on, self.version = on, self.version + 1
            self.people[self.version] = on
            self.theirs = not on

    @rule()
    def the_flag_follows(self) -> None:
        wanted, known = self.service.wanted, self.service.flag_version
        if wanted is not None and wanted is not self.on and self.version == known:
            assert not (wanted and self.theirs), "a person's off was undone"
            self.on, self.version = wanted, self.version + 1

    @rule()
    def a_look(self) -> None:
        known = self.service.flag_version or self.version
        newest = [v for v in self.people if v > known]
        seen = self.seen = flag(self.version, self.on, ALICE if newest else None)
        self.record(advance_service(self.service, RULES, seen, self.healthy_since, self.now))
        if newest:
            assert self.service.standing is Standing.FREE, "a person's word wins"

    @invariant()
    def a_replay_gives_the_same_state(self) -> None:
        stored = [replace(e, data=json.loads(json.dumps(dict(e.data)))) for e in self.events]
        assert fold_service(stored, "cart") == self.service

    @invariant()
    def it_does_not_flap(self) -> None:
        """By itself it comes back twice within ten minutes at most."""
        since = max((e.seq for e in self.events if e.kind is Kind.FLAG_CHANGED_BY_OTHER), default=0)
        backs = [e.at for e in self.events if e.kind is Kind.SWITCHED_ON and e.seq > since]
        for at in backs:
            assert sum(1 for other in backs if 0 <= at - other < RULES.within) <= RULES.at_most


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
