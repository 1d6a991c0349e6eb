"""Sign-in with an API token, sessions in a signed cookie, CSRF tokens, and the Host check.

A page on another site must not be able to change a flag through a signed-in browser: the cookie is
SameSite=Strict, every form carries a token, and unknown Host headers are refused (DNS rebinding).
"""

import hmac
import secrets
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, abort, redirect, render_template, request, session
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadSignature
from werkzeug.wrappers import Response

from flags.credentials import Credentials

COOKIE: Final = "flags_session"
MAX_AGE: Final = 12 * 3600
"""Seconds after which a signed cookie is worth nothing."""
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def install(app: Flask, credentials: Credentials, host: str) -> None:
    """Add `/login`, `/logout` and the checks before every dashboard request."""
    app.config.update(
        SECRET_KEY=credentials.session_secret,
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        PERMANENT_SESSION_LIFETIME=MAX_AGE,
    )
    hosts = _LOCAL | {host}

    @app.before_request
    def _check() -> Response | tuple[str, int] | None:
        if request.path.startswith("/api/"):
            return None
        if urlsplit(f"//{request.host}").hostname not in hosts:
            abort(421, "This host name is not served here.")
        if request.endpoint in {"static", "login"}:
            return None
        if session.get("member") not in credentials.tokens:
            return render_template("login.html"), 401
        if request.method == "POST" and not hmac.compare_digest(
            request.form.get("csrf", "").encode(), session["csrf"].encode()
        ):
            abort(403, "The form is too old, or came from elsewhere. Load the page again.")
        return None

    @app.route("/login", methods=["GET", "POST"])
    def login() -> Response | tuple[str, int]:
        member = credentials.member(request.values.get("token", ""))
        if member is None:
            return render_template("login.html", refused="token" in request.values), 401
        session.clear()
        session.update(member=member, csrf=secrets.token_urlsafe(24))
        return redirect("/")

    @app.post("/logout")
    def logout() -> Response:
        session.clear()
        return redirect("/")


def signed_in(app: Flask, credentials: Credentials, cookie: str | None) -> bool:
    """Whether `cookie` is a member's session; for endpoints that Flask does not serve."""
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    if cookie is None or serializer is None:
        return False
    try:
        return serializer.loads(cookie, max_age=MAX_AGE).get("member") in credentials.tokens
    except BadSignature:
        return False
