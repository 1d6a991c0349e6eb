"""What must be seen, and whether it was. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.summary import PROMISE_MS, SwitchOff, injected

Event = Mapping[str, Any]
Step = tuple[str, str, int | None]
"""Capability, kind and step of an event."""
PACE = ("held",)
"""Kinds of events that say how fast the machine is, not where the rollout goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`what` must be seen; `detail`: the figures or words that were found."""

    what: str
    seen: bool
    detail: str = ""


def steps_entered(events: Iterable[Event], capability: str) -> list[str]:
    """What the flag was told to show, such as `live 5%`, in this order."""
    return [
        each["why"]
        for each in events
        if (each["capability"], each["kind"]) == (capability, "step_entered")
    ]


def planned(schedule: Iterable[Mapping[str, Any]]) -> list[str]:
    """The same of a plan's schedule."""
    return [f"{step['stage']} {step.get('share', '100%')}" for step in schedule]


def course(events: Iterable[Event], capability: str) -> list[Step]:
    """Where a rollout went, whatever the machine's pace."""
    return [
        (each["capability"], each["kind"], each["data"].get("step"))
        for each in events
        if each["capability"] == capability and each["kind"] not in PACE
    ]


def asked(cells: Iterable[Mapping[str, Any]], capability: str, what: str = "requests") -> int:
    """Requests, or errors, of users at a capability's services."""
    own = (c for c in cells if (c["capability"], c["origin"]) == (capability, "new"))
    return sum(int(cell[what]) for cell in own)


def numbers(pattern: str, text: str) -> tuple[float, ...]:
    """The groups of `pattern` in `text`; none if it is not there."""
    found = re.search(pattern, text)
    return tuple(float(group) for group in found.groups()) if found else ()


def users(report: Mapping[str, Any], switches: Sequence[SwitchOff] = ()) -> list[Check]:
    """What no behaviour may do to users. Requests that a fault broke and nobody could repeat are
    the fault's: those after it began and before `switches` sent users back."""
    broken = [each for each in report["failures"] if injected(each, switches)]
    strange = [each for each in report["failures"] if not injected(each, switches)]
    wrong, lost = report["wrong_answers"], report["lost_writes"]
    excused = f"; {len(broken)} writes failed by the injected fault" if broken else ""
    return [
        Check(
            what="no user was given wrong data",
            seen=not wrong and report["checked"] > 0,
            detail=f"{len(wrong)} of {report['checked']} answers checked{_first(wrong)}",
        ),
        Check(
            what="no request failed",
            seen=not strange,
            detail=f"{len(strange)} of {report['requests']}{excused}{_first(strange)}",
        ),
        Check(
            what="no acknowledged write was lost",
            seen=not lost and report["acknowledged_writes"] > 0,
            detail=f"{len(lost)} of {report['acknowledged_writes']}{_first(lost)}",
        ),
    ]


def obeyed(switch: SwitchOff) -> Check:
    """Every proxy sent users back in time."""
    return Check(
        what=f"no request reached the service {PROMISE_MS:.0f} ms after {switch.what} was off",
        seen=switch.lag_ms <= PROMISE_MS,
        detail=f"the last one after {switch.lag_ms:.0f} ms",
    )


def _first(found: Sequence[object]) -> str:
    return f"; the first: {found[0]}" if found else ""
