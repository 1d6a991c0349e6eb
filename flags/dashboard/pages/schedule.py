"""Changes of a flag that are to be made later."""

from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for

from flags.dashboard import words
from flags.dashboard.forms.fields import Form, comment, moment, text
from flags.dashboard.forms.serving import ServeDraft, fallthrough
from flags.dashboard.pages.changing import Refused
from flags.dashboard.pages.flag import common, kinds
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
from flags.model import Flag
from flags.roles import Role
from flags.store import audit, now_ms

_SCHEDULE: Final = f"{IN_ENVIRONMENT}/flags/<key>/schedule"


def add(ui: Blueprint, site: Site) -> None:
    @ui.get(_SCHEDULE)
    def scheduled(key: str) -> Answer:
        return page(key)

    @ui.post(_SCHEDULE)
    def schedule(key: str) -> Answer:
        require(Role.OPERATOR, "scheduling a change")
        here, form = environment(), request.form
        flag = site.store.flags.get(project(), key)
        try:
            reason = comment(form)
            if here.require_comments and not reason:
                raise Rejected(f"reason: {here.name} requires one for every change")
            made = site.store.schedule.add(
                project(),
                here.key,
                key,
                due=moment(text(form, "due")),
                instructions=_instructions(form, flag),
                comment=reason,
                actor=actor(),
            )
        except Rejected as error:
            return page(key, Refused.of("schedule", error)), error.status
        done(f"Scheduled for {words.moment(made.due)} UTC.")
        return redirect(url_for(".scheduled", key=key))

    @ui.post(f"{_SCHEDULE}/<scheduled_id>/cancel")
    def cancel(key: str, scheduled_id: str) -> Answer:
        require(Role.OPERATOR, "cancelling a scheduled change")
        site.store.schedule.cancel(project(), environment().key, key, scheduled_id)
        done("The scheduled change is cancelled.")
        return redirect(url_for(".scheduled", key=key))

    def page(key: str, refused: Refused | None = None) -> str:
        flag = site.store.flags.get(project(), key)
        config = flag.config(environment().key)
        return render_template(
            "flag_schedule.html",
            **common(site, flag, "schedule", refused),
            changes=site.store.schedule.of(project(), environment().key, key),
            draft=ServeDraft.read(refused.typed, flag)
            if refused is not None
            else ServeDraft.of(config.fallthrough, flag),
            kinds=kinds(site, flag),
            title=audit.title,
            soon=_field(now_ms() + 3_600_000),
        )


def _instructions(form: Form, flag: Flag) -> list[dict[str, Any]]:
    match form.get("what"):
        case "on":
            return [{"kind": "turnFlagOn"}]
        case "off":
            return [{"kind": "turnFlagOff"}]
        case "percentages":
            return [fallthrough(ServeDraft.read(form, flag), flag)]
    raise Rejected("what: choose what is to happen")


def _field(ms: int) -> str:
    """As a `datetime-local` field has it."""
    return words.iso(ms)[:16]
