"""Projects and environments in both databases."""

import threading
from collections.abc import Callable

import pytest

from flag_builders import (
    ALICE,
    CMS,
    ON,
    ORIGIN,
    PRODUCTION,
    a_boolean,
    a_segment,
    a_staged,
    an_environment,
    within,
)
from flags.errors import Conflict, NotFound
from flags.model import Environment, Prerequisite, Project
from flags.model.environment import new_environment
from flags.store import Change, Deleted, Store

QA = an_environment("qa")


def keys(store: Store) -> list[str]:
    return [e.key for e in store.environments.of("cms")]


def test_a_project_has_its_environments(store: Store) -> None:
    assert store.environments.projects() == [CMS]
    assert store.environments.project("cms") == CMS
    assert keys(store) == [PRODUCTION, "staging"]
    assert store.environments.get("cms", PRODUCTION) == an_environment()


def test_projects_are_apart(store: Store) -> None:
    shop = Project(key="shop", name="Shop")
    environment = an_environment().changed(project="shop")
    store.environments.create_project(shop, [environment], ALICE)
    store.flags.create("shop", a_boolean(), ALICE)
    assert store.flags.all("cms") == []
    assert [p.key for p in store.environments.projects()] == ["cms", "shop"]
    assert [e.project for e in store.audit()] == ["shop", "shop", "cms"]


def test_create(store: Store) -> None:
    heard: list[Change] = []
    store.core.follow(heard.append)
    heard.clear()
    assert store.environments.create(QA, ALICE) == QA
    assert keys(store) == [PRODUCTION, "qa", "staging"]
    (change,) = heard
    assert (change.project, change.environment, change.item) == ("cms", "qa", QA)
    entry = store.audit()[0]
    assert (entry.kind, entry.key, entry.environment, entry.title) == (
        "environment", "qa", "qa", "created environment qa",
    )  # fmt: skip


def test_a_flag_begins_with_its_defaults(store: Store) -> None:
    flag = store.flags.create("cms", within(a_boolean(), on=True), ALICE)
    store.environments.create(QA, ALICE)
    config = store.flags.get("cms", flag.key).config("qa")
    assert (config.on, config.off_variation, config.fallthrough.variation) == (False, 1, 0)
    assert config.salt not in {flag.config(e).salt for e in (PRODUCTION, "staging")}


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        pytest.param(
            lambda s: s.environments.create(an_environment(), ALICE),
            Conflict,
            "environment 'production' exists already",
            id="create-twice",
        ),
        pytest.param(
            lambda s: s.environments.create_project(CMS, [], ALICE),
            Conflict,
            "project 'cms' exists already",
            id="project-twice",
        ),
        pytest.param(
            lambda s: s.environments.create(QA.changed(project="nope"), ALICE),
            NotFound,
            "project 'nope' does not exist",
            id="create-in-no-project",
        ),
        pytest.param(
            lambda s: s.environments.save(QA, ALICE),
            NotFound,
            "environment 'qa' does not exist in project 'cms'",
            id="save",
        ),
        pytest.param(
            lambda s: s.environments.delete("cms", "qa", ALICE),
            NotFound,
            "environment 'qa' does not exist in project 'cms'",
            id="delete",
        ),
        pytest.param(
            lambda s: s.environments.get("cms", "qa"),
            NotFound,
            "environment 'qa' does not exist in project 'cms'",
            id="get",
        ),
        pytest.param(
            lambda s: s.environments.of("nope"),
            NotFound,
            "project 'nope' does not exist",
            id="of-no-project",
        ),
        pytest.param(
            lambda s: s.environments.save_project(Project(key="nope", name="N"), ALICE),
            NotFound,
            "project 'nope' does not exist",
            id="save-project",
        ),
    ],
)
def test_refused(
    store: Store, act: Callable[[Store], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        act(store)
    assert str(caught.value) == message
    assert keys(store) == [PRODUCTION, "staging"]


def test_save(store: Store) -> None:
    heard: list[Change] = []
    store.core.follow(heard.append)
    heard.clear()
    changed = an_environment(name="Live", require_comments=True)
    store.environments.save(changed, ALICE)
    assert store.environments.get("cms", PRODUCTION) == changed
    assert [c.item for c in heard] == [changed]
    assert store.audit()[0].title == "changed environment production"
    assert "sdk-" not in str(store.audit()[0]), "keys are no matter of the audit log"


def test_save_project(store: Store) -> None:
    store.environments.save_project(CMS.changed(name="Articles"), ALICE)
    assert store.environments.project("cms").name == "Articles"
    assert store.audit()[0].title == "changed project cms"


class TestDelete:
    def test_what_flags_said_there_is_gone(self, store: Store) -> None:
        flag = within(within(a_boolean(), on=True), "staging", on=True)
        store.flags.create("cms", flag, ALICE)
        heard: list[Change] = []
        store.core.follow(heard.append)
        heard.clear()
        store.environments.delete("cms", "staging", ALICE)
        assert keys(store) == [PRODUCTION]
        left = store.flags.get("cms", flag.key)
        assert set(left.environments) == {PRODUCTION}
        assert left.config(PRODUCTION).on
        gone = Deleted(kind="environment", key="staging", version=0)
        assert gone in [c.item for c in heard]
        assert left in [c.item for c in heard], "who keeps flags would keep what it said there"
        assert len({c.sequence for c in heard}) == 1
        assert store.audit()[0].title == "deleted environment staging"

    def test_the_last_one_stays(self, store: Store) -> None:
        store.environments.delete("cms", "staging", ALICE)
        with pytest.raises(Conflict, match="environment 'production' is the only one of project"):
            store.environments.delete("cms", PRODUCTION, ALICE)

    def test_a_new_one_of_the_key_is_empty(self, store: Store) -> None:
        store.flags.create("cms", within(a_boolean(), "staging", on=True), ALICE)
        segment = store.segments.create("cms", "staging", a_segment(), ALICE)
        due = 2**50
        flag, actor = a_boolean().key, ALICE
        store.schedule.add(
            "cms", "staging", flag, due=due, instructions=[{**ON}], comment="", actor=actor
        )
        store.environments.delete("cms", "staging", ALICE)
        store.environments.create(an_environment("staging"), ALICE)
        assert store.flags.get("cms", flag).config("staging").on is False
        assert store.segments.all("cms", "staging") == []
        assert store.schedule.of("cms", "staging", flag) == []
        again = store.segments.create("cms", "staging", a_segment(), ALICE)
        assert again.version > segment.version

    def test_its_prerequisites_bind_nobody(self, store: Store) -> None:
        store.flags.create("cms", a_boolean(), ALICE)
        needs = (Prerequisite(key=a_boolean().key, variation=0),)
        store.flags.create("cms", within(a_staged(), "staging", prerequisites=needs), ALICE)
        with pytest.raises(Conflict):
            store.flags.delete("cms", a_boolean().key, ALICE)
        store.environments.delete("cms", "staging", ALICE)
        store.flags.delete("cms", a_boolean().key, ALICE)


class TestEnsure:
    def test_makes_what_is_missing(self, database: str, opened: Callable[[str], Store]) -> None:
        store = opened(database)
        for environment in (an_environment(), an_environment(), QA):
            store.environments.ensure(CMS, environment, ALICE)
        assert store.environments.projects() == [CMS]
        assert keys(store) == [PRODUCTION, "qa"]
        assert [e.title for e in store.audit()] == [
            "created environment qa",
            "created project cms",
        ]

    def test_keys_are_those_given(self, store: Store) -> None:
        store.environments.save(an_environment(name="Live"), ALICE)
        given = an_environment(name="ignored", sdk_key="sdk-another-0123456789")
        store.environments.ensure(CMS.changed(name="ignored"), given, ALICE)
        found = store.environments.get("cms", PRODUCTION)
        assert found == an_environment(name="Live", sdk_key="sdk-another-0123456789")
        assert store.environments.project("cms") == CMS

    def test_replicas_that_start_at_once(
        self, postgres: str, opened: Callable[[str], Store]
    ) -> None:
        stores = [opened(postgres) for _ in range(4)]
        start, problems = threading.Barrier(4), list[BaseException]()

        def begin(store: Store) -> None:
            start.wait(60)
            try:
                store.environments.ensure(CMS, an_environment(), ALICE)
                store.tokens.configure({"alice": "api-alice-0123456789"})
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=begin, args=(s,)) for s in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert problems == []
        assert keys(stores[0]) == [PRODUCTION]
        assert [t.member for t in stores[0].tokens.all()] == ["alice"]


def test_new_keys() -> None:
    one, other = (new_environment("cms", "qa", "QA") for _ in range(2))
    assert (one.project, one.key, one.name) == ("cms", "qa", "QA")
    assert one.sdk_key.startswith("sdk-")
    assert one.mobile_key.startswith("mob-")
    assert Environment.model_validate_json(one.model_dump_json()) == one
    for name in ("sdk_key", "mobile_key", "client_side_id"):
        assert getattr(one, name) != getattr(other, name)
        assert len(getattr(one, name)) >= 24


def test_origin_is_only_for_old_files(database: str, opened: Callable[[str], Store]) -> None:
    assert opened(database).environments.projects() == []
    assert ORIGIN["project"] == "cms"
