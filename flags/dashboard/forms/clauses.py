"""Clauses of a rule as form fields. Their number is that of the fields `clause-N-op`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Self

from flags.dashboard.forms.fields import Form, text
from flags.dashboard.forms.values import parse_values, show_values
from flags.errors import Rejected
from flags.model import Clause

MAX_CLAUSES: Final = 100
OPERATORS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "Any value": {"in": "is one of", "!in": "is not one of"},
        "Text": {
            "startsWith": "starts with",
            "!startsWith": "does not start with",
            "endsWith": "ends with",
            "!endsWith": "does not end with",
            "contains": "contains",
            "!contains": "does not contain",
            "matches": "matches the pattern",
            "!matches": "does not match the pattern",
        },
        "Number": {
            "lessThan": "is less than",
            "lessThanOrEqual": "is at most",
            "greaterThan": "is more than",
            "greaterThanOrEqual": "is at least",
            "!lessThan": "is not less than",
            "!lessThanOrEqual": "is not at most",
            "!greaterThan": "is not more than",
            "!greaterThanOrEqual": "is not at least",
        },
        "Date": {
            "before": "is before",
            "!before": "is not before",
            "after": "is after",
            "!after": "is not after",
        },
        "Version": {
            "semVerEqual": "is version",
            "!semVerEqual": "is not version",
            "semVerLessThan": "is a version before",
            "!semVerLessThan": "is not a version before",
            "semVerGreaterThan": "is a version after",
            "!semVerGreaterThan": "is not a version after",
        },
        "Segment": {
            "segmentMatch": "is in the segment",
            "!segmentMatch": "is not in the segment",
        },
    }
)
"""Operators in words by what they compare; `!` negates."""
WORDS: Final[Mapping[str, str]] = {k: v for group in OPERATORS.values() for k, v in group.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseDraft:
    id: str = ""
    """Empty for a new clause."""
    context_kind: str = "user"
    attribute: str = ""
    op: str = "in"
    """With `!` in front where it is negated."""
    values: str = ""
    segments: tuple[str, ...] = ()
    """Instead of `attribute` and `values`, where `op` is `segmentMatch`."""

    @classmethod
    def of(cls, clause: Clause) -> Self:
        in_segment = clause.op == "segmentMatch"
        return cls(
            id=clause.id,
            context_kind=clause.context_kind,
            attribute=clause.attribute,
            op=f"{'!' if clause.negate else ''}{clause.op}",
            values="" if in_segment else show_values(clause.values, clause.op, clause.attribute),
            segments=tuple(str(v) for v in clause.values) if in_segment else (),
        )

    @property
    def is_segment(self) -> bool:
        return self.op.removeprefix("!") == "segmentMatch"

    def clause(self) -> dict[str, Any]:
        """As an instruction gives it. Raises `Rejected`."""
        op = self.op.removeprefix("!")
        shared = {"contextKind": self.context_kind, "op": op, "negate": self.op.startswith("!")}
        if self.is_segment:
            if not self.segments:
                raise Rejected("segments: choose one")
            return {**shared, "values": list(self.segments)}
        if self.op not in WORDS:
            raise Rejected(f"operator: {self.op[:40]!r} is not known")
        if not self.attribute:
            raise Rejected("attribute: expected its name, such as key or plan")
        values = parse_values(self.values, op, self.attribute)
        if not values:
            raise Rejected("values: expected at least one")
        return {**shared, "attribute": self.attribute, "values": values}


def read_clauses(form: Form) -> list[ClauseDraft]:
    """What was typed, after the button that adds or removes one."""
    removed = form.get("remove-clause")
    drafts = []
    for n in range(MAX_CLAUSES):
        op = form.get(f"clause-{n}-op")
        if op is None:
            break
        if str(n) != removed:
            drafts.append(
                ClauseDraft(
                    id=form.get(f"clause-{n}-id", ""),
                    context_kind=text(form, f"clause-{n}-kind") or "user",
                    attribute=text(form, f"clause-{n}-attribute"),
                    op=op,
                    values=form.get(f"clause-{n}-values", "").replace("\r\n", "\n"),
                    segments=tuple(form.getlist(f"clause-{n}-segments")),
                )
            )
    if "add-clause" in form or not drafts:
        drafts.append(ClauseDraft())
    return drafts


def numbered(drafts: Sequence[ClauseDraft]) -> list[dict[str, Any]]:
    """The clauses of a new rule. Raises `Rejected` that says which one is wrong."""
    return [_clause(n, draft) for n, draft in enumerate(drafts, 1)]


def _clause(number: int, draft: ClauseDraft) -> dict[str, Any]:
    try:
        return draft.clause()
    except Rejected as error:
        raise Rejected(f"condition {number}, {error}") from None


def clause_changes(
    rule_id: str, old: Sequence[Clause], drafts: Sequence[ClauseDraft]
) -> list[dict[str, Any]]:
    """Instructions from `old` to `drafts`. A rule always has a clause: new ones come first.

    Raises `Rejected`.
    """
    wanted = {d.id: clause for d, clause in zip(drafts, numbered(drafts), strict=True) if d.id}
    new = [clause for d, clause in zip(drafts, numbered(drafts), strict=True) if not d.id]
    shown = {clause.id: ClauseDraft.of(clause).clause() for clause in old if clause.id in wanted}
    changes: list[dict[str, Any]] = [
        {"kind": "updateClause", "ruleId": rule_id, "clauseId": clause_id, "clause": clause}
        for clause_id, clause in wanted.items()
        if shown.get(clause_id) != clause
    ]
    if new:
        changes.append({"kind": "addClauses", "ruleId": rule_id, "clauses": new})
    gone = [clause.id for clause in old if clause.id not in wanted]
    if gone:
        changes.append({"kind": "removeClauses", "ruleId": rule_id, "clauseIds": gone})
    return changes
