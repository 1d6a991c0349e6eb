"""The switch, targets, rules' order, prerequisites, settings, members, and fields they share."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from flags.dashboard.forms import fields, settings, targeting
from flags.dashboard.forms.members import members
from flags.dashboard.forms.newflag import new_flag
from flags.errors import Rejected
from flags.model import Clause, Flag, Rule, Serve

TARGET = {"contextKind": "user", "variationId": "v-live", "values": ["alice"]}


@pytest.mark.parametrize(
    ("form", "change"),
    [
        pytest.param({"values": " alice "}, {"kind": "addTargets", **TARGET}, id="add"),
        pytest.param({"chip": "alice"}, {"kind": "removeTargets", **TARGET}, id="chip"),
        pytest.param(
            {"values": "alice", "remove": "1"}, {"kind": "removeTargets", **TARGET}, id="remove"
        ),
        pytest.param(
            {"values": "b\r\na,b", "context_kind": "org"},
            {"kind": "addTargets", **TARGET, "contextKind": "org", "values": ["b", "a"]},
            id="several",
        ),
    ],
)
def test_targets(staged: Flag, form: dict[str, str], change: dict[str, Any]) -> None:
    assert targeting.targets(MultiDict({"variation": "v-live", **form}), staged) == [change]


def test_targets_without_key(staged: Flag) -> None:
    with pytest.raises(Rejected, match=r"^keys: expected the key of a context"):
        targeting.targets(MultiDict({"values": " , \n"}), staged)


@pytest.mark.parametrize(
    ("form", "order"),
    [({"up": "b"}, "bac"), ({"down": "b"}, "acb"), ({"up": "a"}, "abc"), ({"down": "c"}, "abc")],
)
def test_order_of_rules(staged: Flag, form: dict[str, str], order: str) -> None:
    clause = Clause(id="c", attribute="key", op="in", values=("x",))
    rules = tuple(Rule(id=i, clauses=(clause,), serve=Serve(variation=0)) for i in "abc")
    config = staged.config("production").changed(rules=rules)
    change = {"kind": "reorderRules", "ruleIds": list(order)}
    assert targeting.rule_action(MultiDict(form), config) == [change]


@pytest.mark.parametrize("form", [{}, {"up": "gone"}])
def test_a_rule_that_is_gone(staged: Flag, form: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="no such rule"):
        targeting.rule_action(MultiDict(form), staged.config("production"))


@pytest.mark.parametrize(
    ("form", "change"),
    [
        pytest.param(
            {"needs": "search/v1"},
            {"kind": "addPrerequisite", "key": "search", "variationId": "v1"},
            id="add",
        ),
        pytest.param(
            {"remove": "search"}, {"kind": "removePrerequisite", "key": "search"}, id="remove"
        ),
    ],
)
def test_prerequisites(form: dict[str, str], change: dict[str, Any]) -> None:
    assert targeting.prerequisites(MultiDict(form)) == [change]


@pytest.mark.parametrize("needs", ["", "search", "/v1"])
def test_no_prerequisite(needs: str) -> None:
    with pytest.raises(Rejected, match="choose a flag"):
        targeting.prerequisites(MultiDict({"needs": needs}))


@pytest.mark.parametrize("to", ["", "On", "toggle"])
def test_no_switch(to: str) -> None:
    with pytest.raises(Rejected, match="expected on or off"):
        targeting.switch(MultiDict({"to": to}))


@pytest.mark.parametrize(
    ("typed", "ms"),
    [
        ("1970-01-01T00:01", 60_000),
        ("1970-01-01T00:01:00.5", 60_500),
        ("1970-01-01T01:01+01:00", 60_000),
    ],
)
def test_moment(typed: str, ms: int) -> None:
    assert fields.moment(typed) == ms


@pytest.mark.parametrize("typed", ["", "tomorrow", "99:99"])
def test_no_moment(typed: str) -> None:
    with pytest.raises(Rejected, match="expected a date and a time"):
        fields.moment(typed)


@given(st.lists(st.text(st.characters(blacklist_characters=",\n\r"), min_size=1)))
def test_keys_each_once_in_order(typed: list[str]) -> None:
    wanted = list(dict.fromkeys(k.strip() for k in typed if k.strip()))
    assert fields.keys("\n".join(typed)) == wanted


def test_a_reason_has_a_limit() -> None:
    assert fields.comment(MultiDict({"comment": " why\r\nnot "})) == "why\nnot"
    with pytest.raises(Rejected, match="reason: 2001 characters"):
        fields.comment(MultiDict({"comment": "x" * 2001}))


@pytest.mark.parametrize(
    ("form", "kinds"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param(
            {"name": "P", "description": "d"}, ["updateName", "updateDescription"], id="words"
        ),
        pytest.param({"tags": "a, b"}, ["addTags"], id="tags"),
        pytest.param({"browser": "1"}, ["turnOnClientSideAvailability"], id="browser"),
    ],
)
def test_settings(staged: Flag, form: dict[str, str], kinds: list[str]) -> None:
    same = {"name": "Publishing", "temporary": "1"}
    changes = settings.flag_settings(MultiDict({**same, **form}), staged)
    assert [change["kind"] for change in changes] == kinds


def test_tags_that_are_gone_are_removed(staged: Flag) -> None:
    flag = staged.changed(tags=("a", "b"))
    changes = settings.names(MultiDict({"name": flag.name, "tags": "b c"}), flag)
    assert [(c["kind"], c["values"]) for c in changes] == [
        ("addTags", ["c"]),
        ("removeTags", ["a"]),
    ]


@pytest.mark.parametrize(
    ("typed", "value"),
    [("7", 7), ('"7"', "7"), ("red", "red"), ('{"a": 1}', {"a": 1}), ("{", "{")],
)
def test_values_of_variations(typed: str, value: Any) -> None:
    assert settings.json_value(typed) == value


@pytest.mark.parametrize(
    ("form", "kind", "values"),
    [
        pytest.param({"kind": "boolean"}, "boolean", [True, False], id="boolean"),
        pytest.param(
            {"kind": "migration", "stages": "2"}, "migration", ["off", "complete"], id="migration"
        ),
        pytest.param(
            {"kind": "multivariate", "values": "red\r\n\r\n7"}, "multivariate", ["red", 7], id="any"
        ),
    ],
)
def test_a_new_flag(form: dict[str, str], kind: str, values: list[Any]) -> None:
    made = new_flag(MultiDict({"key": "k", **form}), new_id=lambda: "id", now_ms=1)
    assert (made.kind, [v.value for v in made.variations]) == (kind, values)
    assert made.config("production").on is False


@pytest.mark.parametrize(
    ("form", "message"),
    [
        pytest.param({"kind": "x"}, "kind: expected", id="kind"),
        pytest.param({"kind": "migration", "stages": "3"}, "stages: expected", id="stages"),
        pytest.param({"kind": "multivariate", "values": "a"}, "values: expected two", id="one"),
        pytest.param({"kind": "multivariate", "values": "a\na"}, "values: there are", id="same"),
        pytest.param({"kind": "boolean", "key": "a b"}, "key: String should match", id="key"),
        pytest.param({"kind": "boolean", "tags": "ä"}, "tags.0: String should match", id="tag"),
    ],
)
def test_no_flag(form: dict[str, str], message: str) -> None:
    with pytest.raises(Rejected) as caught:
        new_flag(MultiDict({"key": "k", **form}), new_id=lambda: "id", now_ms=1)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ({"list": "Included", "values": "a"}, "addIncludedTargets"),
        ({"list": "Excluded", "values": "a", "remove": "1"}, "removeExcludedTargets"),
        ({"list": "Included", "chip": "a"}, "removeIncludedTargets"),
    ],
)
def test_members(form: dict[str, str], kind: str) -> None:
    assert members(MultiDict(form)) == [{"kind": kind, "contextKind": "user", "values": ["a"]}]
