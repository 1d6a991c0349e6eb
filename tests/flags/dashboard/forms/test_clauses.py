"""Clauses as form fields, and what their changes are."""

from typing import Any, get_args

import pytest
from werkzeug.datastructures import MultiDict

from flags.dashboard.forms.clauses import WORDS, ClauseDraft, clause_changes, read_clauses
from flags.errors import Rejected
from flags.model import Clause, Op

PLAN = Clause(id="c1", attribute="plan", op="in", values=("trial", 7))
STAFF = Clause(id="c2", attribute="", op="segmentMatch", values=("staff",), negate=True)


def form(*clauses: dict[str, Any], **others: str) -> MultiDict[str, str]:
    fields: MultiDict[str, str] = MultiDict(others)
    for n, clause in enumerate(clauses):
        for name, value in clause.items():
            for one in value if isinstance(value, list) else [value]:
                fields.add(f"clause-{n}-{name}", one)
    return fields


NEW = {"id": "", "kind": "user", "attribute": "age", "op": "lessThan", "values": "18"}


def test_every_operator_has_words_and_its_opposite() -> None:
    assert set(WORDS) == {f"{no}{op}" for op in get_args(Op) for no in ("", "!")}


@pytest.mark.parametrize("clause", [PLAN, STAFF], ids=["plain", "segment"])
def test_what_is_shown_is_what_it_was(clause: Clause) -> None:
    made = ClauseDraft.of(clause).clause()
    assert made.get("attribute", "") == clause.attribute
    assert (made["op"], made["negate"]) == (clause.op, clause.negate)
    assert made["values"] == list(clause.values)


def test_read() -> None:
    drafts = read_clauses(form(NEW, {"id": "c2", "op": "!segmentMatch", "segments": ["a", "b"]}))
    assert drafts == [
        ClauseDraft(attribute="age", op="lessThan", values="18"),
        ClauseDraft(id="c2", op="!segmentMatch", segments=("a", "b")),
    ]


@pytest.mark.parametrize(
    ("fields", "attributes"),
    [
        pytest.param(form(), [""], id="empty-form-has-one"),
        pytest.param(form(NEW, **{"add-clause": "1"}), ["age", ""], id="add"),
        pytest.param(
            form(NEW, {**NEW, "attribute": "b"}, **{"remove-clause": "0"}), ["b"], id="remove"
        ),
    ],
)
def test_buttons(fields: MultiDict[str, str], attributes: list[str]) -> None:
    assert [draft.attribute for draft in read_clauses(fields)] == attributes


@pytest.mark.parametrize(
    ("draft", "message"),
    [
        pytest.param(ClauseDraft(values="x"), "attribute: expected its name", id="attribute"),
        pytest.param(ClauseDraft(attribute="a"), "values: expected at least one", id="values"),
        pytest.param(ClauseDraft(op="segmentMatch"), "segments: choose one", id="segment"),
        pytest.param(
            ClauseDraft(attribute="a", op="like", values="x"), "operator: 'like'", id="operator"
        ),
    ],
)
def test_refused(draft: ClauseDraft, message: str) -> None:
    with pytest.raises(Rejected, match=f"^condition 1, {message}"):
        clause_changes("r", [], [draft])


SHOWN = [ClauseDraft.of(PLAN), ClauseDraft.of(STAFF)]
AGE = ClauseDraft(attribute="age", op="lessThan", values="18")


@pytest.mark.parametrize(
    ("drafts", "kinds"),
    [
        pytest.param(SHOWN, [], id="nothing"),
        pytest.param([*SHOWN, AGE], ["addClauses"], id="added"),
        pytest.param(SHOWN[:1], ["removeClauses"], id="removed"),
        pytest.param([AGE], ["addClauses", "removeClauses"], id="never-empty-between"),
        pytest.param(
            [ClauseDraft(id="c1", attribute="plan", values="team"), SHOWN[1]],
            ["updateClause"],
            id="changed",
        ),
    ],
)
def test_changes(drafts: list[ClauseDraft], kinds: list[str]) -> None:
    assert [change["kind"] for change in clause_changes("r", [PLAN, STAFF], drafts)] == kinds
