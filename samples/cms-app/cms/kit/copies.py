"""Copies of writes that the other side has already done.

The proxy sends such a write here, too, and the feed brings what it changed. Whichever comes first,
it counts once: a write leaves its Idempotency-Key in the store, in its own transaction, and the
feed carries the key along.
"""

from collections.abc import Sequence

from flask import Flask, Response, abort, has_request_context, jsonify, request

from cms.kit.follower import Follower
from cms.kit.store import APPLIED, Store

KEY = "Idempotency-Key"
MIRROR = "X-Migrator-Mirror"
"""Put there by the proxy: `read`, `write` or `probe`."""


def request_id() -> str | None:
    """What identifies the write that is being handled here, on both sides."""
    if not has_request_context() or KEY not in request.headers:
        return None
    return f"{request.method} {request.path} {request.headers[KEY]}"


def install(app: Flask, store: Store, followers: Sequence[Follower]) -> None:
    """Answer copies of what is here already; do the others."""

    @app.before_request
    def known() -> tuple[Response, int] | None:
        id = request_id()
        if id is None or request.headers.get(MIRROR) != "write":
            return None
        reached = True
        for follower in followers:
            if store.get(APPLIED, id) is None:
                reached = follower.catch_up() and reached
        if store.get(APPLIED, id) is not None:
            return jsonify(status="applied already"), 200
        if not reached:
            # It may be there: to do it again under another id would double it.
            abort(503, "the other side does not answer")
        return None
