"""Flags that another flag needs, in one environment."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from flags.changes.base import ConfigInstruction, World, index_of
from flags.model import Config, Flag, Key, Prerequisite


class AddPrerequisite(ConfigInstruction):
    kind: Literal["addPrerequisite"]
    key: Key
    variationId: str

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        new = _prerequisite(self.key, self.variationId, flag, world)
        others = (p for p in config.prerequisites if p.key != self.key)
        return config.changed(prerequisites=(*others, new))


class UpdatePrerequisite(ConfigInstruction):
    kind: Literal["updatePrerequisite"]
    key: Key
    variationId: str

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        new = _prerequisite(self.key, self.variationId, flag, world)
        if all(p.key != self.key for p in config.prerequisites):
            raise ValueError(f"flag {flag.key!r} has no prerequisite {self.key!r}")
        return config.changed(
            prerequisites=tuple(new if p.key == self.key else p for p in config.prerequisites)
        )


class RemovePrerequisite(ConfigInstruction):
    kind: Literal["removePrerequisite"]
    key: Key

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        return config.changed(
            prerequisites=tuple(p for p in config.prerequisites if p.key != self.key)
        )


class _NewPrerequisite(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: Key
    variationId: str


class ReplacePrerequisites(ConfigInstruction):
    kind: Literal["replacePrerequisites"]
    prerequisites: Annotated[list[_NewPrerequisite], Field(max_length=50)]

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        new = {p.key: _prerequisite(p.key, p.variationId, flag, world) for p in self.prerequisites}
        return config.changed(prerequisites=tuple(new.values()))


def _prerequisite(key: str, variation_id: str, flag: Flag, world: World) -> Prerequisite:
    other = world.flag(key)
    if other is None:
        raise ValueError(f"prerequisite flag {key!r} does not exist")
    if other.archived:
        raise ValueError(f"prerequisite flag {key!r} is archived: restore it first")
    if leads_to(key, flag.key, world.environment or "", world):
        raise ValueError(f"prerequisite {key!r} would make a cycle with {flag.key!r}")
    return Prerequisite(key=key, variation=index_of(other, variation_id))


def leads_to(start: str, key: str, environment: str, world: World) -> bool:
    """Whether the flag `start` is `key`, or needs it, however far."""
    seen: set[str] = set()
    left = [start]
    while left:
        current = left.pop()
        if current == key:
            return True
        if current not in seen:
            seen.add(current)
            if (flag := world.flag(current)) is not None:
                left += [p.key for p in flag.config(environment).prerequisites]
    return False
