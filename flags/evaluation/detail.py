"""The outcome of an evaluation."""

from dataclasses import dataclass
from typing import Literal, Required, TypedDict

from flags.model import Json


class Reason(TypedDict, total=False):
    """Why, in LaunchDarkly's JSON form."""

    kind: Required[
        Literal["OFF", "PREREQUISITE_FAILED", "TARGET_MATCH", "RULE_MATCH", "FALLTHROUGH", "ERROR"]
    ]
    ruleIndex: int
    ruleId: str
    inExperiment: bool
    """Present when true only."""
    prerequisiteKey: str
    errorKind: Literal["MALFORMED_FLAG", "EXCEPTION"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    value: Json
    """None where there is no variation: the caller's default holds."""
    variation_index: int | None
    reason: Reason
    prerequisites: tuple[str, ...] = ()
    """Keys of the flags that were looked at directly, in order; client-side SDKs want them."""
