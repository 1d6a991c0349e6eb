"""The list of flags, and making one."""

from flask import Blueprint, render_template, request
from werkzeug.datastructures import MultiDict

from flags.dashboard.forms.fields import Form, comment
from flags.dashboard.forms.newflag import new_flag
from flags.dashboard.listing import Filter, groups, tags
from flags.dashboard.pages.changing import Refused
from flags.dashboard.pages.site import (
    IN_ENVIRONMENT,
    Answer,
    Site,
    actor,
    back,
    done,
    environment,
    project,
    require,
)
from flags.errors import Rejected
from flags.roles import Role
from flags.store import Entry, new_id, now_ms

RECENT_ENTRIES = 500
"""Of the audit log, in which a flag's last change is looked for."""


def add(ui: Blueprint, site: Site) -> None:
    @ui.get(f"{IN_ENVIRONMENT}/")
    def flags() -> Answer:
        wanted, every = Filter.read(request.args), site.store.flags.all(project())
        shown = [flag for flag in every if wanted.shows(flag)]
        return render_template(
            "flags.html",
            groups=groups(shown),
            shown=len(shown),
            total=len(every),
            archived=sum(flag.archived for flag in every),
            tags=tags(every),
            wanted=wanted,
            last=last_changes(site),
            evaluated=site.store.evaluations.last_minutes(project(), environment().key),
            here=request.full_path.rstrip("?"),
        )

    @ui.get(f"{IN_ENVIRONMENT}/new-flag")
    def new_flag_page() -> Answer:
        require(Role.OPERATOR, "making a flag")
        return page(MultiDict({"kind": "boolean"}))

    @ui.post(f"{IN_ENVIRONMENT}/new-flag")
    def create_flag() -> Answer:
        require(Role.OPERATOR, "making a flag")
        try:
            flag = new_flag(request.form, new_id=new_id, now_ms=now_ms())
            reason = comment(request.form)
            made = site.store.flags.create(project(), flag, actor(), reason)
        except Rejected as error:
            refused = Refused.of("new", error)
            return page(request.form, refused), error.status
        done(f"You made {made.key}. It is off everywhere.")
        return back(".flag", key=made.key)

    def page(typed: Form, refused: Refused | None = None) -> str:
        return render_template("new_flag.html", typed=typed, refused=refused)


def last_changes(site: Site) -> dict[str, Entry]:
    """The newest audit entry of each flag that has a recent one."""
    entries = site.store.audit(
        project=project(), environment=environment().key, kind="flag", limit=RECENT_ENTRIES
    )
    return {entry.key: entry for entry in reversed(entries)}
