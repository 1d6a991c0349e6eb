"""A list of instructions becomes a changed flag or segment, or one error."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, get_args

from pydantic import BaseModel, ConfigDict, Field

from flags.changes import prerequisites, rules, segments, settings, targeting
from flags.changes.base import (
    ConfigInstruction,
    FlagInstruction,
    Instruction,
    RulesInstruction,
    SegmentInstruction,
    World,
)
from flags.errors import Rejected, rejecting
from flags.model import Flag, Segment

Instructions = Sequence[Mapping[str, Any]]


class Patch(BaseModel):
    """The body of a semantic patch request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environmentKey: str | None = None
    comment: Annotated[str, Field(max_length=2000)] = ""
    instructions: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)]
    ignoreConflicts: bool = False


def parse(body: object) -> Patch:
    """Raises `Rejected` naming the field."""
    with rejecting("semantic patch"):
        return Patch.model_validate(body)


def apply_to_flag(flag: Flag, instructions: Instructions, world: World) -> Flag:
    """`flag` after every instruction in order; all are applied or none.

    Raises `Rejected` naming the instruction's index and the field. No version is changed.
    """
    for where, instruction in _read(instructions, FLAG_INSTRUCTIONS):
        with rejecting(where):
            flag = _to_flag(instruction, flag, world)
    return flag


def apply_to_segment(segment: Segment, instructions: Instructions, world: World) -> Segment:
    """`segment` after every instruction in order; all or none. Raises `Rejected`."""
    for where, instruction in _read(instructions, SEGMENT_INSTRUCTIONS):
        with rejecting(where):
            segment = _to_segment(instruction, segment, world)
    return segment


def _read(
    instructions: Instructions, known: Mapping[str, type[Instruction]]
) -> Iterator[tuple[str, Instruction]]:
    """Each instruction with the place it stands at, one by one."""
    for index, raw in enumerate(instructions):
        kind = str(raw.get("kind"))
        where = f"instructions[{index}]"
        if kind not in known:
            near = difflib.get_close_matches(kind, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
            raise Rejected(f"{where}.kind: unknown instruction {kind[:100]!r}{hint}")
        where = f"{where} ({kind})"
        with rejecting(where):
            instruction = known[kind].model_validate(raw)
        yield where, instruction


def _to_flag(instruction: Instruction, flag: Flag, world: World) -> Flag:
    if isinstance(instruction, FlagInstruction):
        return instruction.apply(flag, world)
    if world.environment is None:
        raise ValueError("expected environmentKey beside instructions: this changes one of them")
    config = flag.config(world.environment)
    if isinstance(instruction, ConfigInstruction):
        changed = instruction.apply(flag, config, world)
    else:
        assert isinstance(instruction, RulesInstruction)  # noqa: S101 - nothing else is registered
        changed = config.changed(rules=instruction.apply(config.rules, world))
    if changed.model_dump_json() == config.model_dump_json():  # to Python, true is 1
        return flag
    return flag.with_config(world.environment, changed)


def _to_segment(instruction: Instruction, segment: Segment, world: World) -> Segment:
    if isinstance(instruction, SegmentInstruction):
        return instruction.apply(segment, world)
    assert isinstance(instruction, RulesInstruction)  # noqa: S101 - nothing else is registered
    changed = segment.changed(rules=instruction.apply(segment.rules, world))
    if segments.reaches(changed, segment.key, world):
        raise ValueError(f"the segment would contain itself: {segment.key!r}")
    return changed


def _by_kind(*instructions: type[Instruction]) -> Mapping[str, type[Instruction]]:
    return MappingProxyType(
        {kind: i for i in instructions for kind in get_args(i.model_fields["kind"].annotation)}
    )


_ANY_RULES: Final = (
    rules.RemoveRule,
    rules.ReorderRules,
    rules.UpdateRuleDescription,
    rules.AddClauses,
    rules.RemoveClauses,
    rules.UpdateClause,
    rules.AddValuesToClause,
    rules.RemoveValuesFromClause,
)
FLAG_INSTRUCTIONS: Final = _by_kind(
    targeting.TurnFlagOn,
    targeting.TurnFlagOff,
    targeting.UpdateFallthrough,
    targeting.UpdateOffVariation,
    targeting.AddTargets,
    targeting.RemoveTargets,
    targeting.ReplaceTargets,
    targeting.ClearTargets,
    targeting.UpdateTrackEvents,
    targeting.UpdateTrackEventsFallthrough,
    rules.AddRule,
    rules.ReplaceRules,
    rules.UpdateRule,
    rules.UpdateRuleTrackEvents,
    *_ANY_RULES,
    prerequisites.AddPrerequisite,
    prerequisites.UpdatePrerequisite,
    prerequisites.RemovePrerequisite,
    prerequisites.ReplacePrerequisites,
    settings.AddVariation,
    settings.UpdateVariation,
    settings.RemoveVariation,
    settings.UpdateDefaultVariation,
    settings.UpdateName,
    settings.UpdateDescription,
    settings.AddTags,
    settings.RemoveTags,
    settings.MakeFlagTemporary,
    settings.MakeFlagPermanent,
    settings.TurnOnClientSideAvailability,
    settings.TurnOffClientSideAvailability,
    settings.ArchiveFlag,
    settings.RestoreFlag,
)
SEGMENT_INSTRUCTIONS: Final = _by_kind(
    segments.AddIncludedTargets,
    segments.AddExcludedTargets,
    segments.RemoveIncludedTargets,
    segments.RemoveExcludedTargets,
    segments.AddSegmentRule,
    segments.UpdateRuleRollout,
    *_ANY_RULES,
    segments.UpdateSegmentName,
    segments.UpdateSegmentDescription,
    segments.AddSegmentTags,
    segments.RemoveSegmentTags,
)
