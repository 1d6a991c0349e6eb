"""What a rule serves: one variation, or a percentage of each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Self

from flags.dashboard.forms.fields import Form, text
from flags.errors import Rejected
from flags.model import FULL_WEIGHT, Flag, Serve

PERCENTAGES: Final = "percentages"
"""Instead of a variation's id: the shares hold."""
_PERCENT: Final = re.compile(r"\d{1,3}(\.\d{0,3}0*)?|\.\d{1,3}0*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeDraft:
    choice: str
    """A variation's id, or `PERCENTAGES`."""
    shares: tuple[str, ...]
    """In percent, one for each variation."""
    context_kind: str
    bucket_by: str
    """An attribute; empty is the key."""

    @classmethod
    def of(cls, serve: Serve, flag: Flag) -> Self:
        rollout = serve.rollout
        return cls(
            choice=PERCENTAGES if rollout else flag.variations[serve.variation or 0].id,
            shares=tuple(f"{share:f}" for share in shares(serve, len(flag.variations))),
            context_kind=rollout.context_kind if rollout else context_kind(flag),
            bucket_by=(rollout.bucket_by or "") if rollout else "",
        )

    @classmethod
    def read(cls, form: Form, flag: Flag) -> Self:
        return cls(
            choice=form.get("serve", PERCENTAGES),
            shares=tuple(text(form, f"share-{i}") for i in range(len(flag.variations))),
            context_kind=text(form, "context_kind") or context_kind(flag),
            bucket_by=text(form, "bucket_by"),
        )

    def fields(self, flag: Flag) -> dict[str, Any]:
        """Of an instruction. Raises `Rejected`."""
        if self.choice != PERCENTAGES:
            return {"variationId": self.choice}
        weights = self._weights(flag)
        if len(weights) == 1:
            return {"variationId": next(iter(weights))}
        fields: dict[str, Any] = {
            "rolloutWeights": weights,
            "rolloutContextKind": self.context_kind,
        }
        return {**fields, "rolloutBucketBy": self.bucket_by} if self.bucket_by else fields

    def _weights(self, flag: Flag) -> dict[str, int]:
        weights: dict[str, int] = {}
        for variation, typed in zip(flag.variations, self.shares, strict=False):
            share = typed or "0"
            weight = int(Decimal(share) * 1000) if _PERCENT.fullmatch(share) else -1
            if not 0 <= weight <= FULL_WEIGHT:
                raise Rejected(
                    f"{variation.value}: expected 0 to 100 with up to 3 decimals, "
                    f"found {share[:20]!r}"
                )
            if weight:
                weights[variation.id] = weight
        total = sum(weights.values())
        if total != FULL_WEIGHT:
            raise Rejected(f"the percentages sum to {percent(total)}, expected 100")
        return weights


def shares(serve: Serve, variations: int) -> list[Decimal]:
    """Share of each variation, in percent."""
    weights = [0] * variations
    if serve.rollout is None:
        weights[serve.variation or 0] = FULL_WEIGHT
    else:
        for weighted in serve.rollout.variations:
            weights[weighted.variation] += weighted.weight
    return [percent(weight) for weight in weights]


def percent(weight: int) -> Decimal:
    """Of thousandths of a percent, without trailing zeros or exponents."""
    return Decimal(f"{(Decimal(weight) / 1000).normalize():f}")


def fallthrough(draft: ServeDraft, flag: Flag) -> dict[str, Any]:
    """The instruction that makes `draft` the default. Raises `Rejected`."""
    return {"kind": "updateFallthroughVariationOrRollout", **draft.fields(flag)}


def context_kind(flag: Flag) -> str:
    """The kind of context whose shares the flag most likely means."""
    return flag.migration_context_kind or "user"


def balanced(weights: Sequence[int], at: int, wanted: int) -> list[int]:
    """`weights` with `wanted` at `at` and the others scaled so that the sum stays.

    What `static/sliders.js` does, kept here to test it against. Others that are all 0 give to, or
    take from, the one before.
    """
    total = sum(weights)
    wanted = min(max(wanted, 0), total)
    others = [i for i in range(len(weights)) if i != at]
    if not others:
        return [total]
    rest, old = total - wanted, sum(weights[i] for i in others)
    result = [wanted if i == at else 0 for i in range(len(weights))]
    if old == 0:
        result[at - 1 if at else 1] = rest
        return result
    for i in others:
        result[i] = weights[i] * rest // old
    left = rest - sum(result[i] for i in others)
    for i in sorted(others, key=lambda i: (-(weights[i] * rest % old), i))[:left]:
        result[i] += 1
    return result
