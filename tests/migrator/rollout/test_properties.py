"""Whatever happens in whatever order: no gate is skipped, shares only grow, an off stays off.

A machine plays the world (clock, traffic, a flag that people change, a flag server that comes and
goes, a controller that is killed between doing and recording) against the engine.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from migrator.analysis.sample import NOTHING
from migrator.analysis.stats import Counters
from migrator.analysis.verdict import Outcome, Verdict
from migrator.plan.model import Stage, Step
from migrator.plan.units import FULL_SHARE
from migrator.rollout.desired import NEW_IS_ASKED, desired_flag, weights
from migrator.rollout.engine import advance
from migrator.rollout.events import Event, Kind
from migrator.rollout.gate import authoritative
from migrator.rollout.observation import Change, Closed, Ended, Figures, Observation, Off, SeenFlag
from migrator.rollout.state import Rollout, apply, fold
from migrator.rollout.transitions import Phase
from migrator.rollout.verbs import Details, IllegalVerb, Verb, act, legal

NAME = "shop"
ORDER = tuple(Stage)
DONE = (Phase.ROLLED_BACK, Phase.ABORTED)
MOVES = (Kind.STEP_PASSED, Kind.STEP_ENTERED, Kind.COMPLETED, Kind.HELD, Kind.COMMAND_ENDED)
"""What may follow from a state that events of the same look made."""
STAGES = [str(stage) for stage in Stage]
Weights = tuple[tuple[Stage, int], ...]


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Step, ...]:
    stages = [s for s in ORDER if s is not Stage.OFF]
    steps = []
    for stage in sorted(draw(st.sets(st.sampled_from(stages), min_size=1)), key=stages.index):
        for share in (*sorted(draw(st.sets(st.integers(1, 99), max_size=2))), 100):
            row = {
                "stage": stage,
                "share": f"{share}%",
                "hold": draw(st.sampled_from([0.0, 5.0, 60.0])),
                "min_requests": draw(st.sampled_from([0, 0, 50])),
                "approval": draw(st.sampled_from([False, False, True])),
                "before_leaving": draw(st.sampled_from([None, None, {"command": ["backfill"]}])),
                "webhook": draw(st.sampled_from([None, None, {"url": "http://127.0.0.1:1/may"}])),
            }
            steps.append(Step.model_validate(row))
    return tuple(steps)


def stage_at(shares: Weights, bucket: int) -> int:
    """Order of the stage of the contexts in `bucket` of 100,000, as LaunchDarkly hands them out."""
    for stage, share in shares:
        if bucket < share:
            return ORDER.index(stage)
        bucket -= share
    raise AssertionError("the shares do not add up to everybody")


class World(RuleBasedStateMachine):
    """One capability. `flag` is the truth; `changes` are versions of it that people made."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_700_000_000.0
        self.steps: tuple[Step, ...] = ()
        self.rollout = Rollout(capability=NAME)
        self.events: list[Event] = []
        self.version, self.on = 1, False
        self.shares: Weights | None = ((Stage.OFF, FULL_SHARE),)
        self.changes: dict[int, str] = {}
        self.services: frozenset[str] = frozenset()
        """Those that are off."""
        self.broken: frozenset[str] = frozenset()
        """Those of them that the controller switched off."""
        self.locked_off = False
        self.frozen = False
        self.command: str | None = None
        self.webhook: str | None = None
        self.opened: set[int] = set()

    @initialize(steps=schedules(), on=st.sampled_from([False, False, True]))
    def begin(self, steps: tuple[Step, ...], on: bool) -> None:
        self.steps, self.on = steps, on

    @rule(
        what=st.sampled_from(["on", "off", "shares", "service", "broken", "taken over", "plan"]),
        share=st.integers(1, FULL_SHARE - 1),
        steps=schedules(),
    )
    def somebody_interferes(self, what: str, share: int, steps: tuple[Step, ...]) -> None:
        if what == "service":
            self.services = self.services ^ {"cart" if share % 2 else "stock"}
            self.broken &= self.services
        elif what == "broken":
            # The controller switches off, and on again, what people left on.
            service = "cart" if share % 2 else "stock"
            if service not in self.services or service in self.broken:
                self.services, self.broken = self.services ^ {service}, self.broken ^ {service}
        elif what == "taken over":
            self.broken = frozenset()
        elif what == "plan":
            self.steps = steps
        elif what == "shares":
            self.shares = ((Stage.OFF, FULL_SHARE - share), (Stage.COMPLETE, share))
            self.changed_by("carol")
        elif (what == "on") is not self.on:
            self.on = what == "on"
            self.changed_by("alice")
            if self.rollout.flag_version is not None:
                self.locked_off = not self.on

    def changed_by(self, who: str) -> None:
        self.version += 1
        self.changes[self.version] = who

    @rule(
        verb=st.sampled_from(Verb),
        full=st.booleans(),
        to=st.sampled_from(["", "1", "2", "5", *STAGES]),
        stage=st.sampled_from([*Stage, None]),
        share=st.sampled_from([0, 1, FULL_SHARE, FULL_SHARE + 1]),
    )
    def somebody_says(
        self, verb: Verb, full: bool, to: str, stage: Stage | None, share: int
    ) -> None:
        phase, details = self.rollout.phase, Details(full=full, to=to, stage=stage, share=share)
        events = self.said(verb, details)
        if events is None:
            assert verb not in legal(phase) or verb not in (Verb.PAUSE, Verb.ABORT)
            return
        assert len(events) <= 1
        if verb not in legal(phase):
            assert not events or full or phase is Phase.PENDING
        self.record(events, None)
        assert self.said(verb, details) == (), "twice is once"

    def said(self, verb: Verb, details: Details) -> tuple[Event, ...] | None:
        try:
            return act(
                self.rollout,
                verb,
                by="alice",
                reason="",
                now=self.now,
                details=details,
                steps=self.steps,
            )
        except IllegalVerb:
            return None

    @rule(
        flag_seen=st.sampled_from([True, True, True, False]),
        stats_seen=st.sampled_from([True, True, True, False]),
        outcome=st.sampled_from([*[Outcome.PASSED] * 4, *Outcome]),
        asked=st.sampled_from([0, 49, 50, 50, 1000]),
        reaches=st.sampled_from([True, True, True, False]),
        killed_before_recording=st.sampled_from([False, False, False, True]),
        frozen=st.sampled_from([False, False, False, True]),
        command=st.sampled_from(["", "", None, "ended with code 3"]),
        webhook=st.sampled_from(["", "", None, "it said 503"]),
    )
    def tick(
        self,
        flag_seen: bool,
        stats_seen: bool,
        outcome: Outcome,
        asked: int,
        reaches: bool,
        killed_before_recording: bool,
        frozen: bool = False,
        command: str | None = "",
        webhook: str | None = "",
    ) -> None:
        self.now += 0.5
        self.frozen, self.command, self.webhook = frozen, command, webhook
        seen = self.look(flag_seen, stats_seen, outcome, asked)
        self.record(advance(self.rollout, self.steps, seen, self.now), seen)
        again = self.look(flag_seen, stats_seen, outcome, asked)
        assert not [
            e
            for e in advance(self.rollout, self.steps, again, self.now)
            if e.kind not in MOVES
            and not (e.kind is Kind.ROLLED_BACK and outcome is Outcome.FAILED)
        ], "the same observation causes nothing more"
        if flag_seen and reaches:
            self.make_it_so(killed_before_recording)

    @rule(seconds=st.sampled_from([0.5, 61.0, 61.0]))
    def all_is_well(self, seconds: float) -> None:
        self.now += seconds
        self.services = self.broken = frozenset()
        self.tick(True, True, Outcome.PASSED, 1000, True, False)

    @rule()
    def the_analysis_fails(self) -> None:
        self.tick(True, True, Outcome.FAILED, 1000, True, False)

    def look(self, flag_seen: bool, stats_seen: bool, outcome: Outcome, asked: int) -> Observation:
        known = self.rollout.flag_version
        change = None
        if known is not None:
            foreign = [v for v in self.changes if v > known]
            if foreign:
                by = self.changes[max(foreign)]
                change = Change(by=by, via="in the dashboard", comment="", audit_id=None)
        flag = SeenFlag(version=self.version, on=self.on, weights=self.shares, change=change)
        verdict = Verdict(outcome=outcome, evidence=f"it is {outcome}")
        figures = Figures(
            counters=Counters(instance="proxy", cells={}),
            asked={authoritative(s): asked for s in ORDER},
            old=NOTHING,
            verdict=verdict if self.rollout.window else None,
        )
        return Observation(
            flag=flag if flag_seen else None,
            figures=figures if stats_seen else None,
            services_off=self.off() if flag_seen else None,
            ahead=(Closed(topic="freeze", why="frozen"),) if self.frozen else (),
            ended=None if self.command is None else self.ended(self.command),
            webhook=self.webhook,
        )

    def off(self) -> dict[str, Off]:
        return {s: Off(why=f"{s} is off", broken=s in self.broken) for s in self.services}

    def ended(self, problem: str) -> Ended | None:
        """Of the entry in force, as the shell runs it."""
        step = self.rollout.shown
        if step is None or step.before_leaving is None or not self.rollout.applied:
            return None
        return Ended(entry=self.rollout.entry, problem=problem)

    def make_it_so(self, killed_before_recording: bool) -> None:
        """What the controller's shell does after each decision."""
        desired = desired_flag(self.rollout)
        if desired is None or desired.matches(on=self.on, weights=self.shares):
            return
        if any(v > (self.rollout.flag_version or self.version) for v in self.changes):
            return  # the real one would find out at its next look
        assert not (desired.on and self.locked_off), "an off was undone without resume"
        if desired.on:
            assert sum(share for _, share in desired.weights) == FULL_SHARE
            self.shares = desired.weights
        self.on, self.version = desired.on, self.version + 1
        if not killed_before_recording:
            data = {"version": self.version, "on": self.on}
            self.record((self.event(Kind.FLAG_APPLIED, data),), None)

    def event(self, kind: Kind, data: Mapping[str, object]) -> Event:
        return Event(at=self.now, capability=NAME, kind=kind, by="me", why="", data=data)

    def record(self, events: tuple[Event, ...], seen: Observation | None) -> None:
        for event in events:
            before = self.rollout
            event = replace(event, seq=len(self.events) + 1)
            self.events.append(event)
            self.rollout = apply(before, event)
            self.check(before, event, seen)

    def check(self, before: Rollout, event: Event, seen: Observation | None) -> None:
        if event.kind is Kind.STARTED:
            self.opened = set()
        if event.kind in (Kind.ROLLED_BACK, Kind.ABORTED):
            self.locked_off = True
        if event.kind in (Kind.RESUMED, Kind.RETRIED, Kind.RESTARTED, Kind.PLACED):
            self.locked_off = False
            assert not self.rollout.services_off, "a kill switch is undone by restore alone"
        if event.kind is Kind.MOVED:
            self.opened = set(range(event.data["step"]))
        if event.kind is Kind.STEP_PASSED:
            assert seen is not None
            self.check_gates(before, seen)
        if event.kind in (Kind.STEP_PASSED, Kind.PROMOTED):
            self.opened.add(before.step)
        if event.kind is Kind.MEASURED:
            assert not before.services_off, "measured what nobody is at"
            assert self.rollout.step == before.step, "an interruption moved it"
        if event.kind is Kind.STEP_ENTERED:
            assert self.opened >= set(range(event.data["step"])), "a step was skipped"
            assert not self.services, "a step was begun without its services"
            if self.frozen and not before.chosen:
                assert before.entered is not None, "begun in a freeze"
                assert event.data["step"] <= before.entered, "moved forward in a freeze"
        if event.kind is Kind.COMPLETED:
            assert self.opened >= set(range(len(before.steps)))
        if event.kind in (Kind.FLAG_CHANGED_BY_OTHER, Kind.PLAN_CHANGED):
            assert self.rollout.phase is Phase.PAUSED
            assert self.rollout.reason == event.why != ""

    def check_gates(self, before: Rollout, seen: Observation) -> None:
        """Every gate of the step that was passed, worked out anew."""
        step = before.steps[before.step]
        assert before.phase in (Phase.HOLDING, Phase.WAITING)
        assert not seen.ahead, "left in a freeze"
        assert step.before_leaving is None or before.command == "", "left before its command"
        assert step.webhook is None or seen.webhook == "", "left against its webhook"
        assert not step.approval, "only a person passes a step that asks for approval"
        assert before.hold_since is not None
        assert self.now - before.hold_since >= step.hold
        assert seen.flag is not None
        assert seen.flag.on
        assert seen.flag.weights == weights(before.steps, before.step)
        assert seen.services_off == {}
        assert seen.figures is not None
        assert seen.figures.verdict is not None
        assert seen.figures.verdict.outcome is Outcome.PASSED
        assert seen.figures.asked[authoritative(step.stage)] >= step.min_requests

    @invariant()
    def a_replay_gives_the_same_state(self) -> None:
        assert fold(self.events, NAME) == self.rollout
        stored = [
            replace(event, data=json.loads(json.dumps(dict(event.data)))) for event in self.events
        ]
        assert fold(stored, NAME) == self.rollout

    @invariant()
    def back_means_off(self) -> None:
        if self.rollout.phase in (Phase.ROLLED_BACK, Phase.ABORTED):
            desired = desired_flag(self.rollout)
            assert desired is not None
            assert not desired.on

    @invariant()
    def nobody_is_judged_while_a_service_is_off(self) -> None:
        if self.rollout.services_off and self.rollout.phase is not Phase.PENDING:
            assert self.rollout.window is None or self.rollout.phase in DONE

    @invariant()
    def what_people_switched_off_never_goes_on_by_itself(self) -> None:
        if self.rollout.services_off - self.rollout.broken:
            assert self.rollout.phase in (Phase.PAUSED, *DONE)

    @invariant()
    def a_rollout_that_runs_has_its_flag(self) -> None:
        if self.rollout.phase in (Phase.HOLDING, Phase.WAITING, Phase.COMPLETE):
            desired = desired_flag(self.rollout)
            assert desired is not None
            assert desired.on


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def shown(steps: tuple[Step, ...]) -> list[Weights]:
    """The flag along a schedule, from before the first step to the last."""
    return [((Stage.OFF, FULL_SHARE),), *(weights(steps, i) for i in range(len(steps)))]


@given(schedules(), st.integers(0, FULL_SHARE - 1))
def test_contexts_only_move_forward(steps: tuple[Step, ...], bucket: int) -> None:
    stages = [stage_at(shares, bucket) for shares in shown(steps)]
    assert all(earlier <= later for earlier, later in pairwise(stages))


@given(schedules())
def test_every_flag_adds_up(steps: tuple[Step, ...]) -> None:
    for index, step in enumerate(steps):
        shares = weights(steps, index)
        assert sum(share for _, share in shares) == FULL_SHARE
        assert all(share > 0 for _, share in shares)
        assert shares[-1] == (step.stage, step.share)
        order = [ORDER.index(stage) for stage, _ in shares]
        assert order == sorted(set(order)), "the earlier stage first"


def test_figures_are_of_the_origin_that_answers() -> None:
    assert {s for s in Stage if authoritative(s).origin == "new"} == NEW_IS_ASKED
