"""Who gets which variation in one environment: the switch, the default, individual targets."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from flags.changes.base import ConfigInstruction, Serving, Values, World, index_of
from flags.model import Config, ContextKind, Flag, Target


class TurnFlagOn(ConfigInstruction):
    kind: Literal["turnFlagOn"]

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        return config.changed(on=True)


class TurnFlagOff(ConfigInstruction):
    kind: Literal["turnFlagOff"]

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        return config.changed(on=False)


class UpdateFallthrough(Serving, ConfigInstruction):
    kind: Literal["updateFallthroughVariationOrRollout"]

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        return config.changed(fallthrough=self.serve(flag))


class UpdateOffVariation(ConfigInstruction):
    kind: Literal["updateOffVariation"]
    variationId: str

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        return config.changed(off_variation=index_of(flag, self.variationId))


class _Targeting(ConfigInstruction):
    contextKind: ContextKind = "user"
    variationId: str
    values: Values

    def _same(self, target: Target, index: int) -> bool:
        return (target.context_kind, target.variation) == (self.contextKind, index)


class AddTargets(_Targeting):
    kind: Literal["addTargets", "addUserTargets"]

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        """A context is a target of one variation only: adding it here takes it from the others."""
        index = index_of(flag, self.variationId)
        if not self.values:
            return config
        kept = _without(config.targets, self.contextKind, set(self.values), keep=index)
        own = next((t.values for t in kept if self._same(t, index)), ())
        added = Target(
            context_kind=self.contextKind,
            variation=index,
            values=tuple(dict.fromkeys((*own, *self.values))),
        )
        return config.changed(targets=(*(t for t in kept if not self._same(t, index)), added))


class RemoveTargets(_Targeting):
    kind: Literal["removeTargets", "removeUserTargets"]

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        index, gone = index_of(flag, self.variationId), set(self.values)
        return config.changed(
            targets=tuple(
                t.model_copy(update={"values": left})
                for t in config.targets
                if (
                    left := t.values
                    if not self._same(t, index)
                    else tuple(v for v in t.values if v not in gone)
                )
            )
        )


class _NewTarget(BaseModel):
    model_config = ConfigDict(extra="forbid")

    contextKind: ContextKind = "user"
    variationId: str
    values: Values


class ReplaceTargets(ConfigInstruction):
    kind: Literal["replaceTargets"]
    targets: list[_NewTarget]

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        """Entries of one context kind and variation become one; a context twice is an error."""
        values: dict[tuple[str, int], dict[str, None]] = {}
        owner: dict[tuple[str, str], int] = {}
        for target in self.targets:
            index = index_of(flag, target.variationId)
            for value in target.values:
                if owner.setdefault((target.contextKind, value), index) != index:
                    raise ValueError(f"{target.contextKind} {value!r} is given two variations")
                values.setdefault((target.contextKind, index), {})[value] = None
        return config.changed(
            targets=tuple(
                Target(context_kind=kind, variation=index, values=tuple(keys))
                for (kind, index), keys in values.items()
            )
        )


class ClearTargets(ConfigInstruction):
    kind: Literal["clearTargets"]
    variationId: str | None = None
    """Without it the targets of every variation."""

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        if self.variationId is None:
            return config.changed(targets=())
        index = index_of(flag, self.variationId)
        return config.changed(targets=tuple(t for t in config.targets if t.variation != index))


class UpdateTrackEvents(ConfigInstruction):
    kind: Literal["updateTrackEvents"]
    trackEvents: bool

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        return config.changed(track_events=self.trackEvents)


class UpdateTrackEventsFallthrough(ConfigInstruction):
    kind: Literal["updateTrackEventsFallthrough"]
    trackEvents: bool

    def apply(self, flag: Flag, config: Config, world: World) -> Config:
        return config.changed(track_events_fallthrough=self.trackEvents)


def _without(
    targets: tuple[Target, ...], context_kind: str, values: set[str], *, keep: int
) -> list[Target]:
    """`targets` less `values` of `context_kind`, but for the target of variation `keep`."""
    kept: list[Target] = []
    for target in targets:
        left: Any = target.values
        if target.context_kind == context_kind and target.variation != keep:
            left = tuple(v for v in target.values if v not in values)
        if left:
            kept.append(target.model_copy(update={"values": left}))
    return kept
