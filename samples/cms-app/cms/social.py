"""A small social network for the sample to post to. `python -m cms.social`.

Posts are in memory. A post is known by its Idempotency-Key: the same key is the same post.
"""

import os
import threading
from typing import Any

from flask import Flask, Response, abort, jsonify, request

from cms.kit import server


def create() -> Flask:
    app = Flask("social")
    posts: dict[str, dict[str, Any]] = {}
    repeated = 0
    lock = threading.Lock()

    @app.get("/readyz")
    def readyz() -> Response:
        return jsonify(status="ok")

    @app.get("/posts")
    def show() -> Response:
        return jsonify(posts=list(posts.values()), repeated=repeated)

    @app.post("/posts")
    def add() -> tuple[Response, int]:
        nonlocal repeated
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            abort(400, "Idempotency-Key is missing")
        data = request.get_json()
        with lock:
            if key in posts:
                repeated += 1
                return jsonify(posts[key]), 200
            posts[key] = {
                "id": str(len(posts) + 1),
                "text": str(data.get("text", ""))[:280],
                "link": data.get("link"),
                "image": data.get("image"),
            }
            return jsonify(posts[key]), 201

    return app


def main() -> None:
    server.run(create(), int(os.environ["PORT"]), ())


if __name__ == "__main__":
    main()
