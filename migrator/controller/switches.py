"""Switches off services that are plainly broken, and on again those whose probe answers.

The fast path: reads the proxy's counters beside the controller's looks, so that nothing that a look
waits for delays it. As for rollouts, an event is in the log before it has an effect, and what the
flag should say follows from the events; who else changed it is found out at the next look.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Final

from migrator.analysis.pulse import Pulse
from migrator.analysis.verdict import Outcome, Verdict
from migrator.controller.flags import KEPT_OFF, unclaimed
from migrator.controller.foreign import ForeignChanges
from migrator.controller.observe import ProxyStats, change_of, switched_off
from migrator.controller.probes import Probes
from migrator.controller.store import EventLog
from migrator.errors import MigratorError, Unavailable
from migrator.flagclient import Flag, FlagClient
from migrator.plan.dependencies import all_needed, service_flag
from migrator.plan.model import Migration, Restore
from migrator.rollout.events import CONTROLLER, Event
from migrator.rollout.observation import Change, Off, SeenFlag
from migrator.rollout.service import (
    Service,
    Standing,
    advance_service,
    apply_service,
    fold_service,
    subject,
    switch_off,
)

BEAT: Final = 0.25
"""Seconds between two readings: the proxy's workers report as often."""

logger = logging.getLogger(__name__)


class Switches:
    """The flags of all services that capabilities need."""

    def __init__(
        self,
        plan: Migration,
        log: EventLog,
        addresses: Mapping[str, str],
        *,
        flags: FlagClient,
        proxy: ProxyStats,
        clock: Callable[[], float],
        record: Callable[[tuple[Event, ...]], None],
    ) -> None:
        """`addresses`: origins of the services, for their probes. `record` logs events and gives
        them back to `apply`. Raises StateError if the log cannot be replayed."""
        names = all_needed(plan.spec.capabilities)
        self.services: dict[str, Service] = {
            name: fold_service(log.read(capability=subject(name)), name) for name in names
        }
        self._restore: dict[str, Restore | None] = {}
        self._probe_urls: dict[str, str] = {}
        for name in names:
            workload = plan.spec.services[name]
            rules = workload.restore if isinstance(workload.restore, Restore) else None
            self._restore[name] = rules
            if rules is not None:
                self._probe_urls[name] = addresses[name] + (rules.probe or workload.ready)
        self._client = flags
        self._proxy = proxy
        self._clock = clock
        self._record = record
        self._foreign = ForeignChanges(flags)
        self.probes = Probes(clock)
        self._flags: Mapping[str, Flag] = {}
        """As they were at the last look that knew them."""
        self._changes: dict[str, Change | None] = {}
        self._told: dict[str, str] = {}
        """Who switched a service off, of those that people switched off."""
        self._pulse: Pulse | None = None
        self._sent: dict[str, tuple[bool, int]] = {}
        """What was last asked of the flag server, and at which version, by service: not again, or
        a person's change in between could be undone."""
        self._failed: dict[str, str] = {}
        """Why the last change of a flag failed, by service."""

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(self._failed.values())

    def apply(self, name: str, event: Event) -> None:
        """Fold an event of a service that was recorded."""
        self.services[name] = apply_service(self.services[name], event)

    def off(self, name: str, flags: Mapping[str, Flag]) -> Off | None:
        """Whether a service is switched off, and how."""
        service, flag = self.services[name], flags.get(service_flag(name))
        if service.standing is not Standing.FREE:
            return Off(why=f"{service_flag(name)} is off: {service.reason}", broken=True)
        if flag is not None and flag.on:
            return None
        return Off(why=self._told.get(name, f"{service_flag(name)} is off"))

    def judged(self, names: tuple[str, ...], verdict: Verdict) -> Verdict:
        """`verdict` on a capability that needs those services; not on the first failures of one
        that may be about to be switched off itself."""
        if verdict.outcome is Outcome.FAILED and self._pulse and self._pulse.silent(names):
            return Verdict(outcome=Outcome.NOT_ENOUGH_DATA, evidence=verdict.evidence)
        return verdict

    async def beat(self) -> bool:
        """Read the counters and switch off what is plainly broken; whether there was any."""
        try:
            counters = await self._proxy.tallies()
        except Unavailable:
            return False  # The look says so.
        now = self._clock()
        if self._pulse is None:
            self._pulse = Pulse.begin(counters, at=now)
            return False
        off = [name for name in self.services if self.off(name, self._flags) is not None]
        self._pulse = self._pulse.read(counters, at=now, off=off)
        events = []
        for name, evidence in self._pulse.broken().items():
            flag = self._flags.get(service_flag(name))
            if name in self.services and flag is not None:
                service, rules = self.services[name], self._restore[name]
                events.append(switch_off(service, evidence, rules, flag.version, now))
        self._record(tuple(events))
        if events:
            await self.make_so()
        return bool(events)

    async def look(self, flags: Mapping[str, Flag]) -> None:
        """See what people did to the flags. Raises Unavailable."""
        changes: dict[str, Change | None] = {}
        for name, service in self.services.items():
            flag = flags.get(service_flag(name))
            if service.flag_version is None:
                await self._tell(name, flag)
            elif flag is not None and not flag.on and KEPT_OFF in flag.tags:
                changes[name] = await self._keeper(name, flag)
            elif flag is not None and flag.version > service.flag_version:
                with contextlib.suppress(Unavailable):  # Nothing else waits for that.
                    change = changes[name] = await self._foreign.newest(flag, service.flag_version)
                    if change is not None and not flag.on:
                        self._told[name] = f"{flag.key} is off ({change.told})"
        self._flags, self._changes = flags, changes

    def decide(self, now: float) -> None:
        """What follows from the last look and from the probes."""
        for name in self.services:
            service, rules = self.services[name], self._restore[name]
            healthy = self.probes.healthy_since(name)
            self._record(advance_service(service, rules, self._seen(name), healthy, now))
            if rules is not None and self.services[name].standing is Standing.BROKEN:
                self.probes.start(name, self._probe_urls[name], rules.interval)
            else:
                self.probes.stop(name)

    async def make_so(self) -> None:
        """Make the flags what the events say. What fails now is tried again at the next look."""
        await asyncio.gather(*(self._make_so(name) for name in self.services))

    async def close(self) -> None:
        await self.probes.close()

    async def _keeper(self, name: str, flag: Flag) -> Change:
        """Who wants it to stay off."""
        entries = await self._client.audit(flag.key, limit=1)
        if entries and entries[0].by != CONTROLLER:
            change = change_of(entries[0])
        else:
            change = Change(by="someone", via="", comment="", audit_id=None)
        self._told[name] = f"{flag.key} is off ({change.told})"
        return change

    async def _tell(self, name: str, flag: Flag | None) -> None:
        if flag is None or flag.on:
            self._told.pop(name, None)
        elif name not in self._told:
            self._told[name] = switched_off(flag.key, await self._client.audit(flag.key, limit=1))

    def _seen(self, name: str) -> SeenFlag | None:
        flag, known = self._flags.get(service_flag(name)), self.services[name].flag_version
        if flag is None or known is None:
            return None
        if flag.version > known and name not in self._changes:
            return None
        change = self._changes.get(name)
        return SeenFlag(version=flag.version, on=flag.on, weights=None, change=change)

    async def _make_so(self, name: str) -> None:
        service, key = self.services[name], service_flag(name)
        flag = self._flags.get(key)
        if service.wanted is None or flag is None or flag.on is service.wanted:
            return
        order = service.wanted, flag.version
        if flag.version != service.flag_version or self._sent.get(name) == order:
            return  # Who changed it is found out first.
        try:
            await unclaimed(self._client, flag, service.reason)
            await self._client.turn(key, on=service.wanted, comment=service.reason)
        except MigratorError as error:
            if self._failed.get(name) != str(error):
                logger.warning("service.flag.failed service=%s %s", name, error)
            self._failed[name] = str(error)
        else:
            self._sent[name] = order
            self._failed.pop(name, None)
