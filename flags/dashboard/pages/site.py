"""What all pages share: where the person is, who they are, headers, errors, names in templates."""

from dataclasses import dataclass
from typing import Any, Final

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from flags.dashboard import words
from flags.dashboard.forms.clauses import OPERATORS
from flags.dashboard.forms.serving import PERCENTAGES, shares
from flags.dashboard.live import Live
from flags.dashboard.session import csrf, local_page
from flags.errors import NotFound, Rejected
from flags.model import Environment, Flag, Token
from flags.roles import Role
from flags.store import Actor, Store, now_ms

Answer = AnyResponse | str | tuple[str, int]
IN_ENVIRONMENT: Final = "/p/<project>/<environment>"
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Site:
    store: Store
    live: Live


def project() -> str:
    """Key of the project that the page is about."""
    return str(g.project)


def environment() -> Environment:
    found: Environment = g.environment
    return found


def token() -> Token:
    found: Token = g.token
    return found


def actor() -> Actor:
    return Actor(member=token().member, via="dashboard")


def require(role: Role, what: str) -> None:
    """Raises `Forbidden` unless whoever is signed in has the role."""
    token().role.require(role, what)


def back(endpoint: str, **values: Any) -> AnyResponse:
    """To the page that the form was on, or to `endpoint`."""
    wanted = request.form.get("back")
    return redirect(local_page(wanted) if wanted else url_for(endpoint, **values))


def done(message: str) -> None:
    flash(message, "done")


def prepare(ui: Blueprint, site: Site) -> None:
    @ui.url_value_preprocessor
    def _where(_: str | None, values: dict[str, Any] | None) -> None:
        """Every page has its project and environment in its path; views need not know."""
        values = values if values is not None else {}
        g.project, g.environment_key = values.pop("project", None), values.pop("environment", None)

    @ui.app_url_defaults
    def _here(endpoint: str, values: dict[str, Any]) -> None:
        if current_app.url_map.is_endpoint_expecting(endpoint, "environment"):
            values.setdefault("project", g.get("project"))
            values.setdefault("environment", g.get("environment_key"))

    @ui.before_request
    def _load() -> None:
        if g.environment_key is not None:
            g.environment = site.store.environments.get(g.project, g.environment_key)

    @ui.get("/")
    def first() -> Answer:
        for known in site.store.environments.projects():
            for one in site.store.environments.of(known.key):
                return redirect(url_for(".flags", project=known.key, environment=one.key))
        raise NotFound("there is no project yet")

    @ui.app_context_processor
    def _names() -> dict[str, Any]:
        return {**_PURE, **_person(), **_place(site)}

    @ui.after_app_request
    def _harden(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", _POLICY)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "no-referrer")
        if not request.path.startswith("/static/"):
            headers.setdefault("Cache-Control", "no-store")
        return response

    @ui.errorhandler(Rejected)
    def _rejected(error: Rejected) -> Answer:
        return render_template(
            "problem.html", message=str(error), status=error.status
        ), error.status

    @ui.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Answer:
        message, status = error.description or error.name, error.code or 500
        return render_template("problem.html", message=message, status=status), status


def _person() -> dict[str, Any]:
    if "token" not in g:
        return {"token": None}
    return {
        "token": g.token,
        "csrf": csrf(),
        "may_change": g.token.role.allows(Role.OPERATOR),
        "may_administer": g.token.role.allows(Role.ADMIN),
    }


def _place(site: Site) -> dict[str, Any]:
    if "environment" not in g or "token" not in g:
        return {"environment": None}
    return {
        "project": g.project,
        "environment": g.environment,
        "connections": site.live.connections(g.project, g.environment_key),
        "places": [
            (known, site.store.environments.of(known.key))
            for known in site.store.environments.projects()
        ],
        "elsewhere": _elsewhere,
        "now": now_ms(),
    }


def _elsewhere(project: str, environment: str) -> str:
    """The same page in another environment, where it has one."""
    endpoint = request.endpoint if request.endpoint in _EVERYWHERE else "dashboard.flags"
    values = dict(request.view_args or {})
    if endpoint == "dashboard.flags" or (project != g.project and values):
        endpoint, values = "dashboard.flags", {}
    return url_for(endpoint, **{**values, "project": project, "environment": environment})


def _shares(flag: Flag, environment: str) -> list[Any]:
    """Of the default rule, in percent."""
    return shares(flag.config(environment).fallthrough, len(flag.variations))


_EVERYWHERE: Final = frozenset(
    f"dashboard.{name}"
    for name in (
        "flags flag evaluations scheduled flag_settings flag_history history segments sdks "
        "environments tokens"
    ).split()
)
_PURE: Final = {
    "words": words,
    "shares_of": _shares,
    "STAGES": words.STAGES,
    "OPERATORS": OPERATORS,
    "PERCENTAGES": PERCENTAGES,
}
