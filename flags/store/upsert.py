"""Insert or replace a row, the same way on SQLite and PostgreSQL."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(db: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    statement = _statement(table, db.dialect.name, tuple(key), tuple(values))
    db.execute(statement, {**key, **values})


@cache
def _statement(
    table: Table, dialect: str, key: tuple[str, ...], values: tuple[str, ...]
) -> Executable:
    """Made once: building a statement takes longer than running it."""
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)
    new = {name: insert.excluded[name] for name in values}
    return insert.on_conflict_do_update(index_elements=list(key), set_=new)
