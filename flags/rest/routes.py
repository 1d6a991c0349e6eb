"""REST endpoints, LaunchDarkly's paths. Reads and changes the store; never touches streams."""

import re
from typing import Any, Final

from flask import Blueprint, Flask, Response, jsonify, render_template, request
from pydantic_core import from_json
from werkzeug.exceptions import HTTPException

from flags import patch
from flags.auth import require_member
from flags.credentials import Credentials
from flags.errors import NotFound, Rejected
from flags.rest.creation import create
from flags.rest.representation import entry_json, flag_json
from flags.store import Actor, Store, new_id, new_salt, now_ms

SEMANTIC_PATCH: Final = "launchdarkly.semanticpatch"
_SPEC: Final = re.compile(r"proj/[^:;]*:env/[^:;]*:flag/([A-Za-z0-9._-]+)")


def rest(store: Store, credentials: Credentials) -> Blueprint:
    """The blueprint of `/api/v2`."""
    api = Blueprint("rest", __name__, url_prefix="/api/v2")
    project, environment = credentials.project, credentials.environment

    def actor() -> Actor:
        return require_member(credentials, {k.lower(): v for k, v in request.headers.items()})

    @api.before_request
    def _authenticate() -> None:
        actor()
        given = (request.view_args or {}).get("project", project)
        if given != project:
            raise NotFound(f"project {given!r} does not exist; this server has {project!r}")

    @api.get("/caller-identity")
    def caller_identity() -> Response:
        return jsonify(memberId=actor().member, tokenName=actor().member, projectName=project)

    @api.get("/projects")
    def projects() -> Response:
        return jsonify(items=[_named(project)], totalCount=1)

    @api.get("/projects/<project>")
    def one_project(project: str) -> Response:
        return jsonify(_named(project) | {"environments": {"items": [_named(environment)]}})

    @api.get("/projects/<project>/environments")
    def environments(project: str) -> Response:
        return jsonify(items=[_named(environment)], totalCount=1)

    @api.get("/projects/<project>/environments/<name>")
    def one_environment(project: str, name: str) -> Response:
        _require_environment(name, environment)
        return jsonify(_named(name) | {"id": credentials.client_side_id})

    @api.get("/flags/<project>")
    def list_flags(project: str) -> Response:
        _require_environment(request.args.get("env"), environment)
        tag, limit, offset = request.args.get("tag"), _number("limit", 1000), _number("offset", 0)
        found = [f for f in store.flags() if tag is None or tag in f.tags]
        return jsonify(
            items=[flag_json(f, project, environment) for f in found[offset : offset + limit]],
            totalCount=len(found),
        )

    @api.post("/flags/<project>")
    def create_flag(project: str) -> tuple[Response, int]:
        flag = create(_body(), new_id=new_id, salt=new_salt(), now_ms=now_ms())
        return jsonify(flag_json(store.create(flag, actor()), project, environment)), 201

    @api.get("/flags/<project>/<key>")
    def get_flag(project: str, key: str) -> Response:
        _require_environment(request.args.get("env"), environment)
        return jsonify(flag_json(store.flag(key), project, environment))

    @api.patch("/flags/<project>/<key>")
    def patch_flag(project: str, key: str) -> Response:
        if request.mimetype_params.get("domain-model") != SEMANTIC_PATCH:
            raise Rejected(
                "Content-Type: expected "
                f"application/json; domain-model={SEMANTIC_PATCH}, found {request.content_type!r}"
            )
        wanted = patch.parse(_body())
        _require_environment(wanted.environmentKey, environment)
        flag = store.patch(key, wanted.instructions, wanted.comment, actor())
        return jsonify(flag_json(flag, project, environment))

    @api.delete("/flags/<project>/<key>")
    def delete_flag(project: str, key: str) -> tuple[str, int]:
        store.delete(key, actor())
        return "", 204

    @api.get("/auditlog")
    def audit_log() -> Response:
        spec = request.args.get("spec")
        flag = None
        if spec is not None:
            match = _SPEC.fullmatch(spec)
            if match is None:
                raise Rejected(f"spec: expected proj/P:env/E:flag/KEY, found {spec!r}")
            flag = match[1]
        entries = store.audit(flag=flag, limit=_number("limit", 20), offset=_number("offset", 0))
        return jsonify(
            items=[entry_json(e, project, environment) for e in entries],
            totalCount=len(entries),
            _links={"self": {"href": "/api/v2/auditlog", "type": "application/json"}},
        )

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
    def _http(error: HTTPException) -> tuple[Response | str, int]:
        code = (error.name or "error").lower().replace(" ", "_")
        return answer(code, error.description or error.name, error.code or 500)


def _named(key: str) -> dict[str, Any]:
    return {"_id": key, "key": key, "name": key, "tags": []}


def _body() -> object:
    """Strict JSON: no NaN, no lone surrogates, bounded depth."""
    try:
        return from_json(request.get_data(), allow_inf_nan=False)
    except ValueError as error:
        raise Rejected(f"body: expected a JSON object: {error}") from None


def _number(name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise Rejected(f"{name}: expected a number, found {text!r}")
    return min(int(text), 1000) if name == "limit" else int(text)


def _require_environment(given: str | None, environment: str) -> None:
    if given is not None and given != environment:
        raise NotFound(f"environment {given!r} does not exist; this server has {environment!r}")
