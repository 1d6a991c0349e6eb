"""A bundle becomes what the database says: all of it or nothing, and nothing besides."""

from collections.abc import Callable
from typing import Any

import pytest

from flag_builders import (
    ALICE,
    CMS,
    PRODUCTION,
    a_boolean,
    a_choice,
    a_config,
    a_segment,
    a_staged,
    an_environment,
    segment_rule,
    within,
)
from flags.errors import NotFound, Rejected
from flags.exchange.bundle import Bundle, bundle
from flags.model import Flag, Segment
from flags.store import Change, Store


def of(*items: Flag | Segment, environment: str = PRODUCTION) -> Bundle:
    flags = [i for i in items if isinstance(i, Flag)]
    return bundle("cms", environment, flags, [i for i in items if isinstance(i, Segment)])


def state(store: Store) -> Any:
    """Everything that an import may change."""
    segments = store.segments.all("cms", PRODUCTION)
    return store.flags.all("cms"), segments, store.audit(limit=100)


def needing(key: str, *, variation: int = 0) -> Flag:
    return within(a_staged(), prerequisites=[{"key": key, "variation": variation}])


def test_items_may_need_one_another_in_any_order(store: Store) -> None:
    inner, outer = a_segment("inner"), a_segment("outer", rules=[segment_rule("inner")])
    rule = {**segment_rule("outer"), "serve": {"variation": 3}}
    flag = within(needing("articles-service"), on=True, rules=[rule])
    done = store.importing.run(of(flag, a_boolean(), outer, inner), ALICE)
    assert done.created == ("segment outer", "segment inner", "publishing", "articles-service")
    made = store.flags.get("cms", "publishing")
    assert made.config(PRODUCTION).prerequisites[0].key == "articles-service"
    assert not made.config("staging").on


def test_what_is_not_named_stays(store: Store) -> None:
    store.flags.create("cms", a_boolean("other"), ALICE)
    store.flags.create("cms", a_staged(), ALICE)
    on = [{"kind": "turnFlagOn"}]
    store.flags.patch("cms", "publishing", on, ALICE, environment="staging")
    done = store.importing.run(of(within(a_staged(name="New"), on=True)), ALICE, comment="why")
    assert (done.created, done.changed, done.unchanged) == ((), ("publishing",), ())
    flag = store.flags.get("cms", "publishing")
    assert (flag.name, flag.config("staging").on, flag.config(PRODUCTION).on) == (
        "New", True, True,
    )  # fmt: skip
    assert store.flags.get("cms", "other").version == 1
    entry = store.audit(limit=1)[0]
    assert (entry.title, entry.comment, entry.environment) == (
        "imported publishing", "why", PRODUCTION,
    )  # fmt: skip


def test_a_second_time_nothing_changes(store: Store) -> None:
    given = of(within(a_staged(), on=True), a_segment())
    store.importing.run(given, ALICE)
    before = state(store)
    done = store.importing.run(given, ALICE)
    assert (done.created, done.changed) == ((), ())
    assert state(store) == before


def test_versions_go_on_and_listeners_hear(store: Store) -> None:
    store.flags.create("cms", a_staged(), ALICE)
    heard: list[Change] = []
    store.core.follow(heard.append)
    heard.clear()
    store.importing.run(of(within(a_staged(), on=True)), ALICE)
    (change,) = heard
    assert isinstance(change.item, Flag)
    assert change.item.config(PRODUCTION).version == 2


def _requires_comments(store: Store) -> None:
    environment = store.environments.get("cms", PRODUCTION)
    store.environments.save(environment.changed(require_comments=True), ALICE)


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        pytest.param(
            (a_boolean(), needing("gone")), "flag publishing: environments.production", id="flag"
        ),
        pytest.param(
            (a_boolean(), needing("articles-service", variation=7)), "flag publishing", id="index"
        ),
        pytest.param((a_boolean(), needing("publishing")), "cycle", id="cycle"),
        pytest.param(
            (a_boolean(), a_segment("a", rules=[segment_rule("a")])), "contain itself", id="itself"
        ),
        pytest.param(
            (a_boolean(), a_segment("a", rules=[segment_rule("no")])),
            "does not exist",
            id="segment",
        ),
        pytest.param(
            (
                a_boolean(),
                a_staged().with_config(
                    PRODUCTION,
                    a_config(rules=[{**segment_rule("no"), "serve": {"variation": 0}}]),
                ),
            ),
            "flag publishing: segment 'no' does not exist",
            id="rule",
        ),
    ],
)
def test_all_or_nothing(store: Store, items: tuple[Flag | Segment, ...], problem: str) -> None:
    before = state(store)
    with pytest.raises(Rejected) as caught:
        store.importing.run(of(*items), ALICE)
    assert problem in str(caught.value)
    assert state(store) == before


def test_a_dry_run_changes_nothing(store: Store) -> None:
    heard: list[Change] = []
    store.core.follow(heard.append)
    heard.clear()
    before = state(store)
    done = store.importing.run(of(a_boolean(), a_segment()), ALICE, dry_run=True)
    assert done.created == ("segment beta", "articles-service")
    assert (state(store), heard) == (before, [])


def test_a_required_comment(store: Store) -> None:
    _requires_comments(store)
    with pytest.raises(Rejected, match="comment: environment 'production' requires one"):
        store.importing.run(of(a_boolean()), ALICE)
    assert store.importing.run(of(a_boolean()), ALICE, comment="moved").created


def test_an_unknown_environment(store: Store) -> None:
    with pytest.raises(NotFound, match="environment 'no'"):
        store.importing.run(of(a_boolean(), environment="no"), ALICE)


def test_variations_that_other_flags_need(store: Store) -> None:
    """Their prerequisites name indexes, which would be of other variations."""
    store.flags.create("cms", a_choice(), ALICE)
    needs = [{"key": "home-page", "variation": 2}]
    store.flags.create("cms", within(a_staged(), "staging", prerequisites=needs), ALICE)
    before = state(store)
    with pytest.raises(
        Rejected, match=r"^flag home-page: flag 'publishing' needs variation 'c' in 'staging'"
    ):
        store.importing.run(of(a_choice("dcba")), ALICE)
    assert state(store) == before
    assert store.importing.run(of(a_choice("abcde")), ALICE).changed == ("home-page",)


def test_what_other_environments_serve(store: Store) -> None:
    store.flags.create("cms", within(a_choice(), "staging", off_variation=3), ALICE)
    with pytest.raises(Rejected, match=r"environments.staging.offVariation: 3 is not an index"):
        store.importing.run(of(a_choice("abc")), ALICE)


def test_true_instead_of_1(store: Store) -> None:
    """To Python they are the same."""
    flag = store.flags.create("cms", a_choice([0, 1]), ALICE)
    assert store.importing.run(of(flag), ALICE).unchanged == ("home-page",)
    first, second = flag.variations
    true = flag.changed(variations=(first, second.changed(value=True)))
    assert store.importing.run(of(true), ALICE).changed == ("home-page",)
    assert store.flags.get("cms", "home-page").variations[1].value is True


def test_what_is_exported_is_the_same_elsewhere(
    store: Store, tmp_path_factory: pytest.TempPathFactory, opened: Callable[[str], Store]
) -> None:
    store.importing.run(of(a_boolean(), within(needing("articles-service"), on=True)), ALICE)
    exported = of(*store.flags.all("cms"))
    other = opened(str(tmp_path_factory.mktemp("other") / "flags.db"))
    other.environments.create_project(CMS, [an_environment()], ALICE)
    other.importing.run(exported, ALICE)
    assert of(*other.flags.all("cms")) == exported
