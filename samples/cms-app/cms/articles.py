"""Articles with revisions and drafts: the articles service's code, inside the monolith at first."""

import logging
import threading
import time
from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from cms.kit.flags import CONTEXT
from cms.kit.gateway import GatewayError
from cms.kit.identity import current_user, required_user, session_of
from cms.kit.ids import new_id
from cms.kit.program import Program
from cms.kit.store import Document
from cms.peers import Peers

MAX_TITLE = 200
MAX_TEXT = 100_000
RETRY = 0.5

logger = logging.getLogger(__name__)


class Announcer:
    """Tells the publisher of published articles, in a thread, until it was heard."""

    def __init__(self, program: Program, peers: Peers) -> None:
        self._store = program.store
        self._peers = peers
        self._work = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def wake(self) -> None:
        self._work.set()

    def _run(self) -> None:
        while True:
            waiting = self._store.find("announcement")
            for announcement in waiting:
                try:
                    self._peers.announce(announcement)
                except GatewayError as error:
                    logger.info("announcement.failed %s", error)
                    continue
                with self._store.transaction() as transaction:
                    transaction.delete("announcement", announcement["id"])
            self._work.wait(RETRY if waiting else None)
            self._work.clear()


def routes(program: Program, peers: Peers, announcer: Announcer) -> Blueprint:
    articles = Blueprint("articles", __name__)
    store = program.store

    def find(id: str) -> Document:
        """The article, if the reader may see it: drafts are their author's."""
        article = store.get("article", id)
        if article is None:
            program.catch_up()
            article = store.get("article", id)
        user = current_user(program.secret(), request)
        if article is None or (article["state"] == "draft" and article["author"] != user):
            abort(404, "no such article")
        return article

    def own(id: str) -> Document:
        user = required_user(program.secret(), request)
        article = find(id)
        if article["author"] != user:
            abort(403, "this is somebody else's article")
        return article

    def save(article: Document | None, title: str, body: str, tags: list[str]) -> Document:
        """A new article, or a new revision of one."""
        author = required_user(program.secret(), request)
        if not 1 <= len(title) <= MAX_TITLE or len(body) > MAX_TEXT:
            abort(400, f"title needs 1 to {MAX_TITLE} characters, body at most {MAX_TEXT}")
        now = time.time()
        revision = new_id()
        saved = {
            **(article or {"id": new_id(), "author": author, "state": "draft", "created": now}),
            "title": title,
            "body": body,
            "tags": tags[:10],
            "updated": now,
            "revision": revision,
        }
        with store.transaction() as transaction:
            transaction.put("article", saved)
            transaction.put(
                "revision",
                {
                    "id": revision,
                    "article": saved["id"],
                    "title": title,
                    "body": body,
                    "author": author,
                    "created": now,
                },
            )
        return saved

    def publish(article: Document) -> Document:
        """The announcement is in the same transaction: a crash loses neither."""
        published = {**article, "state": "published", "published": time.time()}
        announcement = {
            "id": f"{article['id']}.{article['revision']}",
            "article": article["id"],
            "revision": article["revision"],
            "title": article["title"],
            "headers": {
                CONTEXT: request.headers.get(CONTEXT, ""),
                "Authorization": f"Bearer {session_of(request)}",
            },
        }
        with store.transaction() as transaction:
            transaction.put("article", published)
            transaction.put("announcement", announcement)
        announcer.wake()
        return published

    def body_of(data: Any) -> tuple[str, str, list[str]]:
        if not isinstance(data, dict):
            abort(400, "expected an object with title, body and tags")
        tags = data.get("tags", [])
        if not isinstance(tags, list):
            abort(400, "tags must be a list")
        return str(data.get("title", "")), str(data.get("body", "")), [str(t) for t in tags]

    @articles.get("/api/articles")
    def list_articles() -> Response:
        page = max(1, request.args.get("page", 1, int))
        found = store.find("article", state="published", limit=20, offset=(page - 1) * 20)
        return jsonify(articles=[{**a, "body": a["body"][:200]} for a in found], page=page)

    @articles.post("/api/articles")
    def create() -> tuple[Response, int]:
        return jsonify(save(None, *body_of(request.get_json()))), 201

    @articles.get("/api/articles/<id>")
    def get(id: str) -> Response:
        return jsonify(find(id))

    @articles.put("/api/articles/<id>")
    def change(id: str) -> Response:
        return jsonify(save(own(id), *body_of(request.get_json())))

    @articles.get("/api/articles/<id>/revisions")
    def revisions(id: str) -> Response:
        find(id)
        return jsonify(revisions=store.find("revision", article=id, limit=100))

    @articles.get("/api/articles/<id>/revisions/<revision>")
    def one_revision(id: str, revision: str) -> Response:
        find(id)
        found = store.get("revision", revision)
        if found is None:
            program.catch_up()
            found = store.get("revision", revision)
        if found is None:
            abort(404, "no such revision")
        return jsonify(found)

    @articles.post("/api/articles/<id>/publish")
    def publish_it(id: str) -> Response:
        return jsonify(publish(own(id)))

    @articles.post("/api/articles/<id>/unpublish")
    def unpublish(id: str) -> Response:
        article = {**own(id), "state": "draft"}
        store.put("article", article)
        return jsonify(article)

    @articles.get("/articles/<id>")
    def page(id: str) -> str:
        article = find(id)
        comments = peers.comments(id)[:30]
        names = peers.names([article["author"], *(c["author"] for c in comments)])
        return render_template(
            "article.html",
            article=article,
            comments=comments,
            names=names,
            mine=article["author"] == current_user(program.secret(), request),
        )

    @articles.get("/write")
    def write_page() -> str:
        user = required_user(program.secret(), request)
        drafts = store.find("article", state="draft", author=user)
        return render_template("editor.html", article=None, drafts=drafts)

    @articles.post("/write")
    def write_form() -> AnyResponse:
        article = save(None, *form())
        return redirect(f"/articles/{article['id']}/edit")

    @articles.get("/articles/<id>/edit")
    def edit_page(id: str) -> str:
        found = store.find("revision", article=id, limit=10)
        return render_template("editor.html", article=own(id), revisions=found)

    @articles.post("/articles/<id>/edit")
    def edit_form(id: str) -> AnyResponse:
        article = save(own(id), *form())
        if request.form.get("action") == "publish":
            publish(article)
        return redirect(f"/articles/{id}")

    def form() -> tuple[str, str, list[str]]:
        tags = request.form.get("tags", "").replace(",", " ").split()
        return request.form.get("title", ""), request.form.get("body", ""), tags

    return articles


def home(program: Program, peers: Peers) -> Blueprint:
    """The front page, which stays in the monolith."""
    front = Blueprint("home", __name__)

    @front.get("/")
    def index() -> str:
        number = max(1, request.args.get("page", 1, int))
        found = program.store.find("article", state="published", limit=13, offset=(number - 1) * 12)
        names = peers.names(article["author"] for article in found)
        return render_template(
            "home.html", articles=found[:12], names=names, page=number, more=len(found) > 12
        )

    return front
