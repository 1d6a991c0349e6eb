"""How a database comes to today's schema, with what was in it."""

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from flag_builders import ALICE, CMS, ON, ORIGIN, PRODUCTION, STAGES, a_boolean, an_environment
from flags.errors import Conflict
from flags.model import Prerequisite, Rollout, WeightedVariation
from flags.store import Deleted, Store
from flags.store.schema import METADATA
from flags.wire.sdk import sdk_flag
from postgres import PostgresServer

OLD_SCHEMA = """
CREATE TABLE flags (
    key VARCHAR NOT NULL, version INTEGER NOT NULL, document TEXT, PRIMARY KEY (key)
);
CREATE TABLE audit (
    id INTEGER NOT NULL, date BIGINT NOT NULL, flag VARCHAR NOT NULL, version INTEGER NOT NULL,
    member VARCHAR NOT NULL, via VARCHAR NOT NULL, title TEXT NOT NULL, comment TEXT NOT NULL,
    instructions JSON NOT NULL, PRIMARY KEY (id)
);
CREATE INDEX ix_audit_flag ON audit (flag);
"""
"""As the first version made it, which knew one environment and SQLite only."""


def old_flag(key: str, **fields: Any) -> dict[str, Any]:
    """As the first version wrote it."""
    return {
        "key": key,
        "name": key.title(),
        "description": "",
        "kind": "migration",
        "variations": [{"id": f"v-{s}", "value": s, "name": "", "description": ""} for s in STAGES],
        "tags": ["cms"],
        "temporary": True,
        "archived": False,
        "created": 1_700_000_000_000,
        "modified": 1_700_000_001_000,
        "migration_context_kind": None,
        "check_ratio": 1,
        "salt": "a1b2c3",
        "version": 7,
        "on": True,
        "off_variation": 0,
        "fallthrough": {"variation": 3, "rollout": None},
        "targets": [],
        "rules": [],
        "prerequisites": [],
        **fields,
    }


PUBLISHING = old_flag(
    "publishing",
    fallthrough={
        "variation": None,
        "rollout": {
            "context_kind": "user",
            "bucket_by": None,
            "variations": [
                {"variation": 2, "weight": 95_000},
                {"variation": 3, "weight": 5_000},
            ],
        },
    },
    targets=[{"context_kind": "user", "variation": 3, "values": ["alice"]}],
    rules=[
        {
            "id": "r1",
            "description": "staff",
            "clauses": [
                {
                    "id": "c1",
                    "context_kind": "user",
                    "attribute": "plan",
                    "op": "in",
                    "values": ["internal", 7],
                    "negate": False,
                }
            ],
            "serve": {"variation": 5, "rollout": None},
        }
    ],
    prerequisites=[{"key": "articles", "variation": 3}],
    check_ratio=10,
)
NO_OFF = old_flag("no-off", off_variation=None, on=False, archived=True, version=2)


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A file of the first version: three flags, one that was deleted, three audit entries."""
    path = tmp_path / "flags.db"
    flags = [PUBLISHING, old_flag("articles"), NO_OFF]
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OLD_SCHEMA)
        db.executemany(
            "INSERT INTO flags VALUES (?, ?, ?)",
            [(f["key"], f["version"], json.dumps(f)) for f in flags] + [("gone", 9, None)],
        )
        db.executemany(
            "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (1, 1000, "publishing", 1, "alice", "api", "created publishing", "", "[]"),
                (2, 2000, "publishing", 7, "bob", "cli", "turned publishing on", "ünï",
                 '[{"kind": "turnFlagOn"}]'),
                (5, 3000, "gone", 9, "bob", "dashboard", "deleted gone", "", "[]"),
            ],
        )  # fmt: skip
        db.commit()
    return str(path)


@pytest.fixture
def store(old: str, opened: Callable[[str], Store]) -> Store:
    store = opened(old)
    store.environments.ensure(CMS, an_environment(), ALICE)
    return store


def test_flags_are_kept(store: Store) -> None:
    assert [f.key for f in store.flags.all("cms")] == ["articles", "no-off", "publishing"]
    flag = store.flags.get("cms", "publishing")
    config = flag.config(PRODUCTION)
    assert (flag.version, config.version, config.salt) == (7, 7, "a1b2c3")
    assert (flag.created, config.modified) == (1_700_000_000_000, 1_700_000_001_000)
    assert (flag.tags, flag.kind, config.on, config.check_ratio) == (
        ("cms",),
        "migration",
        True,
        10,
    )
    assert config.fallthrough.rollout == Rollout(
        variations=(
            WeightedVariation(variation=2, weight=95_000),
            WeightedVariation(variation=3, weight=5_000),
        )
    )
    assert config.rules[0].clauses[0].values == ("internal", 7)
    assert config.rules[0].description == "staff"
    assert config.prerequisites == (Prerequisite(key="articles", variation=3),)
    assert config.targets[0].values == ("alice",)
    assert set(flag.environments) == {PRODUCTION}


def test_sdks_read_the_same_as_before(store: Store) -> None:
    wire = sdk_flag(store.flags.get("cms", "publishing"), PRODUCTION)
    assert (wire["version"], wire["on"], wire["offVariation"]) == (7, True, 0)
    assert wire["variations"] == list(STAGES)
    assert wire["fallthrough"]["rollout"]["variations"] == [
        {"variation": 2, "weight": 95_000},
        {"variation": 3, "weight": 5_000},
    ]
    assert wire["migration"] == {"checkRatio": 10}


def test_a_flag_without_an_off_variation(store: Store) -> None:
    flag = store.flags.get("cms", "no-off")
    assert (flag.archived, flag.version) == (True, 2)
    config = flag.config(PRODUCTION)
    assert (config.off_variation, config.fallthrough.variation) == (None, 3)
    assert (flag.defaults.on_variation, flag.defaults.off_variation) == (3, 0)


def test_versions_go_on(store: Store) -> None:
    off = {"kind": "turnFlagOff"}
    flag = store.flags.patch("cms", "publishing", [off], ALICE, environment=PRODUCTION)
    assert (flag.version, flag.config(PRODUCTION).version) == (8, 8)
    assert store.flags.create("cms", a_boolean("gone"), ALICE).version == 10


def test_tombstones_are_kept(store: Store) -> None:
    heard: list[object] = []
    store.core.follow(lambda change: heard.append(change.item))
    assert Deleted(kind="flag", key="gone", version=9) in heard


def test_the_audit_log_is_kept(store: Store) -> None:
    newest, changed, created = store.audit(kind="flag")
    assert [e.id for e in (newest, changed, created)] == [5, 2, 1]
    assert (changed.member, changed.via, changed.title, changed.comment, changed.version) == (
        "bob", "cli", "turned publishing on", "ünï", 7,
    )  # fmt: skip
    assert changed.instructions == [ON]
    assert (changed.date, changed.project, changed.environment, changed.key) == (
        2000, "cms", PRODUCTION, "publishing",
    )  # fmt: skip
    assert (changed.before, changed.after) == (None, None)
    flag = store.flags.create("cms", a_boolean(), ALICE)
    assert store.audit(kind="flag", key=flag.key)[0].id > 5


def test_entries_that_know_no_before_are_not_reverted(store: Store) -> None:
    with pytest.raises(Conflict, match="entry 2 does not say what was before: it cannot be undone"):
        store.flags.revert(store.entry(2), ALICE)
    with pytest.raises(Conflict, match="'publishing' was created then"):
        store.flags.revert(store.entry(1), ALICE)


def test_only_once(old: str, opened: Callable[[str], Store]) -> None:
    with closing(Store(old, ORIGIN)) as first:
        epoch = first.core.epoch
    again = opened(old)
    assert again.core.epoch == epoch
    assert len(again.audit()) == 3


def test_what_fails_half_way_changes_nothing(old: str, opened: Callable[[str], Store]) -> None:
    with pytest.raises(KeyError):
        Store(old, {})  # no project to put the flags in
    with closing(sqlite3.connect(old)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        assert "projects" not in tables
        assert db.execute("SELECT count(*) FROM flags").fetchone() == (4,)
        assert db.execute("SELECT count(*) FROM audit").fetchone() == (3,)
    assert len(opened(old).audit()) == 3


def test_migrations_lead_to_the_schema(database: str, opened: Callable[[str], Store]) -> None:
    store = opened(database)
    with store.core.engine.connect() as db:
        context = MigrationContext.configure(
            db, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []


def test_an_old_file_has_the_schema_of_a_new_one(
    old: str, tmp_path: Path, opened: Callable[[str], Store]
) -> None:
    def tables(store: Store) -> dict[str, object]:
        found = inspect(store.core.engine)
        return {
            name: (
                [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name)],
                found.get_pk_constraint(name)["constrained_columns"],
                sorted(str(i["name"]) for i in found.get_indexes(name)),
            )
            for name in found.get_table_names()
        }

    assert tables(opened(old)) == tables(opened(str(tmp_path / "new.db")))


def test_replicas_that_open_an_empty_database_at_once(
    postgres_server: PostgresServer, opened: Callable[[str], Store]
) -> None:
    start, stores, problems = threading.Barrier(4), list[Store](), list[BaseException]()

    def open_it(url: str) -> None:
        start.wait(60)
        try:
            stores.append(opened(url))
        except BaseException as error:
            problems.append(error)

    with postgres_server.database() as url:
        threads = [threading.Thread(target=open_it, args=(url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert problems == []
        assert len({s.core.epoch for s in stores}) == 1
        for store in stores:
            store.close()
