"""Who is signed in: a signed, stateless session that the monolith and every service can read."""

import hashlib
import hmac
import time

from flask import Request, Response, abort

SESSION = "session"
USER = "uid"
"""Cookie with the user's id: LaunchDarkly's context key. It proves nothing; the session does."""
LIFETIME = 7 * 24 * 3600


def make_session(secret: str, user: str) -> str:
    """`user.expiry.signature`; expiry in Unix seconds."""
    text = f"{user}.{int(time.time()) + LIFETIME}"
    return f"{text}.{_sign(secret, text)}"


def read_session(secret: str, session: str) -> str | None:
    """The user's id, if the session is genuine and not over."""
    text, _, signature = session.rpartition(".")
    user, _, expiry = text.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _sign(secret, text).encode()):
        return None
    return user if expiry.isdecimal() and int(expiry) > time.time() else None


def session_of(request: Request) -> str:
    """From the cookie of a browser or the bearer token of an API client."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else request.cookies.get(SESSION, "")


def current_user(secret: str, request: Request) -> str | None:
    return read_session(secret, session_of(request))


def required_user(secret: str, request: Request) -> str:
    """Ends the request with 401 if nobody is signed in."""
    user = current_user(secret, request)
    if user is None:
        abort(401, "sign in first")
    return user


def sign_in(response: Response, session: str, user: str) -> None:
    for name, value in ((SESSION, session), (USER, user)):
        response.set_cookie(name, value, max_age=LIFETIME, httponly=True, samesite="Lax")


def sign_out(response: Response) -> None:
    for name in (SESSION, USER):
        response.delete_cookie(name, httponly=True, samesite="Lax")


def hash_password(password: str, salt: bytes) -> str:
    key = hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1)
    return f"{salt.hex()}:{key.hex()}"


def check_password(password: str, hashed: str) -> bool:
    salt, _, _ = hashed.partition(":")
    return hmac.compare_digest(hash_password(password, bytes.fromhex(salt)), hashed)


def _sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
