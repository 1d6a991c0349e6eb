"""Full-text search over published articles: the search service's code, in the monolith at first."""

import re
import sqlite3

from flask import Blueprint, Response, jsonify, render_template, request

from cms.kit.program import Program
from cms.kit.store import Document

_WORD = re.compile(r"\w+")


def index(connection: sqlite3.Connection, kind: str, id: str, doc: Document | None) -> None:
    """Keep the full-text index in step with the articles, in their transaction."""
    if kind != "article":
        return
    connection.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS articles_fts USING fts5(id UNINDEXED, title, body)"
    )
    connection.execute("DELETE FROM articles_fts WHERE id = ?", (id,))
    if doc is not None and doc["state"] == "published":
        connection.execute(
            "INSERT INTO articles_fts VALUES (?, ?, ?)", (id, doc["title"], doc["body"])
        )


def routes(program: Program) -> Blueprint:
    search = Blueprint("search", __name__)

    def find(text: str) -> list[Document]:
        words = _WORD.findall(text)[:10]
        if not words:
            return []
        match = " ".join(f'"{word}"*' for word in words)
        try:
            rows = program.store.query(
                "SELECT id, title, snippet(articles_fts, 2, '', '', '…', 24) FROM articles_fts"
                " WHERE articles_fts MATCH ? ORDER BY rank, id LIMIT 20",
                (match,),
            )
        except sqlite3.OperationalError:
            # Nothing was ever published: there is no index yet.
            return []
        return [{"id": id, "title": title, "snippet": snippet} for id, title, snippet in rows]

    @search.get("/api/search")
    def api() -> Response:
        return jsonify(results=find(request.args.get("q", "")))

    @search.get("/search")
    def page() -> str:
        text = request.args.get("q", "")
        return render_template("search.html", text=text, results=find(text))

    return search
