"""The blueprint of `/api/v2`, and the shape of errors. Reads and changes the store, no streams."""

from flask import (
    Blueprint,
    Flask,
    Response,
    jsonify,
    make_response,
    render_template,
    request,
)
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from flags.errors import NotFound, Rejected
from flags.rest.audit import add_audit
from flags.rest.custom_events import add_custom_events
from flags.rest.environments import add_environments
from flags.rest.exchange import add_exchange
from flags.rest.flags import add_flags
from flags.rest.openapi import document
from flags.rest.requests import authenticate
from flags.rest.schedule import add_schedule
from flags.rest.segments import add_segments
from flags.rest.tokens import add_tokens
from flags.store import Store


def rest(store: Store) -> Blueprint:
    """Every path but `openapi.json` needs an API token."""
    api = Blueprint("rest", __name__, url_prefix="/api/v2")

    @api.before_request
    def _check() -> None:
        if any("\0" in given for given in (request.path, *request.args.values())):
            raise NotFound("the character U+0000 is in no key")
        if request.endpoint != "rest.openapi":
            authenticate(store)

    @api.get("/openapi.json")
    def openapi() -> Response:
        return jsonify(document())

    add_flags(api, store)
    add_segments(api, store)
    add_environments(api, store)
    add_tokens(api, store)
    add_audit(api, store)
    add_schedule(api, store)
    add_custom_events(api, store)
    add_exchange(api, store)
    return api


def install_errors(app: Flask) -> None:
    """LaunchDarkly's error shape for everything below `/api/`, a page elsewhere."""

    def answer(code: str, message: str, status: int) -> tuple[Response | str, int]:
        if request.path.startswith("/api/"):
            return jsonify(code=code, message=message), status
        return render_template("problem.html", message=message), status

    @app.errorhandler(Rejected)
    def _rejected(error: Rejected) -> tuple[Response | str, int]:
        return answer(error.code, str(error), error.status)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        code = (error.name or "error").lower().replace(" ", "_")
        response = make_response(answer(code, error.description or error.name, error.code or 500))
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = ", ".join(error.valid_methods or ())
        return response
