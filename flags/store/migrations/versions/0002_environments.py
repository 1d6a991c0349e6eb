"""Projects with several environments, segments, tokens, sessions, scheduled changes, counts."""

import json
import secrets
from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "0002"
down_revision = "0001"

_SHARED = (
    "key", "name", "description", "kind", "variations", "tags", "temporary", "archived", "created",
    "migration_context_kind", "version",
)  # fmt: skip
_CONFIG = (
    "version", "salt", "modified", "on", "off_variation", "fallthrough", "targets", "rules",
    "prerequisites", "check_ratio",
)  # fmt: skip


def upgrade() -> None:
    db = op.get_bind()
    flags = db.execute(sa.text("SELECT key, version, document FROM flags")).all()
    entries = db.execute(sa.text("SELECT * FROM audit ORDER BY id")).mappings().all()
    op.drop_table("flags")
    op.drop_table("audit")
    _create_tables()
    origin = context.config.attributes
    db.execute(
        sa.text("INSERT INTO revision (id, epoch, sequence) VALUES (1, :epoch, :sequence)"),
        {"epoch": secrets.token_hex(8), "sequence": len(flags)},
    )
    for sequence, row in enumerate(flags, 1):
        document = row.document and _with_environment(
            json.loads(row.document), origin["environment"]
        )
        db.execute(
            sa.text(
                "INSERT INTO flags (project, key, sequence, version, document)"
                " VALUES (:project, :key, :sequence, :version, :document)"
            ),
            {
                "project": origin["project"],
                "key": row.key,
                "sequence": sequence,
                "version": row.version,
                "document": document and json.dumps(document),
            },
        )
    for entry in entries:
        db.execute(
            sa.text(
                "INSERT INTO audit (id, date, project, environment, kind, key, version, member,"
                " via, title, comment, instructions) VALUES (:id, :date, :project, :environment,"
                " 'flag', :flag, :version, :member, :via, :title, :comment, :instructions)"
            ),
            {**entry, "project": origin["project"], "environment": origin["environment"]},
        )


def _with_environment(flag: dict[str, Any], environment: str) -> dict[str, Any]:
    """A flag that was of one environment, as one that has environments."""
    fallthrough = flag["fallthrough"].get("variation")
    off = flag["off_variation"] or 0
    return {
        **{name: flag[name] for name in _SHARED},
        "defaults": {
            "on_variation": off if fallthrough is None else fallthrough,
            "off_variation": off,
        },
        "environments": {environment: {name: flag[name] for name in _CONFIG}},
    }


def _create_tables() -> None:
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.String, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        comment="One row: the number of the last change. Its lock makes changes commit in order.",
    )
    op.create_table(
        "projects",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
    )
    _documents("environments", "project", "key", versioned=False)
    _documents("flags", "project", "key")
    _documents("segments", "project", "environment", "key")
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("date", sa.BigInteger, nullable=False),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("environment", sa.String),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("member", sa.String, nullable=False),
        sa.Column("via", sa.String, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("instructions", sa.JSON, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_by_item", "audit", ["project", "kind", "key"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("hash", sa.String, nullable=False, unique=True),
        sa.Column("ending", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("member", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("configured", sa.Boolean, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String, primary_key=True),
        sa.Column("token", sa.String, nullable=False, index=True),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "scheduled_changes",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("project", sa.String, nullable=False),
        sa.Column("environment", sa.String, nullable=False),
        sa.Column("flag", sa.String, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False, index=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("problem", sa.Text),
    )
    op.create_table(
        "evaluations",
        *(sa.Column(n, sa.String, primary_key=True) for n in ("project", "environment", "flag")),
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("variation", sa.Integer, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "measurements",
        *(sa.Column(n, sa.String, primary_key=True) for n in ("project", "environment", "flag")),
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Float, nullable=False),
    )


def _documents(name: str, *keys: str, versioned: bool = True) -> None:
    version = [sa.Column("version", sa.Integer, nullable=False)] if versioned else []
    op.create_table(
        name,
        *(sa.Column(key, sa.String, primary_key=True) for key in keys),
        sa.Column("sequence", sa.BigInteger, nullable=False, index=True),
        *version,
        sa.Column("document", sa.Text),
    )
