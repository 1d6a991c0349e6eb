"""Rules of `after`: which capabilities come before which. Pure."""

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
