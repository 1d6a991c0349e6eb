"""Undoing one change without undoing those that came after it."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flag_builders import (
    FALLTHROUGH,
    OFF,
    ON,
    PRODUCTION,
    a_choice,
    a_segment,
    a_staged,
    patched,
    patched_segment,
    within,
)
from flags.changes.revert import reverted_flag, reverted_segment
from flags.model import Flag
from instruction_strategies import ENVIRONMENTS, History, Instruction, patient, steps

CHOICE = a_choice()
SERVE = {"kind": FALLTHROUGH}
NAME = {"kind": "updateName", "value": "N"}


def target(value: str, *keys: str) -> Mapping[str, Any]:
    return {"kind": "addTargets", "variationId": f"v-{value}", "values": keys}


def content(flag: Flag) -> list[str]:
    """As JSON, with untouched environments as touched ones, without versions."""
    names = {"environments", "version", "first_version"}
    configs = (flag.config(e).model_dump_json(exclude={"version"}) for e in ENVIRONMENTS)
    return [flag.model_dump_json(exclude=names), *configs]


@pytest.mark.parametrize(
    ("undone", "later", "expected"),
    [
        pytest.param(ON, [NAME], {"on": False}, id="switch"),
        pytest.param(ON, [target("b", "u")], {"on": False}, id="another-field"),
        pytest.param(ON, [OFF], {"on": False}, id="undone-already"),
        pytest.param(ON, [OFF, ON], {"on": False}, id="done-again"),
        pytest.param(
            target("b", "u"), [ON, {**SERVE, "variationId": "v-c"}], {"targets": ()}, id="targets"
        ),
    ],
)
def test_an_older_change(
    undone: Mapping[str, Any], later: list[Mapping[str, Any]], expected: dict[str, Any]
) -> None:
    after = patched(CHOICE, undone)
    now = patched(after, *later)
    flag = reverted_flag(now, before=CHOICE, after=after)
    assert flag == within(now, **expected)


def test_environments_are_apart() -> None:
    after = patched(CHOICE, ON)
    now = patched(after, ON, environment="staging")
    flag = reverted_flag(now, before=CHOICE, after=after)
    assert [flag.config(e).on for e in (PRODUCTION, "staging")] == [False, True]


def test_versions_stay() -> None:
    after = within(patched(CHOICE, ON), version=2).changed(version=2)
    now = within(patched(after, NAME), version=3, modified=50).changed(version=3)
    flag = reverted_flag(now, before=CHOICE, after=after)
    assert (flag.version, flag.config(PRODUCTION).version) == (3, 3)
    assert flag.config(PRODUCTION).modified == 50


def test_true_instead_of_1() -> None:
    before = a_choice([0, 1])
    update = {"kind": "updateVariation", "variationId": "v-1", "value": True}
    after = patched(before, update)
    assert reverted_flag(after, before=before, after=after).variations[1].value is not True


@pytest.mark.parametrize(
    ("undone", "later", "place"),
    [
        pytest.param(NAME, {**NAME, "value": "M"}, "name", id="shared"),
        pytest.param(
            target("b", "u"), target("c", "v"), "environments.production.targets", id="targets"
        ),
        pytest.param(
            {**SERVE, "variationId": "v-b"},
            {**SERVE, "variationId": "v-c"},
            "environments.production.fallthrough",
            id="fallthrough",
        ),
    ],
)
def test_what_was_changed_again(
    undone: Mapping[str, Any], later: Mapping[str, Any], place: str
) -> None:
    after = patched(CHOICE, undone)
    with pytest.raises(ValueError, match="cannot be undone") as caught:
        reverted_flag(patched(after, later), before=CHOICE, after=after)
    assert str(caught.value) == f"{place} was changed again since: cannot be undone"


class TestVariations:
    """They are what they are by id; their indexes move."""

    def test_that_moved_since(self) -> None:
        before = patched(CHOICE, {**SERVE, "variationId": "v-c"})
        after = patched(before, {**SERVE, "variationId": "v-d"})
        other = {"kind": "updateDefaultVariation", "onVariationValue": "d"}
        spare = {"kind": "removeVariation", "variationId": "v-b"}
        now = patched(after, other, spare)
        flag = reverted_flag(now, before=before, after=after)
        served = flag.config(PRODUCTION).fallthrough.variation
        assert served is not None
        assert flag.variations[served].value == "c"
        assert [v.value for v in flag.variations] == ["a", "c", "d"]
        assert flag.variations[flag.defaults.on_variation].value == "d"

    def test_that_is_gone(self) -> None:
        before = patched(CHOICE, {**SERVE, "variationId": "v-b"})
        after = patched(before, {**SERVE, "variationId": "v-a"})
        now = patched(after, {"kind": "removeVariation", "variationId": "v-b"})
        with pytest.raises(ValueError, match=r"^variation 'v-b' is needed, but gone: cannot be un"):
            reverted_flag(now, before=before, after=after)

    def test_a_removal(self) -> None:
        before = patched(CHOICE, {**SERVE, "variationId": "v-d"})
        after = patched(before, {"kind": "removeVariation", "variationId": "v-b"})
        now = patched(after, {**SERVE, "variationId": "v-c"}, target("d", "u"))
        flag = reverted_flag(now, before=before, after=after)
        assert [v.value for v in flag.variations] == ["a", "b", "c", "d"]
        config = flag.config(PRODUCTION)
        assert (config.fallthrough.variation, config.targets[0].variation) == (2, 3)

    def test_an_addition(self) -> None:
        after = patched(CHOICE, {"kind": "addVariation", "value": "e"})
        assert reverted_flag(after, before=CHOICE, after=after).variations == CHOICE.variations
        used = patched(after, {**SERVE, "variationId": after.variations[-1].id})
        with pytest.raises(ValueError, match="is needed, but gone"):
            reverted_flag(used, before=CHOICE, after=after)


@patient
@given(steps)
def test_the_last_change(steps: list[tuple[str, Instruction]]) -> None:
    """Undone, everything is as it was before it."""
    flags = History(CHOICE).apply_all(steps).flags
    for before, after in itertools.pairwise(flags):
        assert content(reverted_flag(after, before=before, after=after)) == content(before)


@patient
@given(steps, st.data())
def test_any_change_and_others_after_it(
    steps: list[tuple[str, Instruction]], data: st.DataObject
) -> None:
    """It is undone, refused, or there is nothing to undo; what it did not touch stays."""
    flags = History(CHOICE).apply_all(steps).flags
    if len(flags) < 2:
        return
    at = data.draw(st.integers(0, len(flags) - 2))
    before, after, now = flags[at], flags[at + 1], flags[-1]
    try:
        flag = reverted_flag(now, before=before, after=after)
    except ValueError as error:
        assert "cannot be undone" in str(error)  # noqa: PT017 - one of two outcomes
        return
    if [v.id for v in before.variations] == [v.id for v in after.variations]:
        assert [v.id for v in flag.variations] == [v.id for v in now.variations]
    for name in ("name", "description", "tags", "temporary", "archived", "using_mobile_key"):
        if getattr(before, name) == getattr(after, name):
            assert getattr(flag, name) == getattr(now, name)
        else:
            assert getattr(flag, name) == getattr(before, name)
    for environment in ENVIRONMENTS:
        old, new = before.config(environment), after.config(environment)
        config, current = flag.config(environment), now.config(environment)
        assert (config.version, config.salt) == (current.version, current.salt)
        for name in ("on", "prerequisites", "track_events"):
            same = getattr(old, name) == getattr(new, name)
            assert getattr(config, name) == getattr(current if same else old, name)


def test_of_a_migration_flag() -> None:
    staged = a_staged()
    after = patched(staged, {**SERVE, "variationId": "v-live"})
    assert content(reverted_flag(after, before=staged, after=after)) == content(staged)


class TestSegments:
    INCLUDE: Mapping[str, Any] = {"kind": "addIncludedTargets", "values": ["u"]}

    def test_an_older_change(self) -> None:
        before = a_segment()
        after = patched_segment(before, self.INCLUDE)
        now = patched_segment(after, {"kind": "updateName", "value": "N"}).changed(version=7)
        segment = reverted_segment(now, before=before, after=after)
        assert segment == before.changed(name="N", version=7)

    def test_what_was_changed_again(self) -> None:
        before = a_segment()
        after = patched_segment(before, self.INCLUDE)
        now = patched_segment(after, {**self.INCLUDE, "values": ["v"]})
        with pytest.raises(ValueError, match=r"^included was changed again since: "):
            reverted_segment(now, before=before, after=after)
