"""What the flag server keeps: projects, environments, flags and segments. Pure, frozen data."""

from flags.model.audit import Actor, Entry, Kind
from flags.model.base import FULL_WEIGHT, ContextKind, Json, Key, Model, Op, Tags, Text
from flags.model.environment import Environment, Project, new_environment
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
from flags.model.measures import Counter, Measure, Sum, custom_name, parse_custom_name
from flags.model.scheduled import Scheduled
from flags.model.segment import Segment, SegmentRule, SegmentTarget
from flags.model.serve import Clause, Rollout, Serve, WeightedVariation
from flags.model.snapshot import Snapshot
from flags.model.token import Token

__all__ = [
    "FULL_WEIGHT",
    "STAGES_BY_COUNT",
    "Actor",
    "Clause",
    "Config",
    "ContextKind",
    "Counter",
    "Defaults",
    "Entry",
    "Environment",
    "Flag",
    "Json",
    "Key",
    "Kind",
    "Measure",
    "Model",
    "Op",
    "Prerequisite",
    "Project",
    "Rollout",
    "Rule",
    "Scheduled",
    "Segment",
    "SegmentRule",
    "SegmentTarget",
    "Serve",
    "Snapshot",
    "Sum",
    "Tags",
    "Target",
    "Text",
    "Token",
    "Variation",
    "WeightedVariation",
    "custom_name",
    "new_environment",
    "parse_custom_name",
]
