"""Which tables a database call writes, by its span or by its SQL. Pure.

Names of tables are words of the program; values in a query's text are looked over and never kept.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

MAX_QUERY: Final = 20_000
"""Characters of a query that are looked at."""
_COLLECTION: Final = ("db.collection.name", "db.sql.table", "db.mongodb.collection")
_OPERATION: Final = ("db.operation.name", "db.operation")
_QUERY: Final = ("db.query.text", "db.statement")
_is_word: Final = re.compile(r"[\w$-]{1,64}").fullmatch
"""A table's name, and nothing that a value or a terminal could be in."""
_writes: Final = re.compile(
    "insert|update|delete|replace|merge|upsert|truncate|findandmodify|bulkwrite", re.I
).match
_ASIDE: Final = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.S)
"""Texts, names in quotes, comments."""
_PART: Final = r"(?:\"[^\"]+\"|`[^`]+`|\[[^\]]+\]|[A-Za-z_][\w$]*)"
_STATEMENT: Final = re.compile(
    r"\b(?:(?:insert|replace)\s+(?:or\s+\w+\s+|ignore\s+)?into|merge\s+into|delete\s+from"
    r"|truncate(?:\s+table)?|(?<!for\s)(?<!do\s)update(?:\s+or\s+\w+)?)\s+(?:only\s+)?"
    rf"({_PART}(?:\s*\.\s*{_PART})*)",
    re.I,
)


def written(attributes: Mapping[str, Any]) -> frozenset[str]:
    """Names of the tables that the call of a client's span with these attributes writes, by today's
    names of the semantic conventions and by those before 1.26."""

    def first(names: tuple[str, ...]) -> str:
        found = next((attributes[name] for name in names if name in attributes), "")
        return found if isinstance(found, str) else ""

    query, collection = first(_QUERY), first(_COLLECTION)
    operation = first(_OPERATION) or query.lstrip()
    found = {collection} if collection and _writes(operation) else set()
    return frozenset(map(_name, found)) - {""} | tables_of(query)


def tables_of(query: str) -> frozenset[str]:
    """Names of the tables that SQL writes."""
    text = _ASIDE.sub(_kept, query[:MAX_QUERY])
    return frozenset(_name(match[1]) for match in _STATEMENT.finditer(text)) - {""}


def _kept(aside: re.Match[str]) -> str:
    """Names. MySQL has texts in double quotes, too."""
    return aside[0] if re.fullmatch(r'"\w+"', aside[0]) else "''"


def _name(written: str) -> str:
    """Without schema, quotes and case; empty for what is no name."""
    name = re.findall(_PART, written)[-1:] or [""]
    plain = name[0].strip('"`[]').lower()
    return plain if _is_word(plain) and plain != "set" else ""
