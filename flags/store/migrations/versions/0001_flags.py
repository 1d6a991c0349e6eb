"""Flags of one environment, and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "flags",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("document", sa.Text),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("date", sa.BigInteger, nullable=False),
        sa.Column("flag", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("member", sa.String, nullable=False),
        sa.Column("via", sa.String, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("instructions", sa.JSON, nullable=False),
    )
    op.create_index("ix_audit_flag", "audit", ["flag"])
