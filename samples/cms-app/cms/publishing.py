"""Posts to social networks: an outbox that loses nothing and posts nothing twice.

The social network knows a post by its idempotency key, so sending again after a crash is harmless.
A post is sent by the store that made it: the copy on the other side only shows it.
"""

import logging
import threading
import time
from collections.abc import Callable

import httpx
from flask import Blueprint, Response, abort, jsonify, request

from cms.kit.identity import required_user
from cms.kit.program import Program
from cms.kit.store import Document, Store

RETRY = 0.5
"""Seconds between two attempts to send what is queued."""

logger = logging.getLogger(__name__)


def enqueue(store: Store, announcement: Document) -> Document:
    """Queue the post of an announcement, once for each article and revision."""
    id = f"{announcement['article']}.{announcement['revision']}"
    known = store.get("post", id)
    if known is not None:
        return known
    post = {
        "id": id,
        "article": announcement["article"],
        "text": announcement["title"],
        "link": f"/articles/{announcement['article']}",
        "image": announcement.get("image"),
        "state": "queued",
        "owner": store.source,
        "created": time.time(),
    }
    store.put("post", post)
    return post


def routes(program: Program, wake: Callable[[], None]) -> Blueprint:
    """`wake`: called after something was queued."""
    posts = Blueprint("publishing", __name__)

    @posts.get("/api/posts")
    def show() -> Response:
        article = request.args.get("article")
        store = program.store
        found = store.find("post", article=article) if article else store.find("post")
        return jsonify(posts=found)

    @posts.post("/api/posts")
    def add() -> tuple[Response, int]:
        required_user(program.secret(), request)
        data = request.get_json()
        if not isinstance(data, dict) or not all(
            isinstance(data.get(name), str) and data[name]
            for name in ("article", "revision", "title")
        ):
            abort(400, "expected article, revision and title")
        post = enqueue(program.store, data)
        wake()
        return jsonify(post), 202

    return posts


class Sender:
    """Sends what is queued, in a thread. `allowed` says whether posts may leave now."""

    def __init__(self, program: Program, allowed: Callable[[], bool]) -> None:
        self._store = program.store
        self._allowed = allowed
        self._http = httpx.Client(base_url=program.settings.social, timeout=3.0, trust_env=False)
        self._work = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def wake(self) -> None:
        self._work.set()

    def _run(self) -> None:
        while True:
            queued = self._store.find("post", state="queued", owner=self._store.source)
            if self._allowed():
                for post in queued:
                    self._send(post)
            self._work.wait(RETRY if queued else None)
            self._work.clear()

    def _send(self, post: Document) -> None:
        body = {"text": post["text"], "link": post["link"], "image": post["image"]}
        try:
            answer = self._http.post("/posts", json=body, headers={"Idempotency-Key": post["id"]})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            logger.info("post.failed id=%s %r", post["id"], error)
            return
        self._store.put("post", {**post, "state": "sent", "remote": answer.json()["id"]})
