"""The list of segments, and making one."""

from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from flags.dashboard.forms.fields import Form, comment
from flags.dashboard.forms.newflag import new_segment
from flags.dashboard.pages.changing import Refused
from flags.dashboard.pages.site import (
    IN_ENVIRONMENT,
    Answer,
    Site,
    actor,
    done,
    environment,
    project,
    require,
)
from flags.errors import Rejected
from flags.model import Clause, Flag
from flags.roles import Role
from flags.store import new_salt, now_ms

_SEGMENTS: Final = f"{IN_ENVIRONMENT}/segments"


def add(ui: Blueprint, site: Site) -> None:
    @ui.get(_SEGMENTS)
    def segments() -> Answer:
        every = site.store.segments.all(project(), environment().key)
        wanted = request.args.get("q", "").strip()
        shown = [s for s in every if _found(wanted, f"{s.key} {s.name} {s.description}")]
        flags = site.store.flags.all(project())
        return render_template(
            "segments.html",
            segments=shown,
            total=len(every),
            wanted=wanted,
            used={s.key: users(flags, environment().key, s.key) for s in shown},
        )

    @ui.get(f"{IN_ENVIRONMENT}/new-segment")
    def new_segment_page() -> Answer:
        require(Role.OPERATOR, "making a segment")
        return page(MultiDict())

    @ui.post(f"{IN_ENVIRONMENT}/new-segment")
    def create_segment() -> Answer:
        require(Role.OPERATOR, "making a segment")
        try:
            made = site.store.segments.create(
                project(),
                environment().key,
                new_segment(request.form, salt=new_salt(), now_ms=now_ms()),
                actor(),
                comment(request.form),
            )
        except Rejected as error:
            return page(request.form, Refused.of("new", error)), error.status
        done(f"You made the segment {made.key}. Nobody is in it yet.")
        return redirect(url_for(".segment", key=made.key))

    def page(typed: Form, refused: Refused | None = None) -> str:
        return render_template("new_segment.html", typed=typed, refused=refused)


def users(flags: list[Flag], environment: str, key: str) -> list[str]:
    """Flags whose rules match on the segment `key` here."""

    def names(clause: Clause) -> bool:
        return clause.op == "segmentMatch" and key in clause.values

    return [
        flag.key
        for flag in flags
        if any(names(c) for rule in flag.config(environment).rules for c in rule.clauses)
    ]


def _found(wanted: str, text: str) -> bool:
    return all(word in text.casefold() for word in wanted.casefold().split())
