"""The dashboard's pages: list, flag, audit log. Changes go through the store like everybody's."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from flags import patch
from flags.dashboard.forms import fallthrough_instruction, percentages, target_instruction
from flags.errors import NotFound, Rejected
from flags.model import Flag
from flags.store import Actor, Store

Instruct = Callable[[Flag, Mapping[str, str]], Mapping[str, Any]]


def pages(
    store: Store, connections: Callable[[], int], project: str, environment: str
) -> Blueprint:
    """The blueprint of `/`. `connections` counts SDK streams."""
    ui = Blueprint("dashboard", __name__)

    @ui.app_context_processor
    def _common() -> dict[str, object]:
        return {
            "project": project,
            "environment": environment,
            "connections": connections(),
            "percentages": percentages,
        }

    @ui.app_template_filter("moment")
    def _moment(ms: int) -> str:
        return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).strftime(
            "%Y-%m-%d %H:%M:%S"
        )

    @ui.after_app_request
    def _harden(response: Response) -> Response:
        response.headers.setdefault(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
            "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        return response

    @ui.get("/")
    def index() -> str:
        words, tag = request.args.get("q", "").lower().split(), request.args.get("tag")
        flags = store.flags()
        shown = [
            f
            for f in flags
            if (tag is None or tag in f.tags)
            and all(w in f"{f.key} {f.name} {f.description}".lower() for w in words)
        ]
        return render_template(
            "index.html",
            groups=_groups(shown),
            total=len(flags),
            tags=sorted({t for f in flags for t in f.tags}),
            tag=tag,
            last={e.flag: e for e in reversed(store.audit(limit=500))},
        )

    @ui.get("/flags/<key>")
    def flag(key: str) -> str:
        return render_template("flag.html", flag=store.flag(key), entries=store.audit(flag=key))

    @ui.post("/flags/<key>/<action>")
    def change(key: str, action: str) -> AnyResponse:
        instruct = _ACTIONS.get(action)
        if instruct is None:
            raise NotFound(f"no such action {action!r}")
        try:
            wanted = patch.parse(
                {
                    "comment": request.form.get("comment", "").strip(),
                    "instructions": [instruct(store.flag(key), request.form)],
                }
            )
            actor = Actor(member=session["member"], via="dashboard")
            store.patch(key, wanted.instructions, wanted.comment, actor)
        except Rejected as error:
            flash(str(error))
        back = request.form.get("back")
        return redirect(
            url_for("dashboard.index") if back == "index" else url_for("dashboard.flag", key=key)
        )

    @ui.get("/audit")
    def audit() -> str:
        return render_template("audit.html", entries=store.audit(limit=200))

    return ui


_ACTIONS: Mapping[str, Instruct] = {
    "on": lambda _flag, _form: {"kind": "turnFlagOn"},
    "off": lambda _flag, _form: {"kind": "turnFlagOff"},
    "fallthrough": fallthrough_instruction,
    "target": target_instruction,
}


def _groups(flags: Sequence[Flag]) -> list[tuple[str, list[Flag]]]:
    """Flags by what they are for, empty groups left out."""
    groups = (
        ("Capabilities", [f for f in flags if f.kind == "migration"]),
        ("Services", [f for f in flags if f.kind != "migration" and "ops" in f.tags]),
        ("Other flags", [f for f in flags if f.kind != "migration" and "ops" not in f.tags]),
    )
    return [(title, members) for title, members in groups if members]
