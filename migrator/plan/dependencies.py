"""Rules of `after`: which capabilities come before which, and which services they need for that.

Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from migrator.plan.document import Path
from migrator.plan.errors import nearest
from migrator.plan.finding import Finding
from migrator.plan.model import After, Capability, Migration, Stage
from migrator.plan.schedule import steps

_ORDER: Final = {stage: index for index, stage in enumerate(Stage)}


def find_dependencies(plan: Migration) -> Iterator[Finding]:
    """Unknown names, stages that are never reached, and circles."""
    known = plan.spec.capabilities
    for name, capability in known.items():
        path: Path = ("spec", "capabilities", name, "after")
        for index, after in enumerate(befores(capability)):
            where = (*path, index)
            if after.capability not in known:
                yield Finding(
                    where,
                    f"no capability is called {after.capability!r}, "
                    f"expected one of {', '.join(known)}",
                    nearest(after.capability, list(known)),
                )
            elif after.stage and not _reaches(known[after.capability], after.stage):
                yield Finding(
                    (*where, "stage"),
                    f"the schedule of {after.capability} never reaches {after.stage}",
                )
        circle = _circle(known, name)
        if circle:
            told = ", which waits for ".join(circle[1:])
            yield Finding(path, f"{name} waits for {told}: none of them could ever begin")


def befores(capability: Capability) -> tuple[After, ...]:
    """`after` with names and mappings alike."""
    return tuple(
        each if isinstance(each, After) else After(capability=each) for each in capability.after
    )


def service_flag(service: str) -> str:
    """Key of the flag that switches a service off."""
    return f"{service}-service"


def needed(capabilities: Mapping[str, Capability], name: str) -> tuple[str, ...]:
    """The services without which a capability falls back to the monolith, each once: its own, and
    those of each capability that must be answered by its services before this one begins.

    What a page of this capability links to must not be old while the page is new. All are
    prerequisites of its flag, so that one version of one flag moves everything that belongs
    together, in every SDK at once, without anybody's help.
    """
    found: dict[str, None] = {}
    names = [name]
    for each in names:
        capability = capabilities[each]
        found |= dict.fromkeys(route.service for route in capability.routes)
        found |= dict.fromkeys(capability.needs)
        names += [
            after.capability
            for after in befores(capability)
            if _is_new(after)
            and after.capability not in names
            and after.capability in capabilities  # what is not, is told when the plan is checked
        ]
    return tuple(found)


def all_needed(capabilities: Mapping[str, Capability]) -> tuple[str, ...]:
    """The services that any capability needs, each once: those that have a flag."""
    services = (service for name in capabilities for service in needed(capabilities, name))
    return tuple(dict.fromkeys(services))


def _is_new(after: After) -> bool:
    """Whether services answer at that stage; None is complete."""
    return after.stage is None or _ORDER[after.stage] >= _ORDER[Stage.LIVE]


def _reaches(capability: Capability, stage: Stage) -> bool:
    return any(_ORDER[step.stage] >= _ORDER[stage] for step in steps(capability))


def _circle(known: Mapping[str, Capability], start: str) -> list[str] | None:
    """The shortest way from `start` back to it, both ends included."""
    ways, seen = [[start]], {start}
    for way in ways:
        for after in befores(known[way[-1]]):
            if after.capability == start:
                return [*way, start]
            if after.capability in known and after.capability not in seen:
                seen.add(after.capability)
                ways.append([*way, after.capability])
    return None
