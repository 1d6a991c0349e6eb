"""Dashboard forms become semantic patch instructions. Pure."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from flags.errors import Rejected
from flags.model import FULL_WEIGHT, Flag

_PERCENT: Final = re.compile(r"\d{1,3}(\.\d{0,3}0*)?|\.\d{1,3}0*", re.ASCII)


def percentages(flag: Flag) -> list[Decimal]:
    """Share of each variation in the fallthrough, in percent."""
    weights = [0] * len(flag.variations)
    if flag.fallthrough.rollout is None:
        weights[flag.fallthrough.variation or 0] = FULL_WEIGHT
    else:
        for weighted in flag.fallthrough.rollout.variations:
            weights[weighted.variation] += weighted.weight
    return [(Decimal(w) / 1000).normalize() + 0 for w in weights]


def fallthrough_instruction(flag: Flag, form: Mapping[str, str]) -> dict[str, Any]:
    """From one field `share-N` in percent for each variation. Raises `Rejected`."""
    weights: dict[str, int] = {}
    for index, variation in enumerate(flag.variations):
        text = form.get(f"share-{index}", "0").strip() or "0"
        weight = int(Decimal(text) * 1000) if _PERCENT.fullmatch(text) else -1
        if not 0 <= weight <= FULL_WEIGHT:
            raise Rejected(
                f"{variation.value}: expected 0 to 100 with up to 3 decimals, found {text[:20]!r}"
            )
        if weight:
            weights[variation.id] = weight
    total = sum(weights.values())
    if total != FULL_WEIGHT:
        raise Rejected(f"the percentages sum to {Decimal(total) / 1000}, expected 100")
    kind = "updateFallthroughVariationOrRollout"
    if len(weights) == 1:
        return {"kind": kind, "variationId": next(iter(weights))}
    return {"kind": kind, "rolloutWeights": weights, "rolloutContextKind": _context_kind(flag)}


def target_instruction(flag: Flag, form: Mapping[str, str]) -> dict[str, Any]:
    """Add or remove one individual target, `context_kind` and `value`."""
    value = form.get("value", "").strip()
    if not value:
        raise Rejected("key: expected the key of a context")
    return {
        "kind": "removeTargets" if form.get("remove") else "addTargets",
        "contextKind": form.get("context_kind", "").strip() or _context_kind(flag),
        "variationId": form.get("variation", ""),
        "values": [value],
    }


def _context_kind(flag: Flag) -> str:
    if flag.fallthrough.rollout is not None:
        return flag.fallthrough.rollout.context_kind
    return flag.migration_context_kind or "user"
