"""The rule of a flag, or of a segment, as a form."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Self

from flags.dashboard.forms.clauses import ClauseDraft, clause_changes, numbered, read_clauses
from flags.dashboard.forms.fields import Form, text
from flags.dashboard.forms.serving import ServeDraft, percent
from flags.errors import Rejected
from flags.model import FULL_WEIGHT, Flag, Rule, Segment, SegmentRule, Serve


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDraft:
    description: str
    clauses: tuple[ClauseDraft, ...]
    serve: ServeDraft

    @classmethod
    def new(cls, flag: Flag) -> Self:
        serve = ServeDraft.of(Serve(variation=flag.defaults.on_variation), flag)
        return cls(description="", clauses=(ClauseDraft(),), serve=serve)

    @classmethod
    def of(cls, rule: Rule, flag: Flag) -> Self:
        return cls(
            description=rule.description,
            clauses=tuple(map(ClauseDraft.of, rule.clauses)),
            serve=ServeDraft.of(rule.serve, flag),
        )

    @classmethod
    def read(cls, form: Form, flag: Flag) -> Self:
        return cls(
            description=text(form, "description"),
            clauses=tuple(read_clauses(form)),
            serve=ServeDraft.read(form, flag),
        )

    def added(self, flag: Flag) -> list[dict[str, Any]]:
        """Instructions for a new rule, after the others. Raises `Rejected`."""
        return [
            {
                "kind": "addRule",
                "description": self.description,
                "clauses": numbered(self.clauses),
                **self.serve.fields(flag),
            }
        ]

    def changes(self, rule: Rule, flag: Flag) -> list[dict[str, Any]]:
        """Instructions that make `rule` what was typed. Raises `Rejected`."""
        changes = clause_changes(rule.id, rule.clauses, self.clauses)
        if self.description != rule.description:
            changes.append(_described(rule.id, self.description))
        fields = self.serve.fields(flag)
        if fields != ServeDraft.of(rule.serve, flag).fields(flag):
            kind = "updateRuleVariationOrRollout"
            changes.append({"kind": kind, "ruleId": rule.id, **fields})
        return changes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRuleDraft:
    description: str = ""
    clauses: tuple[ClauseDraft, ...] = (ClauseDraft(),)
    share: str = "100"
    """In percent; 100 is everyone."""
    context_kind: str = "user"
    bucket_by: str = ""

    @classmethod
    def of(cls, rule: SegmentRule) -> Self:
        return cls(
            description=rule.description,
            clauses=tuple(map(ClauseDraft.of, rule.clauses)),
            share=f"{percent(FULL_WEIGHT if rule.weight is None else rule.weight):f}",
            context_kind=rule.rollout_context_kind,
            bucket_by=rule.bucket_by or "",
        )

    @classmethod
    def read(cls, form: Form) -> Self:
        return cls(
            description=text(form, "description"),
            clauses=tuple(read_clauses(form)),
            share=text(form, "share"),
            context_kind=text(form, "context_kind") or "user",
            bucket_by=text(form, "bucket_by"),
        )

    def added(self, _: Segment) -> list[dict[str, Any]]:
        """Raises `Rejected`."""
        rule = {"description": self.description, "clauses": numbered(self.clauses)}
        return [{"kind": "addRule", **rule, **self._rollout("rolloutContextKind")}]

    def changes(self, rule: SegmentRule) -> list[dict[str, Any]]:
        """Raises `Rejected`."""
        changes = clause_changes(rule.id, rule.clauses, self.clauses)
        if self.description != rule.description:
            changes.append(_described(rule.id, self.description))
        if self._rollout("contextKind") != SegmentRuleDraft.of(rule)._rollout("contextKind"):
            kind = "updateRuleRolloutAndContextKind"
            changes.append({"kind": kind, "ruleId": rule.id, **self._rollout("contextKind")})
        return changes

    def _rollout(self, kind_field: str) -> dict[str, Any]:
        weight = _weight(self.share)
        if weight == FULL_WEIGHT:
            return {}
        fields: dict[str, Any] = {"weight": weight, kind_field: self.context_kind}
        return {**fields, "bucketBy": self.bucket_by} if self.bucket_by else fields


_EXACT: Final = Decimal("0.001")


def _weight(share: str) -> int:
    try:
        found = Decimal(share or "100")
        if not 0 <= found <= 100 or found != found.quantize(_EXACT):
            raise ValueError
    except (ArithmeticError, ValueError):
        raise Rejected(
            f"share: expected 0 to 100 with up to 3 decimals, found {share[:20]!r}"
        ) from None
    return int(found * 1000)


def _described(rule_id: str, description: str) -> dict[str, Any]:
    return {"kind": "updateRuleDescription", "ruleId": rule_id, "description": description}
