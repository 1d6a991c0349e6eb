"""The simulated migration: what the controller's shell does, on a virtual clock. Pure.

Owns clock, flags, counters, probes and people; all decisions are the real engine's. Looks are 0.5 s
apart for a while after each fault and act, and further apart in between, so that weeks take a
second. Commands succeed, webhooks open, no second write waits, and nobody asks what writes have
left. Every request is a read where reads are mirrored, and compared as long as the proxy would.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from migrator.analysis.pulse import MONOLITH, Pulse, Tally
from migrator.analysis.pulse import NOTHING as NOBODY
from migrator.analysis.sample import NOTHING, Sample
from migrator.analysis.stats import NO_PAIRS, Counters, Key, Pairs
from migrator.analysis.watch import Watch
from migrator.plan.dependencies import all_needed, needed, service_flag
from migrator.plan.model import Capability, Migration, Restore, Stage, Step
from migrator.plan.schedule import stages_of, steps
from migrator.plan.units import FULL_SHARE
from migrator.rollout.ahead import Backlog, closed_ahead
from migrator.rollout.desired import NEW_IS_ASKED, desired_flag
from migrator.rollout.engine import advance
from migrator.rollout.events import CONTROLLER, Event, Kind
from migrator.rollout.gate import closed_gate
from migrator.rollout.measure import measure
from migrator.rollout.observation import Change, Ended, Observation, Off, SeenFlag
from migrator.rollout.parity import MIRRORED, ParityGate
from migrator.rollout.service import (
    Service,
    Standing,
    advance_service,
    apply_service,
    switch_off,
)
from migrator.rollout.state import Rollout, apply
from migrator.rollout.transitions import Phase
from migrator.rollout.verbs import IllegalVerb, Verb, act
from migrator.simulate.scenario import Act, Fault, Scenario
from migrator.simulate.traffic import compared, served

START: Final = 1_767_571_200.0
"""The clock's beginning in Unix seconds: Monday, 2026-01-05 00:00 UTC."""
LOOK: Final = 0.5
MOST_LOOKS: Final = 4000
"""About how many looks the holds of a schedule are divided into."""
LONGEST_LOOK: Final = 30.0
CLOSE: Final = 30.0
"""Seconds after a fault's start or end in which looks are `LOOK` apart."""
PERSON: Final = "somebody"
_AT_REST: Final = frozenset({Phase.COMPLETE, Phase.PAUSED, Phase.ROLLED_BACK, Phase.ABORTED})


@dataclass(slots=True)
class _Lane:
    """One capability: its rollout, its flag and its counters."""

    plan: Capability
    steps: tuple[Step, ...]
    rollout: Rollout
    watch: Watch | None = None
    version: int = 1
    on: bool = False
    weights: tuple[tuple[Stage, int], ...] = ((Stage.OFF, FULL_SHARE),)
    change: Change | None = None
    cells: dict[Key, Sample] = field(default_factory=dict)
    pairs: Pairs = NO_PAIRS


@dataclass(slots=True)
class _Switch:
    """One service: its switch, its flag and its probe."""

    restore: Restore | None
    service: Service
    version: int = 1
    on: bool = True
    healthy_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    events: tuple[Event, ...]
    rollouts: dict[str, Rollout]
    seconds: float
    """Of the virtual clock."""
    waiting_for: dict[str, str]
    """What keeps each capability at its step in the end."""
    refused: tuple[str, ...]
    """What people said that made no sense."""


def simulate(plan: Migration, scenario: Scenario, *, seed: int = 1) -> Result:
    """Run until everything rests and nothing more happens, or far longer than it should take."""
    return _World(plan, scenario, seed).run()


class _World:
    def __init__(self, plan: Migration, scenario: Scenario, seed: int) -> None:
        self._plan, self._scenario = plan, scenario
        self._random = Random(seed)  # noqa: S311 - no secret
        self._lanes = {
            name: _Lane(each, steps(each), Rollout(capability=name))
            for name, each in plan.spec.capabilities.items()
        }
        self._switches = {
            name: _Switch(_restore(plan, name), Service(name=name))
            for name in all_needed(plan.spec.capabilities)
        }
        self._tallies: dict[str | None, Tally] = {}
        self._pulse = Pulse.begin({}, at=START)
        self._parity = ParityGate()
        proxy = plan.spec.proxy
        compares = proxy.parity.enabled and proxy.mirroring.enabled
        self._compared = proxy.parity.per_second * proxy.workers if compares else 0.0
        """Reads a second."""
        self._events: list[Event] = []
        self._refused: list[str] = []
        self._waiting = dict.fromkeys(self._lanes, "")
        self._edges = sorted(_edges(scenario))
        self._todo = sorted(scenario.people, key=lambda each: each.at)
        holds = [sum(step.hold for step in lane.steps) for lane in self._lanes.values()]
        self._usual = min(max(max(holds) / MOST_LOOKS, LOOK), LONGEST_LOOK)
        after = any(each.after for each in plan.spec.capabilities.values())
        last = self._edges[-1] if self._edges else 0.0
        week = 7 * 86400.0 if plan.spec.freeze else 0.0
        self._end = 1.5 * (sum(holds) if after else max(holds)) + last + 900.0 + week

    def run(self) -> Result:
        elapsed = 0.0
        while elapsed < self._end and not self._rests(elapsed):
            elapsed += self._pace(elapsed)
            self._look(elapsed)
        return Result(
            events=tuple(self._events),
            rollouts={name: lane.rollout for name, lane in self._lanes.items()},
            seconds=elapsed,
            waiting_for=self._waiting,
            refused=tuple(self._refused),
        )

    def _rests(self, elapsed: float) -> bool:
        over = not self._edges or elapsed > self._edges[-1] + CLOSE
        return over and all(lane.rollout.phase in _AT_REST for lane in self._lanes.values())

    def _pace(self, elapsed: float) -> float:
        if any(edge - self._usual <= elapsed < edge + CLOSE for edge in self._edges):
            return LOOK
        return self._usual

    def _look(self, elapsed: float) -> None:
        now = START + elapsed
        faults = [f for f in self._scenario.faults if f.at <= elapsed < _until(f)]
        away = frozenset(f.service for f in faults if (f.error_rate or 0) >= FULL_SHARE)
        while self._todo and self._todo[0].at <= elapsed:
            self._person(self._todo.pop(0), now)
        pace = self._pace(elapsed)
        off = self._off(faults)
        for lane in self._lanes.values():
            self._traffic(lane, faults, off.keys(), pace)
        for switch in self._switches.values():
            self._watch(switch, away, now)
        self._switch_off(off.keys(), now)
        off = self._off(faults)
        for lane in self._lanes.values():
            self._decide(lane, off, now)
            self._make_it_so(lane, now)

    def _off(self, faults: list[Fault]) -> dict[str, Off]:
        """The services that are switched off."""
        off = {
            name: Off(why=f"{service_flag(name)} is off: {each.service.reason}", broken=True)
            for name, each in self._switches.items()
            if each.service.standing is not Standing.FREE
        }
        killed = (f.service for f in faults if f.killed and f.service)
        return off | {name: Off(why=f"{service_flag(name)} is off") for name in killed}

    def _watch(self, switch: _Switch, away: frozenset[str | None], now: float) -> None:
        """The flag does what the switch wants; its probe answers unless it is `away`."""
        service = switch.service
        if service.name in away or None in away:
            switch.healthy_since = None
        elif switch.healthy_since is None:
            switch.healthy_since = now
        if service.wanted is not None and service.wanted is not switch.on:
            switch.on, switch.version = service.wanted, switch.version + 1
        flag = SeenFlag(version=switch.version, on=switch.on, weights=None)
        events = advance_service(service, switch.restore, flag, switch.healthy_since, now)
        self._record_switch(switch, events)

    def _switch_off(self, off: Collection[str], now: float) -> None:
        self._pulse = self._pulse.read(dict(self._tallies), at=now, off=off)
        for name, evidence in self._pulse.broken().items():
            each = self._switches[name]
            event = switch_off(each.service, evidence, each.restore, each.version, now)
            self._record_switch(each, (event,))

    def _record_switch(self, switch: _Switch, events: tuple[Event, ...]) -> None:
        for event in events:
            numbered = replace(event, seq=len(self._events) + 1)
            self._events.append(numbered)
            switch.service = apply_service(switch.service, numbered)

    def _person(self, what: Act, now: float) -> None:
        lane = self._lanes[what.capability]
        if what.flag is not None and what.flag is not lane.on:
            lane.on, lane.version = what.flag, lane.version + 1
            lane.change = Change(by=PERSON, via="in the dashboard", comment="", audit_id=None)
        if what.say is not None:
            self._say(lane, what.say, now)

    def _say(self, lane: _Lane, verb: Verb, now: float) -> None:
        try:
            self._record(lane, act(lane.rollout, verb, by=PERSON, reason="", now=now,
                                   steps=lane.steps, stages=stages_of(lane.plan)))  # fmt: skip
        except IllegalVerb as error:
            self._refused.append(str(error))

    def _traffic(
        self, lane: _Lane, faults: list[Fault], off: Collection[str], seconds: float
    ) -> None:
        services = [route.service for route in lane.plan.routes]
        asked = services[0]
        mean = self._scenario.requests * seconds
        errors, slower, wrong = self._scenario.error_rate, 1.0, 0
        for fault in faults:
            mean *= 1.0 if fault.traffic_factor is None else fault.traffic_factor
            if fault.service is None or fault.service in services:
                errors = max(errors, fault.error_rate or 0)
                asked = fault.service or asked
                wrong = max(wrong, fault.wrong_answers or 0)
                slower *= fault.latency_factor or 1.0
        on = lane.on and not set(off).intersection(self._needed(lane))
        for stage, share in lane.weights if on else ((Stage.OFF, FULL_SHARE),):
            new = stage in NEW_IS_ASKED
            sample = served(
                self._random,
                mean * share / FULL_SHARE,
                (errors if new else self._scenario.error_rate) / FULL_SHARE,
                self._scenario.median * 1000 * (slower if new else 1.0),
            )
            key = Key(stage, "new" if new else "old")
            lane.cells[key] = lane.cells.get(key, NOTHING) + sample
            unreached = sample.errors if new and errors >= FULL_SHARE else 0
            tally = Tally(asked=sample.requests, failed=sample.errors, unreached=unreached)
            origin = asked if new else MONOLITH
            self._tallies[origin] = self._tallies.get(origin, NOBODY) + tally
            if stage in MIRRORED:
                reads = min(sample.requests, int(self._compared * seconds))
                lane.pairs += compared(self._random, reads, wrong / FULL_SHARE)

    def _needed(self, lane: _Lane) -> tuple[str, ...]:
        return needed(self._plan.spec.capabilities, lane.rollout.capability)

    def _decide(self, lane: _Lane, off: Mapping[str, Off], now: float) -> None:
        rollout = lane.rollout
        counters = Counters(instance="simulated", cells=dict(lane.cells), pairs=lane.pairs)
        lane.watch, figures = measure(
            rollout,
            lane.watch,
            counters,
            lane.plan.analysis,
            now,
            also=lambda window, step, verdict: self._parity.judge(
                rollout.capability, counters, window, step, lane.plan.analysis.parity, verdict
            ),
        )
        seen = Observation(
            flag=SeenFlag(
                version=lane.version, on=lane.on, weights=lane.weights, change=lane.change
            ),
            figures=figures,
            services_off={name: off[name] for name in self._needed(lane) if name in off},
            ahead=closed_ahead(
                rollout,
                lane.steps,
                lane.plan,
                others={name: other.rollout for name, other in self._lanes.items()},
                freezes=self._plan.spec.freeze,
                backlog=Backlog(),
                now=now,
            ),
            ended=Ended(entry=rollout.entry, problem="") if _commands(rollout) else None,
            webhook="",
        )
        self._record(lane, advance(rollout, lane.steps, seen, now))
        lane.change = None
        name, rollout, gate = rollout.capability, lane.rollout, None
        if rollout.phase in (Phase.HOLDING, Phase.WAITING):
            gate = closed_gate(rollout, rollout.steps[rollout.step], seen, now)
        elif rollout.phase is Phase.PENDING and seen.ahead:
            gate = seen.ahead[0]
        self._waiting[name] = gate.why if gate else ""
        if gate and gate.topic == "approval" and self._scenario.approve:
            self._say(lane, Verb.PROMOTE, now)

    def _make_it_so(self, lane: _Lane, now: float) -> None:
        desired = desired_flag(lane.rollout)
        if desired is None or desired.matches(on=lane.on, weights=lane.weights):
            return
        lane.on, lane.version = desired.on, lane.version + 1
        lane.weights = desired.weights or lane.weights
        data: dict[str, Any] = {"version": lane.version, "on": lane.on}
        self._record(
            lane,
            (
                Event(
                    at=now,
                    capability=lane.rollout.capability,
                    kind=Kind.FLAG_APPLIED,
                    by=CONTROLLER,
                    why="",
                    data=data,
                ),
            ),
        )

    def _record(self, lane: _Lane, events: tuple[Event, ...]) -> None:
        for event in events:
            numbered = replace(event, seq=len(self._events) + 1)
            self._events.append(numbered)
            window = lane.rollout.window
            lane.rollout = apply(lane.rollout, numbered)
            if lane.rollout.window is not window:
                lane.watch = None


def _commands(rollout: Rollout) -> bool:
    return rollout.applied and rollout.shown is not None and bool(rollout.shown.before_leaving)


def _restore(plan: Migration, service: str) -> Restore | None:
    rules = plan.spec.services[service].restore
    return rules if isinstance(rules, Restore) else None


def _until(fault: Fault) -> float:
    return float("inf") if fault.lasts is None else fault.at + fault.lasts


def _edges(scenario: Scenario) -> Iterator[float]:
    for fault in scenario.faults:
        yield fault.at
        if fault.lasts is not None:
            yield fault.at + fault.lasts
    for each in scenario.people:
        yield each.at
