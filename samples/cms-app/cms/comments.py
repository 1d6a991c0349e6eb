"""Comments on articles: the comments service's code, inside the monolith at first."""

import time

from flask import Blueprint, Response, abort, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from cms.kit.identity import required_user
from cms.kit.ids import new_id
from cms.kit.program import Program
from cms.kit.store import Document
from cms.peers import Peers

MAX_TEXT = 4000


def routes(program: Program, peers: Peers) -> Blueprint:
    comments = Blueprint("comments", __name__)
    store = program.store

    def add(article: str, text: str) -> Document:
        author = required_user(program.secret(), request)
        if not 1 <= len(text) <= MAX_TEXT:
            abort(400, f"text needs 1 to {MAX_TEXT} characters")
        if peers.article(article) is None:
            abort(404, "no such article")
        comment = {
            "id": new_id(),
            "article": article,
            "author": author,
            "text": text,
            "created": time.time(),
        }
        store.put("comment", comment)
        return comment

    @comments.get("/api/articles/<article>/comments")
    def show(article: str) -> Response:
        return jsonify(comments=store.find("comment", article=article, limit=100))

    @comments.post("/api/articles/<article>/comments")
    def create(article: str) -> tuple[Response, int]:
        data = request.get_json()
        return jsonify(add(article, str(data.get("text", "")))), 201

    @comments.post("/articles/<article>/comments")
    def form(article: str) -> AnyResponse:
        add(article, request.form.get("text", ""))
        return redirect(f"/articles/{article}")

    @comments.get("/api/comments/<id>")
    def get(id: str) -> Response:
        return jsonify(find(id))

    @comments.delete("/api/comments/<id>")
    def delete(id: str) -> Response:
        if find(id)["author"] != required_user(program.secret(), request):
            abort(403, "this is somebody else's comment")
        with store.transaction() as transaction:
            transaction.delete("comment", id)
        return Response(status=204)

    def find(id: str) -> Document:
        comment = store.get("comment", id)
        if comment is None:
            program.catch_up()
            comment = store.get("comment", id)
        if comment is None:
            abort(404, "no such comment")
        return comment

    return comments
