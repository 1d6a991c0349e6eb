"""The switch of a service: who turned its flag off, and whether a probe may turn it on again. Pure.

The controller turns off what is plainly broken, and only what it turned off itself, and nobody has
touched since, may it turn on again. A person's word always wins: whatever the flag says then is
left alone. Events are of the subject `service/NAME` in the same log as those of capabilities.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from migrator.plan.dependencies import service_flag
from migrator.plan.model import Restore
from migrator.plan.units import format_duration
from migrator.rollout.events import CONTROLLER, Event, Kind
from migrator.rollout.observation import SeenFlag
from migrator.rollout.transitions import IllegalEvent

_SUBJECT: Final = "service/"


class Standing(StrEnum):
    FREE = "free"
    """Its flag is people's."""
    BROKEN = "broken"
    """The controller switched it off."""
    RETURNING = "returning"
    """Its probe answers: the controller is about to switch it on."""


TRANSITIONS: Final[Mapping[Standing, Mapping[Kind, Standing]]] = MappingProxyType(
    {
        Standing.FREE: {Kind.SWITCHED_OFF: Standing.BROKEN},
        Standing.BROKEN: {
            Kind.FLAG_APPLIED: Standing.BROKEN,
            Kind.FLAG_CHANGED_BY_OTHER: Standing.FREE,
            Kind.SWITCHED_ON: Standing.RETURNING,
        },
        Standing.RETURNING: {
            Kind.FLAG_APPLIED: Standing.FREE,
            Kind.FLAG_CHANGED_BY_OTHER: Standing.FREE,
        },
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service's switch."""

    name: str
    standing: Standing = Standing.FREE
    reason: str = ""
    """Why it stands so, for people."""
    offs: tuple[float, ...] = ()
    """When the controller switched it off since a person last had a say."""
    flag_version: int | None = None
    """The newest version that is accounted for; None while the flag is people's."""

    @property
    def wanted(self) -> bool | None:
        """What its flag should say; None: leave it alone."""
        return None if self.standing is Standing.FREE else self.standing is Standing.RETURNING


def subject(name: str) -> str:
    """What events of the service are about."""
    return _SUBJECT + name


def service_of(subject: str) -> str | None:
    """The service that events of `subject` are about; None: they are a capability's."""
    return subject.removeprefix(_SUBJECT) if subject.startswith(_SUBJECT) else None


def fold_service(events: Iterable[Event], name: str) -> Service:
    """The state after `events`, all of one service, oldest first. Raises IllegalEvent."""
    service = Service(name=name)
    for event in events:
        service = apply_service(service, event)
    return service


def apply_service(service: Service, event: Event) -> Service:
    """The state after one more event. Raises IllegalEvent."""
    standing = TRANSITIONS[service.standing].get(event.kind)
    if standing is None:
        raise IllegalEvent(f"{event.kind} cannot happen while {service.name} is {service.standing}")
    reason = service.reason if event.kind is Kind.FLAG_APPLIED else event.why
    moved = replace(service, standing=standing, reason=reason)
    try:
        return _EFFECTS[event.kind](moved, event, event.data)
    except (KeyError, TypeError) as error:
        raise IllegalEvent(f"event {event.seq} ({event.kind}) lacks or spoils {error}") from error


def switch_off(
    service: Service, evidence: str, restore: Restore | None, version: int, now: float
) -> Event:
    """The event of a service that is plainly broken, at `version` of its flag, which is on.

    `restore`: None if only people may switch it on again.
    """
    back = _way_back(_switched_off(service, now), restore)
    return Event(
        at=now,
        capability=subject(service.name),
        kind=Kind.SWITCHED_OFF,
        by=CONTROLLER,
        why=f"{evidence}; {back}",
        data={"version": version},
    )


def advance_service(
    service: Service,
    restore: Restore | None,
    flag: SeenFlag | None,
    healthy_since: float | None,
    now: float,
) -> tuple[Event, ...]:
    """What a look at its flag and its probe causes. `flag`: None if it is not known.

    `healthy_since`: since when every answer to the probe was good.
    """
    known = service.flag_version
    if flag is None or known is None or flag.version < known:
        return ()

    def event(kind: Kind, by: str, why: str, data: dict[str, Any]) -> tuple[Event, ...]:
        return (
            Event(at=now, capability=subject(service.name), kind=kind, by=by, why=why, data=data),
        )

    if flag.version > known or flag.change is not None:
        data = {"version": flag.version, "on": flag.on}
        if flag.change is None:
            return event(Kind.FLAG_APPLIED, CONTROLLER, "", data)
        turned = f"{service_flag(service.name)} is {'on' if flag.on else 'off'}"
        why = f"{turned} ({flag.change.told})"
        return event(Kind.FLAG_CHANGED_BY_OTHER, flag.change.by, why, data)
    if (
        service.standing is Standing.BROKEN
        and not flag.on
        and restore is not None
        and _may_return(service, restore)
        and healthy_since is not None
        and now - healthy_since >= restore.healthy_for
    ):
        away = f"the monolith did the writes of {now - service.offs[-1]:.0f} s, which follow"
        why = f"its probe answered for {format_duration(restore.healthy_for)}; {away}"
        return event(Kind.SWITCHED_ON, CONTROLLER, why, {})
    return ()


def _may_return(service: Service, restore: Restore) -> bool:
    return _recent(service, restore) <= restore.at_most


def _recent(service: Service, restore: Restore) -> int:
    """How often it was switched off within the time that ends with the last time."""
    return sum(1 for at in service.offs if service.offs[-1] - at < restore.within)


def _way_back(service: Service, restore: Restore | None) -> str:
    """How it is switched on again, for people."""
    person = f"`migrator restore {subject(service.name)}` switches it on again"
    if restore is None:
        return person
    if not _may_return(service, restore):
        times, within = _recent(service, restore), format_duration(restore.within)
        return f"{times} times within {within}: only {person}"
    return f"on again once its probe answers for {format_duration(restore.healthy_for)}"


def _switched_off(service: Service, at: float) -> Service:
    return replace(service, offs=(*service.offs, at))


_Effect = Callable[[Service, Event, Mapping[str, Any]], Service]
_EFFECTS: Final[Mapping[Kind, _Effect]] = MappingProxyType(
    {
        Kind.SWITCHED_OFF: lambda service, event, data: replace(
            _switched_off(service, event.at), flag_version=data["version"]
        ),
        Kind.SWITCHED_ON: lambda service, _event, _data: service,
        Kind.FLAG_APPLIED: lambda service, _event, data: replace(
            service,
            flag_version=None if service.standing is Standing.FREE else data["version"],
        ),
        Kind.FLAG_CHANGED_BY_OTHER: lambda service, _event, _data: replace(
            service, offs=(), flag_version=None
        ),
    }
)
