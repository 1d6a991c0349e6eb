"""What the flag server keeps: projects, environments, flags and segments. Pure, frozen data."""

from flags.model.base import FULL_WEIGHT, ContextKind, Json, Key, Model, Op, Tags, Text
from flags.model.environment import Environment, Project
from flags.model.flag import (
    STAGES_BY_COUNT,
    Config,
    Defaults,
    Flag,
    Prerequisite,
    Rule,
    Target,
    Variation,
)
from flags.model.segment import Segment, SegmentRule, SegmentTarget
from flags.model.serve import Clause, Rollout, Serve, WeightedVariation
from flags.model.snapshot import Snapshot

__all__ = [
    "FULL_WEIGHT",
    "STAGES_BY_COUNT",
    "Clause",
    "Config",
    "ContextKind",
    "Defaults",
    "Environment",
    "Flag",
    "Json",
    "Key",
    "Model",
    "Op",
    "Prerequisite",
    "Project",
    "Rollout",
    "Rule",
    "Segment",
    "SegmentRule",
    "SegmentTarget",
    "Serve",
    "Snapshot",
    "Tags",
    "Target",
    "Text",
    "Variation",
    "WeightedVariation",
]
