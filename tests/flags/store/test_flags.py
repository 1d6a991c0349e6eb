"""Flags in both databases: versions, conflicts, comments, the audit log, what is refused."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from flag_builders import (
    ALICE,
    BOB,
    CLAUSE,
    OFF,
    ON,
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
from flags.errors import Conflict, NotFound, Outdated, Rejected
from flags.model import Flag, Prerequisite, Serve
from flags.store import Change, Deleted, Store

BOOLEAN, STAGED = a_boolean(), a_staged()
KEY = BOOLEAN.key


def heard_by(store: Store) -> list[Change]:
    """Changes from now on."""
    heard: list[Change] = []
    store.core.follow(heard.append)
    heard.clear()
    return heard


def patch(store: Store, *instructions: Any, key: str = KEY, **options: Any) -> Flag:
    environment = options.pop("environment", PRODUCTION)
    return store.flags.patch("cms", key, instructions, ALICE, environment=environment, **options)


def titles(store: Store) -> list[str]:
    return [e.title for e in reversed(store.audit(kind="flag"))]


def test_create_and_read(store: Store) -> None:
    assert store.flags.all("cms") == []
    assert store.flags.create("cms", STAGED, ALICE) == STAGED
    store.flags.create("cms", BOOLEAN, ALICE)
    assert store.flags.all("cms") == [BOOLEAN, STAGED]
    assert store.flags.get("cms", STAGED.key) == STAGED


def test_there_is_one_flag_of_a_key(store: Store) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    with pytest.raises(Conflict, match="flag 'articles-service' exists already"):
        store.flags.create("cms", BOOLEAN.changed(name="another"), ALICE)
    assert store.flags.get("cms", KEY).name == BOOLEAN.name
    assert titles(store) == ["created articles-service"]


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda s: s.flags.get("cms", "nope"), id="read"),
        pytest.param(lambda s: s.flags.patch("cms", "nope", [ON], ALICE), id="patch"),
        pytest.param(lambda s: s.flags.preview("cms", "nope", [ON], PRODUCTION), id="preview"),
        pytest.param(lambda s: s.flags.delete("cms", "nope", ALICE), id="delete"),
    ],
)
def test_unknown_flag(store: Store, act: Callable[[Store], object]) -> None:
    with pytest.raises(NotFound, match="flag 'nope' does not exist in project 'cms'"):
        act(store)
    assert titles(store) == []


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda s: s.flags.all("nope"), id="all"),
        pytest.param(lambda s: s.flags.get("nope", KEY), id="read"),
        pytest.param(lambda s: s.flags.create("nope", BOOLEAN, ALICE), id="create"),
        pytest.param(lambda s: s.flags.patch("nope", KEY, [ON], ALICE), id="patch"),
        pytest.param(lambda s: s.flags.delete("nope", KEY, ALICE), id="delete"),
    ],
)
def test_unknown_project(store: Store, act: Callable[[Store], object]) -> None:
    with pytest.raises(NotFound, match="project 'nope' does not exist"):
        act(store)


def test_unknown_environment(store: Store) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    with pytest.raises(NotFound, match="environment 'nope' does not exist in project 'cms'"):
        patch(store, ON, environment="nope")
    with pytest.raises(NotFound, match="environment 'nope' does not exist in project 'cms'"):
        store.flags.preview("cms", KEY, [ON], "nope")


def test_patch(store: Store) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    heard = heard_by(store)
    flag = store.flags.patch("cms", KEY, [ON], BOB, environment=PRODUCTION, comment="incident over")
    config = flag.config(PRODUCTION)
    assert (config.on, config.version, flag.version) == (True, 2, 2)
    assert config.modified > BOOLEAN.created
    assert flag.config("staging") == BOOLEAN.config("staging")
    assert store.flags.get("cms", KEY) == flag
    (change,) = heard
    assert (change.project, change.environment, change.item) == ("cms", None, flag)
    entry = store.audit()[0]
    assert (entry.member, entry.via, entry.version) == ("bob", "cli", 2)
    assert (entry.project, entry.environment, entry.kind, entry.key) == (
        "cms", PRODUCTION, "flag", KEY,
    )  # fmt: skip
    assert entry.title == "turned articles-service on"
    assert (entry.comment, entry.instructions) == ("incident over", [ON])
    assert entry.date >= config.modified
    assert (entry.before, entry.after) == (BOOLEAN.model_dump_json(), flag.model_dump_json())


def test_a_patch_without_effect_is_no_new_version(store: Store) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    heard = heard_by(store)
    assert patch(store, OFF) == BOOLEAN
    assert patch(store, ON, OFF).version == 1
    assert heard == []
    assert titles(store) == ["created articles-service"]


def test_true_is_another_value_than_1(store: Store) -> None:
    """Python's equality says otherwise; to SDKs they differ."""
    flag = store.flags.create("cms", a_choice([0, 1]), ALICE)
    update = {"kind": "updateVariation", "variationId": "v-1", "value": True}
    changed = store.flags.patch("cms", flag.key, [update], ALICE)
    assert changed.variations[1].value is True
    assert store.flags.get("cms", flag.key).variations[1].value is True
    assert changed.config(PRODUCTION).version == 2


def test_a_patch_is_applied_whole_or_not_at_all(store: Store) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    heard = heard_by(store)
    with pytest.raises(Rejected, match=r"^instructions\[1\] \(removeRule\): there is no rule 'r'"):
        patch(store, ON, {"kind": "removeRule", "ruleId": "r"})
    assert store.flags.get("cms", KEY) == BOOLEAN
    assert heard == []
    assert titles(store) == ["created articles-service"]


def test_what_is_refused_takes_no_number(store: Store) -> None:
    """So that followers of the sequence see no gap."""
    store.flags.create("cms", BOOLEAN, ALICE)
    heard = heard_by(store)
    patch(store, ON)
    with pytest.raises(Rejected):
        patch(store, {"kind": "removeRule", "ruleId": "r"})
    patch(store, OFF)
    assert heard[1].sequence == heard[0].sequence + 1


def test_expected_version(store: Store) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    patch(store, ON, expected=1)
    with pytest.raises(Outdated, match="flag 'articles-service' has version 2, not 1: read it"):
        patch(store, OFF, expected=1)
    assert patch(store, OFF, expected=2).version == 3


def test_instructions_of_all_environments_need_none(store: Store) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    rename = {"kind": "updateName", "value": "Articles"}
    flag = patch(store, rename, environment=None)
    assert flag.version == 2
    assert [flag.config(e).version for e in (PRODUCTION, "staging")] == [1, 1]
    entry = store.audit()[0]
    assert (entry.environment, entry.version, entry.title) == (None, 2, f"renamed {KEY}")


def test_a_new_variation_moves_every_environment(store: Store) -> None:
    store.flags.create("cms", a_choice(), ALICE)
    flag = patch(store, {"kind": "addVariation", "value": "e"}, key="home-page")
    assert [flag.config(e).version for e in (PRODUCTION, "staging")] == [2, 2]
    assert set(flag.environments) == {PRODUCTION, "staging"}


def test_preview_changes_nothing(store: Store) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    heard = heard_by(store)
    before, after = store.flags.preview("cms", KEY, [ON], PRODUCTION)
    assert (before, after.config(PRODUCTION).on) == (BOOLEAN, True)
    assert store.flags.get("cms", KEY) == BOOLEAN
    assert heard == []


def test_delete_and_make_again(store: Store) -> None:
    """Versions go on, since SDKs ignore what is not newer than what they have."""
    store.flags.create("cms", BOOLEAN, ALICE)
    patch(store, ON)
    patch(store, OFF)
    heard = heard_by(store)
    store.flags.delete("cms", KEY, ALICE)
    assert store.flags.all("cms") == []
    with pytest.raises(NotFound):
        store.flags.get("cms", KEY)
    again = store.flags.create("cms", within(BOOLEAN, "staging", on=True), ALICE)
    assert (again.version, again.first_version) == (5, 5)
    assert [again.config(e).version for e in (PRODUCTION, "staging")] == [5, 5]
    assert [c.item for c in heard] == [Deleted(kind="flag", key=KEY, version=4), again]
    assert titles(store)[-2:] == [f"deleted {KEY}", f"created {KEY}"]
    assert patch(store, ON).config(PRODUCTION).version == 6


def test_versions_do_not_go_back_for_an_environment_that_moved_further(store: Store) -> None:
    config = a_config(version=40)
    flag = BOOLEAN.with_config("staging", config)
    created = store.flags.create("cms", flag, ALICE)
    assert created.config("staging").version == 1, "its own version is not taken over"
    for instruction in (ON, OFF):
        patch(store, instruction, environment="staging")
    store.flags.delete("cms", KEY, ALICE)
    assert store.flags.create("cms", BOOLEAN, ALICE).config("staging").version == 5


def test_a_prerequisite_cannot_be_deleted(store: Store) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    needs = (Prerequisite(key=KEY, variation=0),)
    store.flags.create("cms", within(STAGED, prerequisites=needs), ALICE)
    with pytest.raises(Conflict, match="flag 'articles-service' is a prerequisite of publishing"):
        store.flags.delete("cms", KEY, ALICE)
    store.flags.delete("cms", STAGED.key, ALICE)
    store.flags.delete("cms", KEY, ALICE)
    assert store.flags.all("cms") == []


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        pytest.param(
            within(BOOLEAN, fallthrough=Serve(variation=2)),
            "environments.production.fallthrough: 2 is not an index of the 2 variations",
            id="fallthrough",
        ),
        pytest.param(
            BOOLEAN.changed(defaults={"on_variation": 0, "off_variation": 7}),
            "defaults.off_variation: 7 is not an index of the 2 variations",
            id="defaults",
        ),
        pytest.param(
            within(BOOLEAN, "staging", prerequisites=(Prerequisite(key="no", variation=0),)),
            "environments.staging.prerequisites (no): there is no such flag",
            id="prerequisite",
        ),
    ],
)
def test_what_does_not_fit_is_not_created(store: Store, flag: Flag, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        store.flags.create("cms", flag, ALICE)
    assert str(caught.value) == message
    assert store.flags.all("cms") == []


def test_environments_that_do_not_exist_are_not_kept(store: Store) -> None:
    flag = store.flags.create("cms", within(BOOLEAN, "nope", on=True), ALICE)
    assert flag.environments == {}


def test_a_segment_that_does_not_exist(store: Store) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    rule = {"kind": "addRule", "variationId": "yes", "clauses": [CLAUSE]}
    unknown = {"op": "segmentMatch", "values": ["beta"]}
    message = r"^instructions\[0\] \(addRule\): segment 'beta' does not exist"
    with pytest.raises(Rejected, match=message):
        patch(store, {**rule, "clauses": [unknown]})
    store.segments.create("cms", "staging", a_segment(), ALICE)
    with pytest.raises(Rejected, match=message):
        patch(store, {**rule, "clauses": [unknown]})
    assert patch(store, {**rule, "clauses": [unknown]}, environment="staging").version == 2


def test_removing_a_variation_that_another_flag_needs(store: Store) -> None:
    store.flags.create("cms", a_choice(), ALICE)
    needs = (Prerequisite(key="home-page", variation=2),)
    store.flags.create("cms", within(STAGED, prerequisites=needs), ALICE)
    remove = {"kind": "removeVariation", "variationId": "v-b"}
    with pytest.raises(Rejected, match="flag 'publishing' needs it, or a later one, in 'prod"):
        patch(store, remove, key="home-page", environment=None)
    flag = patch(store, {**remove, "variationId": "v-d"}, key="home-page", environment=None)
    assert [v.value for v in flag.variations] == ["a", "b", "c"]


def test_a_whole_change_keeps_what_other_flags_need(store: Store) -> None:
    """Also where no instruction says so: a document that was patched, a revert."""
    flag = store.flags.create("cms", a_choice(), ALICE)
    needs = (Prerequisite(key="home-page", variation=2),)
    store.flags.create("cms", within(STAGED, prerequisites=needs), ALICE)
    for variations in (flag.variations[:2], flag.variations[::-1]):
        with pytest.raises(Rejected, match="flag 'publishing' needs variation 'c' in 'production'"):
            store.flags.change(
                "cms",
                "home-page",
                lambda f, _, v=variations: f.changed(variations=v),  # type: ignore[misc]
                ALICE,
                title="t",
            )
    assert store.flags.get("cms", "home-page") == flag


class TestComments:
    @pytest.fixture
    def store(self, store: Store) -> Store:
        store.environments.save(an_environment(require_comments=True), ALICE)
        store.flags.create("cms", BOOLEAN, ALICE, "new")
        return store

    @pytest.mark.parametrize("comment", ["", "  "], ids=["none", "blank"])
    def test_required(self, store: Store, comment: str) -> None:
        message = "comment: environment 'production' requires one for every change"
        with pytest.raises(Rejected, match=message):
            patch(store, ON, comment=comment)
        with pytest.raises(Rejected, match=message):
            store.flags.delete("cms", KEY, ALICE, comment)
        assert store.flags.get("cms", KEY) == BOOLEAN

    def test_given(self, store: Store) -> None:
        assert patch(store, ON, comment="why").version == 2
        store.flags.delete("cms", KEY, ALICE, "why")

    def test_only_where_it_is_changed(self, store: Store) -> None:
        assert patch(store, ON, environment="staging").version == 2
        assert patch(store, {"kind": "updateName", "value": "N"}, environment=None).version == 3
        assert patch(store, OFF).version == 3, "nothing is changed"


class TestRevert:
    def test_the_last_change(self, store: Store) -> None:
        store.flags.create("cms", BOOLEAN, ALICE)
        patch(store, ON)
        flag = store.flags.revert(store.audit()[0], BOB, "too early")
        config = flag.config(PRODUCTION)
        assert (config.on, config.version, flag.version) == (False, 3, 3)
        entry = store.audit()[0]
        assert entry.title == f"reverted {KEY}: undid “turned {KEY} on”"
        assert (entry.member, entry.comment, entry.environment) == ("bob", "too early", PRODUCTION)

    def test_an_older_change(self, store: Store) -> None:
        store.flags.create("cms", BOOLEAN, ALICE)
        patch(store, ON)
        entry = store.audit()[0]
        patch(store, {"kind": "addTargets", "variationId": "no", "values": ["a"]})
        patch(store, ON, environment="staging")
        flag = store.flags.revert(entry, ALICE)
        assert [flag.config(e).on for e in (PRODUCTION, "staging")] == [False, True]
        assert flag.config(PRODUCTION).targets[0].values == ("a",)

    def test_a_deletion(self, store: Store) -> None:
        store.flags.create("cms", within(BOOLEAN, on=True), ALICE)
        store.flags.delete("cms", KEY, ALICE)
        flag = store.flags.revert(store.audit()[0], ALICE)
        assert (flag.config(PRODUCTION).on, flag.version) == (True, 3)
        assert flag.config(PRODUCTION).version == 3

    def test_a_creation(self, store: Store) -> None:
        store.flags.create("cms", BOOLEAN, ALICE)
        with pytest.raises(Conflict, match="'articles-service' was created then: archive or"):
            store.flags.revert(store.audit()[0], ALICE)

    def test_what_no_longer_fits(self, store: Store) -> None:
        store.flags.create("cms", a_choice(), ALICE)
        serve = {"kind": "updateFallthroughVariationOrRollout", "variationId": "v-d"}
        patch(store, serve, key="home-page")
        patch(store, {**serve, "variationId": "v-a"}, key="home-page")
        entry = store.audit()[0]
        remove = {"kind": "removeVariation", "variationId": "v-d"}
        before = patch(store, remove, key="home-page")
        with pytest.raises(Rejected, match="variation"):
            store.flags.revert(entry, ALICE)
        assert store.flags.get("cms", "home-page") == before

    def test_a_rule_on_a_segment_that_is_gone(self, store: Store) -> None:
        store.segments.create("cms", PRODUCTION, a_segment(), ALICE)
        store.flags.create("cms", BOOLEAN, ALICE)
        clause = {"op": "segmentMatch", "values": ["beta"]}
        rules = [{"variationId": "yes", "clauses": [clause]}]
        patch(store, {"kind": "replaceRules", "rules": rules})
        before = patch(store, {"kind": "replaceRules", "rules": []})
        entry = store.audit()[0]
        store.segments.delete("cms", PRODUCTION, "beta", ALICE)
        with pytest.raises(
            Rejected, match=r"^environments.production.rules: segment 'beta' does not exist"
        ):
            store.flags.revert(entry, ALICE)
        assert store.flags.get("cms", KEY) == before

    def test_of_a_flag_that_is_gone(self, store: Store) -> None:
        store.flags.create("cms", BOOLEAN, ALICE)
        patch(store, ON)
        entry = store.audit()[0]
        store.flags.delete("cms", KEY, ALICE)
        with pytest.raises(NotFound):
            store.flags.revert(entry, ALICE)

    def test_a_deleted_environment_does_not_come_back(self, store: Store) -> None:
        store.flags.create("cms", within(BOOLEAN, "staging", on=True), ALICE)
        store.flags.delete("cms", KEY, ALICE)
        entry = store.audit()[0]
        store.environments.delete("cms", "staging", ALICE)
        assert store.flags.revert(entry, ALICE).environments == {}


def test_concurrent_patches_are_all_applied_in_order(store: Store) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    heard = heard_by(store)
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait(60)
        for i in range(10):
            patch(store, {"kind": "addTags", "values": [f"t{number}-{i}"]})

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    flag = store.flags.get("cms", KEY)
    assert flag.version == 41
    assert set(flag.tags) == {f"t{n}-{i}" for n in range(4) for i in range(10)}
    assert [c.item.version for c in heard if isinstance(c.item, Flag)] == list(range(2, 42))
    sequences = [c.sequence for c in heard]
    assert sequences == list(range(sequences[0], sequences[0] + 40))
    assert [e.version for e in store.audit(kind="flag", limit=100)] == list(range(41, 0, -1))


def test_reopen(store: Store, database: str, opened: Callable[[str], Store]) -> None:
    store.flags.create("cms", BOOLEAN, ALICE)
    flag = patch(store, ON)
    audit, epoch = store.audit(), store.core.epoch
    store.close()
    again = opened(database)
    assert again.core.epoch == epoch
    assert again.flags.get("cms", KEY) == flag
    assert again.audit() == audit
    assert patch(again, OFF).version == 3


def test_a_segment_in_use_is_not_deleted(store: Store) -> None:
    store.segments.create("cms", PRODUCTION, a_segment(), ALICE)
    store.segments.create("cms", PRODUCTION, a_segment("all", rules=[segment_rule("beta")]), ALICE)
    store.flags.create("cms", BOOLEAN, ALICE)
    patch(
        store,
        {
            "kind": "addRule",
            "variationId": "yes",
            "clauses": [{"op": "segmentMatch", "values": ["beta"]}],
        },
    )
    with pytest.raises(
        Conflict, match="segment 'beta' is used by flag 'articles-service', segment 'all'"
    ):
        store.segments.delete("cms", PRODUCTION, "beta", ALICE)
