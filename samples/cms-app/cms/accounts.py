"""Users, sign-in and profiles: the user-management service's code, inside the monolith at first."""

import time

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from cms.kit.identity import (
    check_password,
    make_session,
    required_user,
    sign_in,
    sign_out,
)
from cms.kit.program import Program
from cms.kit.store import Document


def public(user: Document) -> Document:
    """What others may know of a user."""
    return {name: user[name] for name in ("id", "name", "display_name", "bio", "created")}


def routes(program: Program) -> Blueprint:
    accounts = Blueprint("accounts", __name__)
    store = program.store

    def authenticate(name: str, password: str) -> Document:
        found = store.find("user", name=name, limit=1)
        if not found:
            program.catch_up()
            found = store.find("user", name=name, limit=1)
        if not found or not check_password(password, found[0]["password"]):
            abort(403, "name or password is wrong")
        return found[0]

    def change_profile(display_name: str, bio: str) -> Document:
        user = store.get("user", required_user(program.secret(), request))
        if user is None:
            abort(404, "no such user")
        if not 1 <= len(display_name) <= 80 or len(bio) > 500:
            abort(400, "display_name needs 1 to 80 characters, bio at most 500")
        changed = {**user, "display_name": display_name, "bio": bio, "updated": time.time()}
        store.put("user", changed)
        return changed

    @accounts.post("/api/session")
    def open_session() -> Response:
        data = request.get_json()
        user = authenticate(str(data.get("name", "")), str(data.get("password", "")))
        session = make_session(program.secret(), user["id"])
        response = jsonify(user=public(user), token=session)
        sign_in(response, session, user["id"])
        return response

    @accounts.delete("/api/session")
    def close_session() -> Response:
        response = Response(status=204)
        sign_out(response)
        return response

    @accounts.get("/api/users")
    def list_users() -> Response:
        """All, or those of `?ids=a,b,c`."""
        if "ids" not in request.args:
            return jsonify(users=[public(user) for user in store.find("user", limit=200)])
        ids = request.args["ids"].split(",")[:100]
        found = (store.get("user", id) for id in ids)
        return jsonify(users=[public(user) for user in found if user])

    @accounts.get("/api/users/<id>")
    def get_user(id: str) -> Response:
        user = store.get("user", id)
        if user is None:
            program.catch_up()
            user = store.get("user", id)
        if user is None:
            abort(404, "no such user")
        return jsonify(public(user))

    @accounts.get("/api/profile")
    def get_profile() -> Response:
        return get_user(required_user(program.secret(), request))

    @accounts.put("/api/profile")
    def put_profile() -> Response:
        data = request.get_json()
        user = change_profile(str(data.get("display_name", "")), str(data.get("bio", "")))
        return jsonify(public(user))

    @accounts.get("/sign-in")
    def sign_in_page() -> str:
        return render_template("sign_in.html")

    @accounts.post("/sign-in")
    def sign_in_form() -> AnyResponse:
        user = authenticate(request.form.get("name", ""), request.form.get("password", ""))
        response = redirect("/")
        sign_in(response, make_session(program.secret(), user["id"]), user["id"])  # type: ignore[arg-type] # Flask's redirect gives its own response class
        return response

    @accounts.post("/sign-out")
    def sign_out_form() -> AnyResponse:
        response = redirect("/")
        sign_out(response)  # type: ignore[arg-type] # as above
        return response

    @accounts.get("/profile")
    def profile_page() -> str:
        user = store.get("user", required_user(program.secret(), request))
        return render_template("profile.html", user=user)

    @accounts.post("/profile")
    def profile_form() -> AnyResponse:
        change_profile(request.form.get("display_name", ""), request.form.get("bio", ""))
        return redirect("/profile")

    return accounts
