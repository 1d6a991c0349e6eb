"""The controller's loop: look, decide by the pure engine, record, make the flags so.

Owns the rollouts in memory (folds of the log), each capability's measuring window, and the order of
things: an event is in the log before it has an effect. Deciding and recording happen without an
await in between, so a verb of the API can never fall into the middle. Never waits for a hold: each
tick looks at everything anew.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from migrator.analysis.verdict import Verdict
from migrator.analysis.watch import Watch
from migrator.controller.flags import ensure_flags, flag_keys
from migrator.controller.foreign import ForeignChanges
from migrator.controller.hooks import StepHooks
from migrator.controller.metrics import Metrics
from migrator.controller.observe import ProxyStats, World, look
from migrator.controller.store import EventLog
from migrator.controller.switches import BEAT, Switches
from migrator.errors import InvalidInput, MigratorError
from migrator.flagclient import Flag, FlagClient, FlagNotFound
from migrator.plan.dependencies import needed
from migrator.plan.model import Migration, Step
from migrator.plan.schedule import stages_of
from migrator.plan.units import format_share
from migrator.rollout.ahead import Backlog, closed_ahead
from migrator.rollout.desired import DesiredFlag, desired_flag
from migrator.rollout.engine import advance
from migrator.rollout.events import CONTROLLER, Event, Kind
from migrator.rollout.gate import closed_gate
from migrator.rollout.measure import measure
from migrator.rollout.observation import Change, Closed, Figures, Observation, Off, SeenFlag
from migrator.rollout.parity import ParityGate
from migrator.rollout.service import service_of
from migrator.rollout.state import Rollout, Window, apply, fold
from migrator.rollout.transitions import Phase
from migrator.rollout.verbs import PLAIN, Details, Verb, act

logger = logging.getLogger(__name__)

TICK: Final = 0.5
"""Seconds between two looks."""


class Controller:
    """All rollouts of one plan."""

    def __init__(
        self,
        plan: Migration,
        schedules: Mapping[str, tuple[Step, ...]],
        log: EventLog,
        *,
        flags: FlagClient,
        proxy: ProxyStats,
        services: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Replays the log. `services`: their origins. Raises StateError if the log cannot be."""
        self.plan = plan
        self.log = log
        self.world = World(stats=None, flags=None, problems=("just started",))
        self.rollouts: dict[str, Rollout] = {
            name: fold(log.read(capability=name), name) for name in plan.spec.capabilities
        }
        self.watches: dict[str, Watch] = {}
        self.waiting_for: dict[str, str] = {}
        """What keeps each capability at its step, with figures of the last tick."""
        self._window_of: dict[str, int] = {}
        self._parity = ParityGate()
        self._schedules = schedules
        self._flags = flags
        self._flag_keys = flag_keys(plan)
        self._proxy = proxy
        self._clock = clock
        self.hooks = StepHooks(plan.metadata.name)
        self.metrics = Metrics(plan, flags)
        self.switches = Switches(
            plan, log, services, flags=flags, proxy=proxy, clock=clock, record=self._record
        )
        self._foreign = ForeignChanges(flags)
        self._ensured = False
        self._failed: dict[str, str] = {}
        """Why the last change of a flag failed, by capability."""
        self._soon = asyncio.Event()
        self.news = asyncio.Event()
        """Set, and replaced, when an event was recorded."""
        self.stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until `stop`. Raises StateError when the log cannot be written."""
        stopped = asyncio.create_task(stop.wait())
        beating = asyncio.create_task(self._beat())
        try:
            while not stop.is_set():
                await self.tick()
                soon = asyncio.create_task(self._soon.wait())
                await asyncio.wait(
                    (soon, stopped, beating), timeout=TICK, return_when=asyncio.FIRST_COMPLETED
                )
                soon.cancel()
                self._soon.clear()
                if beating.done():
                    beating.result()
        finally:
            stopped.cancel()
            beating.cancel()
            await asyncio.wait((beating,))
            await self.close()
            self.stopping = True
            self._announce()

    async def _beat(self) -> None:
        """The fast path, beside the looks. Raises StateError."""
        while True:
            if await self.switches.beat():
                self._soon.set()
            await asyncio.sleep(BEAT)

    async def close(self) -> None:
        """Stop what runs beside the looks."""
        await self.hooks.close()
        await self.metrics.close()
        await self.switches.close()

    def schedule(self, name: str) -> tuple[Step, ...]:
        """The plan's steps of a capability."""
        return self._schedules[name]

    def act(self, name: str, verb: Verb, *, by: str, reason: str, details: Details = PLAIN) -> None:
        """A person's verb. Raises InvalidInput for an unknown name, IllegalVerb."""
        rollout = self.rollouts.get(name)
        if rollout is None:
            raise InvalidInput(
                f"no capability {name!r}", hint=f"there are: {', '.join(self.rollouts)}"
            )
        self._record(
            act(
                rollout,
                verb,
                by=by,
                reason=reason,
                now=self._clock(),
                details=details,
                steps=self._schedules[name],
                stages=stages_of(self.plan.spec.capabilities[name]),
            )
        )
        # A flag that somebody deleted is made anew before the rollout is looked at again.
        self._ensured = False
        self._soon.set()

    async def tick(self) -> None:
        """Look, decide, record, act, once."""
        try:
            if not self._ensured:
                for name, flag in (await ensure_flags(self._flags, self.plan)).items():
                    self._made_anew(name, flag)
                self._ensured = True
            self.world = await look(self._proxy, self._flags, self._flag_keys)
            changes = await self._changes(self.world)
            if self.world.flags is not None:
                await self.switches.look(self.world.flags)
        except MigratorError as error:
            if not self.world.problems:
                logger.warning("controller.look.failed %s", error)
            self.world = World(stats=None, flags=None, problems=(str(error),))
            changes = {}
        now = self._clock()
        if self.world.flags is not None:
            self.switches.decide(now)
        for name in self.rollouts:
            self._decide(name, changes, now)
        await asyncio.gather(
            self.switches.make_so(), *(self._apply(name) for name in self.rollouts)
        )
        problems = (*self.world.problems, *self.switches.problems)
        self.world = replace(self.world, problems=problems)

    def _made_anew(self, name: str, flag: Flag) -> None:
        """A flag that was deleted under its rollout is there again; its versions begin anew, and
        the audit log may not tell who made it."""
        if self.rollouts[name].flag_version is not None:
            self._record((self._applied(name, flag),))

    def _decide(self, name: str, changes: Mapping[str, Change | None], now: float) -> None:
        seen = Observation(
            flag=self._seen_flag(name, changes),
            figures=self._figures(name, now),
            services_off=self._services_off(name),
            ahead=self._ahead(name, now),
            ended=self.hooks.ended(self.rollouts[name]),
            webhook=self.hooks.answer(self.rollouts[name]),
        )
        self._record(advance(self.rollouts[name], self._schedules[name], seen, now))
        rollout = self.rollouts[name]
        gate = None
        if rollout.phase in (Phase.HOLDING, Phase.WAITING):
            gate = closed_gate(rollout, rollout.steps[rollout.step], seen, now)
        elif rollout.phase is Phase.PENDING and seen.ahead:
            gate = seen.ahead[0]
        self.waiting_for[name] = gate.why if gate and gate.topic != "hold" else ""
        self.hooks.follow(rollout, gate.topic if gate else None)
        self.metrics.follow(rollout)

    def _ahead(self, name: str, now: float) -> tuple[Closed, ...]:
        return closed_ahead(
            self.rollouts[name],
            self._schedules[name],
            self.plan.spec.capabilities[name],
            others=self.rollouts,
            freezes=self.plan.spec.freeze,
            backlog=self.world.backlogs.get(name, Backlog()),
            now=now,
        )

    def _record(self, events: tuple[Event, ...]) -> None:
        if not events:
            return
        for event in self.log.append(events):
            name, service = event.capability, service_of(event.capability)
            if service is None:
                self.rollouts[name] = apply(self.rollouts[name], event)
            else:
                self.switches.apply(service, event)
            logger.info("rollout.%s capability=%s why=%s", event.kind, name, event.why)
        self._announce()

    def _announce(self) -> None:
        self.news.set()
        self.news = asyncio.Event()

    def _figures(self, name: str, now: float) -> Figures | None:
        """Read the counters into the capability's window and judge it."""
        rollout, stats = self.rollouts[name], self.world.stats
        if stats is None:
            return None
        counters = stats.counters(name)
        limits = self.plan.spec.capabilities[name].analysis
        seq = rollout.window.seq if rollout.window else None
        same = seq is not None and self._window_of.get(name) == seq

        def also(window: Window, step: Step, verdict: Verdict) -> Verdict:
            verdict = self.switches.judged(self._needed(name), verdict)
            verdict = self._parity.judge(name, counters, window, step, limits.parity, verdict)
            return self.metrics.judge(rollout, step, verdict)

        watch, figures = measure(
            rollout, self.watches.get(name) if same else None, counters, limits, now, also=also
        )
        if watch is None or seq is None:
            self.watches.pop(name, None)
        else:
            self.watches[name], self._window_of[name] = watch, seq
        return replace(figures, metrics=self.metrics.counted(rollout))

    def _seen_flag(self, name: str, changes: Mapping[str, Change | None]) -> SeenFlag | None:
        rollout, flags = self.rollouts[name], self.world.flags
        if flags is None:
            return None
        flag = flags.get(name)
        if flag is not None:
            if flag.version > (rollout.flag_version or flag.version) and name not in changes:
                return None
            return SeenFlag(
                version=flag.version,
                on=flag.on,
                weights=flag.weights(),
                change=changes.get(name),
            )
        if rollout.flag_version is None or rollout.hands_off:
            return None
        deleted = Change(by="someone", via="by deleting the flag", comment="", audit_id=None)
        return SeenFlag(version=rollout.flag_version + 1, on=False, weights=None, change=deleted)

    def _needed(self, name: str) -> tuple[str, ...]:
        return needed(self.plan.spec.capabilities, name)

    def _services_off(self, name: str) -> dict[str, Off] | None:
        flags = self.world.flags
        if flags is None:
            return None
        found = {service: self.switches.off(service, flags) for service in self._needed(name)}
        return {service: off for service, off in found.items() if off is not None}

    async def _changes(self, world: World) -> dict[str, Change | None]:
        """Who made the flag versions that no event accounts for, by capability."""
        if world.flags is None:
            return {}
        changes: dict[str, Change | None] = {}
        for name, rollout in self.rollouts.items():
            seen = world.flags.get(name)
            known = rollout.flag_version
            if seen is not None and known is not None and seen.version > known:
                changes[name] = await self._foreign.newest(seen, known, rollout.audit_id)
        return changes

    async def _apply(self, name: str) -> None:
        """Make the flag what the state says. What fails now is tried again at the next tick."""
        rollout, flags = self.rollouts[name], self.world.flags
        desired = desired_flag(rollout)
        if flags is None or desired is None:
            return
        flag = flags.get(name)
        if flag is None:
            self._ensured = False
            return
        if flag.version < (rollout.flag_version or 0) or desired.matches(
            on=flag.on, weights=flag.weights()
        ):
            return
        try:
            changed = await self._change(flag, desired, rollout)
        except MigratorError as error:
            self._ensured = not isinstance(error, FlagNotFound)
            if self._failed.get(name) != str(error):
                logger.warning("rollout.flag.failed capability=%s %s", name, error)
            self._failed[name] = str(error)
            self.world = replace(self.world, problems=(*self.world.problems, str(error)))
            return
        self._failed.pop(name, None)
        # A jump of more than one means that somebody came in between: the next tick finds out who.
        if changed.version <= flag.version + 1:
            self._record((self._applied(name, changed),))

    def _applied(self, name: str, flag: Flag) -> Event:
        return Event(
            at=self._clock(),
            capability=name,
            kind=Kind.FLAG_APPLIED,
            by=CONTROLLER,
            why="",
            data={"version": flag.version, "on": flag.on},
        )

    async def _change(self, flag: Flag, desired: DesiredFlag, rollout: Rollout) -> Flag:
        if not desired.on:
            return await self._flags.turn(flag.key, on=False, comment=rollout.reason)
        shares = ", ".join(f"{stage} {format_share(share)}" for stage, share in desired.weights)
        return await self._flags.set_shares(
            flag,
            desired.weights,
            context_kind=self.plan.spec.context.kind,
            comment=shares + _place(rollout),
        )


def _place(rollout: Rollout) -> str:
    if rollout.placed is not None:
        return f" ({rollout.reason})"
    return f" (step {(rollout.entered or 0) + 1} of {len(rollout.steps)})"
