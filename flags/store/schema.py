"""The tables as they are today; `migrations/` has how they came to be.

Flags, segments and environments are documents: each row holds the newest one, the number of the
change that wrote it (`sequence`), and stays as a tombstone when it is deleted, so that versions
never go back and replicas can ask for "what has changed since".
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

METADATA: Final = MetaData()

REVISION: Final = Table(
    "revision",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("epoch", String, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    comment="One row: the number of the last change. Its lock makes changes commit in order.",
)
PROJECTS: Final = Table(
    "projects",
    METADATA,
    Column("key", String, primary_key=True),
    Column("document", Text, nullable=False),
)
ENVIRONMENTS: Final = Table(
    "environments",
    METADATA,
    Column("project", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("sequence", BigInteger, nullable=False, index=True),
    Column("document", Text),
)
FLAGS: Final = Table(
    "flags",
    METADATA,
    Column("project", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("sequence", BigInteger, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("document", Text),
)
SEGMENTS: Final = Table(
    "segments",
    METADATA,
    Column("project", String, primary_key=True),
    Column("environment", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("sequence", BigInteger, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("document", Text),
)
AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("date", BigInteger, nullable=False),
    Column("project", String, nullable=False),
    Column("environment", String),
    Column("kind", String, nullable=False),
    Column("key", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("member", String, nullable=False),
    Column("via", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("instructions", JSON, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Index("audit_by_item", "project", "kind", "key"),
    sqlite_autoincrement=True,
)
TOKENS: Final = Table(
    "tokens",
    METADATA,
    Column("id", String, primary_key=True),
    Column("hash", String, nullable=False, unique=True),
    Column("ending", String, nullable=False),
    Column("name", String, nullable=False),
    Column("member", String, nullable=False),
    Column("role", String, nullable=False),
    Column("configured", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
)
SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("hash", String, primary_key=True),
    Column("token", String, nullable=False, index=True),
    Column("expires", BigInteger, nullable=False),
)
SCHEDULED: Final = Table(
    "scheduled_changes",
    METADATA,
    Column("id", String, primary_key=True),
    Column("project", String, nullable=False),
    Column("environment", String, nullable=False),
    Column("flag", String, nullable=False),
    Column("due", BigInteger, nullable=False, index=True),
    Column("document", Text, nullable=False),
    Column("problem", Text),
)
EVALUATIONS: Final = Table(
    "evaluations",
    METADATA,
    Column("project", String, primary_key=True),
    Column("environment", String, primary_key=True),
    Column("flag", String, primary_key=True),
    Column("minute", BigInteger, primary_key=True),
    Column("variation", Integer, primary_key=True),
    Column("count", BigInteger, nullable=False),
)
MEASUREMENTS: Final = Table(
    "measurements",
    METADATA,
    Column("project", String, primary_key=True),
    Column("environment", String, primary_key=True),
    Column("flag", String, primary_key=True),
    Column("minute", BigInteger, primary_key=True),
    Column("name", String, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("total", Float, nullable=False),
)
