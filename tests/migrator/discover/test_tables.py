"""Which tables a database call writes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from migrator.discover.tables import tables_of, written


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        pytest.param("INSERT INTO orders (id) VALUES (?)", {"orders"}, id="insert"),
        pytest.param("insert or replace into orders values (1)", {"orders"}, id="sqlite"),
        pytest.param("INSERT IGNORE INTO `shop`.`orders` VALUES (1)", {"orders"}, id="mysql"),
        pytest.param('UPDATE ONLY public."Orders" SET a = 1', {"orders"}, id="postgresql"),
        pytest.param("update [dbo].[Orders] set a = 1", {"orders"}, id="sql-server"),
        pytest.param("DELETE\nFROM orders WHERE id = 7", {"orders"}, id="delete"),
        pytest.param("TRUNCATE TABLE orders", {"orders"}, id="truncate"),
        pytest.param("MERGE INTO orders USING b ON 1 = 1", {"orders"}, id="merge"),
        pytest.param(
            "INSERT INTO a VALUES (1) ON CONFLICT DO UPDATE SET b = 1", {"a"}, id="upsert"
        ),
        pytest.param(
            "WITH x AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM x",
            {"a", "b"},
            id="two",
        ),
        pytest.param("SELECT * FROM orders FOR UPDATE OF orders", set(), id="read"),
        pytest.param("DELETE FROM `a\x1bb`", set(), id="no-word"),
        pytest.param("SELECT 'INSERT INTO x' -- DELETE FROM y", set(), id="in-a-text"),
        pytest.param("TRUNCATE " + "x" * 65, set(), id="no-name"),
    ],
)
def test_sql(query: str, tables: set[str]) -> None:
    assert tables_of(query) == tables


@pytest.mark.parametrize(
    ("attributes", "tables"),
    [
        pytest.param(
            {"db.collection.name": "Orders", "db.operation.name": "INSERT"}, {"orders"}, id="now"
        ),
        pytest.param({"db.sql.table": "orders", "db.operation": "UPDATE"}, {"orders"}, id="before"),
        pytest.param(
            {"db.mongodb.collection": "orders", "db.operation": "insertMany"},
            {"orders"},
            id="mongo",
        ),
        pytest.param(
            {"db.collection.name": "orders", "db.query.text": "delete from orders"}, {"orders"},
            id="operation-in-the-text",
        ),
        pytest.param({"db.query.text": "UPDATE a SET b = 1"}, {"a"}, id="only-the-text"),
        pytest.param({"db.collection.name": "orders", "db.operation.name": "SELECT"}, set(),
                     id="read"),
        pytest.param({"db.collection.name": 7, "db.operation.name": "INSERT"}, set(), id="odd"),
        pytest.param({"http.route": "/a"}, set(), id="no-database"),
    ],
)  # fmt: skip
def test_spans(attributes: dict[str, object], tables: set[str]) -> None:
    assert written(attributes) == tables


@given(st.text(st.characters(codec="utf-8", exclude_characters="'\""), max_size=60))
@example("insert into ann")
def test_no_value_comes_out(value: str) -> None:
    for quote in "'\"":
        text = quote + value + quote
        assert tables_of(f"UPDATE a SET b = {text} WHERE c = {text}") == {"a"}  # noqa: S608
