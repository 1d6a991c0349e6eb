"""Sign-in with an API token, sessions, CSRF tokens, and the Host check.

The cookie carries a session's secret, whose hash the store has: after sign-out, or when the token
is revoked, a copied cookie is worth nothing. A page on another site must not be able to change a
flag through a signed-in browser: the cookie is SameSite=Strict, every form carries a token, and
unknown Host headers are refused (DNS rebinding).
"""

import hmac
import re
from hashlib import sha256
from typing import Final, cast
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, redirect, render_template, request, session
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature
from werkzeug.wrappers import Response

from flags.model import Token
from flags.store import Store
from flags.store.tokens import SESSION_AGE

COOKIE: Final = "flags_session"
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_PAGE: Final = re.compile(r"/(?![/\\])[\x21-\x7e]*")
"""A path of this server: no other site, whatever a browser makes of it."""


def install(app: Flask, store: Store, host: str) -> None:
    """Add `/login`, `/logout` and the checks before every request that is not of the REST API."""
    app.config.update(
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        PERMANENT_SESSION_LIFETIME=SESSION_AGE,
    )
    hosts = _LOCAL | {host.strip("[]")}

    @app.before_request
    def _check() -> Response | tuple[str, int] | None:
        if request.path.startswith("/api/"):
            return None
        if urlsplit(f"//{request.host}").hostname not in hosts:
            abort(421, "This host name is not served here.")
        if request.endpoint in {"login", "static", "dashboard.static"}:
            return None
        token = _token(store, session.get("sid"))
        if token is None:
            return _sign_in_page(request.full_path.rstrip("?"), 401)
        g.token = token
        if request.method not in {"GET", "HEAD"} and not hmac.compare_digest(
            request.form.get("csrf", "").encode(), csrf().encode()
        ):
            abort(403, "The form is too old, or came from elsewhere. Load the page again.")
        return None

    @app.route("/login", methods=["GET", "POST"])
    def login() -> Response | tuple[str, int] | str:
        wanted, given = local_page(request.values.get("next", "/")), request.form.get("token")
        if given is None:
            return _sign_in_page(wanted, 200)
        token = store.tokens.find(given.strip())
        if token is None:
            return _sign_in_page(wanted, 401, refused=True)
        _end(store)
        session["sid"] = store.tokens.sign_in(token)
        return redirect(wanted)

    @app.post("/logout")
    def logout() -> Response:
        _end(store)
        return redirect("/login")


def signed_in(app: Flask, store: Store, cookie: str | None) -> Token | None:
    """Whose session `cookie` is, for endpoints that Flask does not serve."""
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    if cookie is None or serializer is None:
        return None
    try:
        carried = serializer.loads(cookie, max_age=SESSION_AGE)
    except BadSignature:
        return None
    return _token(store, carried.get("sid")) if isinstance(carried, dict) else None


def csrf() -> str:
    """The token that every form of this session carries."""
    key = current_app.config["SECRET_KEY"]
    secret = key.encode() if isinstance(key, str) else cast(bytes, key)
    return hmac.new(secret, b"csrf:" + str(session["sid"]).encode(), sha256).hexdigest()


def _token(store: Store, sid: object) -> Token | None:
    return store.tokens.signed_in(sid) if isinstance(sid, str) else None


def _end(store: Store) -> None:
    sid = session.get("sid")
    if isinstance(sid, str):
        store.tokens.sign_out(sid)
    session.clear()


def _sign_in_page(wanted: str, status: int, *, refused: bool = False) -> tuple[str, int]:
    return render_template("login.html", next=local_page(wanted), refused=refused), status


def local_page(wanted: str) -> str:
    """`wanted` where it is a page of this server to go on with, else the first one."""
    if _PAGE.fullmatch(wanted) and urlsplit(wanted).path not in {"/login", "/logout"}:
        return wanted
    return "/"
