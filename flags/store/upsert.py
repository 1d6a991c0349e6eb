"""Insert or replace a row, the same way on SQLite and PostgreSQL."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(db: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    insert = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
    db.execute(
        insert(table)
        .values(**key, **values)
        .on_conflict_do_update(index_elements=list(key), set_=dict(values))
    )
