"""The Flask application that every program starts from: health, feed, errors, origin headers."""

import secrets
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    jsonify,
    render_template,
    request,
)
from werkzeug.exceptions import HTTPException

from cms.kit import faults
from cms.kit.follower import LONG_POLL
from cms.kit.identity import current_user
from cms.kit.settings import Settings
from cms.kit.store import Store, change_json

MAX_BODY = 2 * 1024 * 1024
ROOT = Path(__file__).parents[1]


def create(settings: Settings, store: Store, ready: Callable[[], str]) -> Flask:
    """`ready` says what is still awaited; nothing: ready."""
    app = Flask("cms", root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json.ensure_ascii = False  # type: ignore[attr-defined] # of the default provider
    internal = Blueprint("internal", __name__, url_prefix="/internal")
    _feed(internal, settings, store)
    if settings.fault_injection:
        faults.install(app, settings, internal)
    app.register_blueprint(internal)

    @app.before_request
    def same_origin() -> None:
        """A page of another site cannot post with our cookies (besides SameSite=Lax)."""
        origin = request.headers.get("Origin")
        safe = request.method in ("GET", "HEAD", "OPTIONS")
        if origin and not safe and urlsplit(origin).netloc != request.host:
            abort(403, "this request comes from another site")

    @app.after_request
    def name_origin(response: Response) -> Response:
        response.headers["X-CMS-Origin"] = settings.name
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @app.context_processor
    def page_data() -> dict[str, object]:
        return {"signed_in": current_user(settings.session_secret, request)}

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        awaited = ready()
        return jsonify(status=awaited or "ok"), 503 if awaited else 200

    app.register_error_handler(HTTPException, _error)
    app.register_error_handler(Exception, _crash(app))
    return app


def _feed(internal: Blueprint, settings: Settings, store: Store) -> None:
    @internal.before_request
    def check_token() -> None:
        given = request.headers.get("X-Internal-Token", "")
        if not secrets.compare_digest(given.encode(), settings.internal_token.encode()):
            abort(404)

    @internal.get("/changes")
    def changes() -> Response:
        """A page of the feed. A position in another feed (the file was made anew) counts as 0."""
        kinds = request.args.get("kinds", "").split(",")
        after = request.args.get("after", 0, int)
        if request.args.get("feed") != store.feed_id:
            after = 0
        wait = min(request.args.get("wait", 0.0, float), LONG_POLL)
        limit = min(request.args.get("limit", 100, int), 1000)
        found = store.changes(after, kinds, limit, wait)
        return jsonify(feed=store.feed_id, changes=[change_json(change) for change in found])

    @internal.get("/blobs/<sha256>")
    def blob(sha256: str) -> Response:
        content = store.blob(sha256)
        if content is None:
            abort(404)
        return Response(content, content_type="application/octet-stream")


def _error(error: Exception) -> tuple[Response | str, int]:
    code, text = 500, "something went wrong"
    if isinstance(error, HTTPException):
        code, text = error.code or 500, error.description or ""
    if wants_json():
        return jsonify(error=text), code
    return render_template("error.html", title=HTTPStatus(code).phrase, text=text), code


def _crash(app: Flask) -> Callable[[Exception], tuple[Response | str, int]]:
    def handle(error: Exception) -> tuple[Response | str, int]:
        app.logger.exception("request failed", exc_info=error)
        return _error(error)

    return handle


def wants_json() -> bool:
    return request.path.startswith(("/api/", "/internal/"))
