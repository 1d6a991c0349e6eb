"""The list of flags: search, tag, groups. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from werkzeug.datastructures import MultiDict

from flags.model import Flag

SERVICE_TAG: Final = "ops"
"""Of the flag that switches a service off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a person asked to see."""

    words: str = ""
    tag: str = ""
    archived: bool = False

    @classmethod
    def read(cls, query: MultiDict[str, str]) -> "Filter":
        return cls(
            words=query.get("q", "").strip(),
            tag=query.get("tag", ""),
            archived="archived" in query,
        )

    def shows(self, flag: Flag) -> bool:
        text = f"{flag.key} {flag.name} {flag.description} {' '.join(flag.tags)}".casefold()
        return (
            (self.archived or not flag.archived)
            and (not self.tag or self.tag in flag.tags)
            and all(word in text for word in self.words.casefold().split())
        )


class Group(NamedTuple):
    title: str
    about: str
    flags: list[Flag]


def groups(flags: Iterable[Flag]) -> list[Group]:
    """Flags by what they are for; empty groups left out."""
    found = (
        Group("Capabilities", "Slices of the monolith that move, stage by stage.", []),
        Group("Services", "Off: whatever needs the service goes back to the monolith.", []),
        Group("Other flags", "", []),
    )
    for flag in flags:
        at = 0 if flag.kind == "migration" else 1 if SERVICE_TAG in flag.tags else 2
        found[at].flags.append(flag)
    return [group for group in found if group.flags]


def tags(flags: Sequence[Flag]) -> list[str]:
    return sorted({tag for flag in flags for tag in flag.tags})
