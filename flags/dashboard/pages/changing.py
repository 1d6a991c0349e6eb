"""One way for every change of a flag's targeting: check, preview, apply, or say why not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from flags.dashboard.forms.fields import Form, comment
from flags.dashboard.pages.site import (
    Answer,
    Site,
    actor,
    back,
    done,
    environment,
    project,
    require,
)
from flags.dashboard.proposal import Proposal, of_flag
from flags.dashboard.session import local_page
from flags.errors import Outdated, Rejected
from flags.model import Config, Flag, Snapshot
from flags.roles import Role
from flags.store import audit

Changes = list[dict[str, Any]]
Instruct = Callable[[Form, Flag, Config], Changes]
_NOT_CARRIED: Final = frozenset({"csrf", "comment", "preview", "confirmed", "version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A form that was not accepted, with what was typed."""

    form: str
    problem: str
    status: int
    typed: Form

    @classmethod
    def of(cls, form: str, error: Rejected) -> "Refused":
        return cls(form=form, problem=str(error), status=error.status, typed=request.form)


def change_flag(
    site: Site,
    key: str,
    instruct: Instruct,
    *,
    again: Callable[[Rejected], Answer],
    then: Callable[[], AnyResponse] | None = None,
    checked: bool = True,
) -> Answer:
    """Answer a form that changes the flag `key` here.

    `again` shows the form once more when the change is refused. Unless `checked`, it is made
    whatever others did since the page was read: a kill switch always works.
    """
    require(Role.OPERATOR, "changing a flag")
    form, here = request.form, environment()
    try:
        flag = site.store.flags.get(project(), key)
        config = flag.config(here.key)
        if checked:
            check_version(config.version)
        instructions, reason = instruct(form, flag, config), comment(form)
        before, after = site.store.flags.preview(project(), key, instructions, here.key)
        if after != before:
            if asks(form, reason):
                return confirmation(
                    site,
                    of_flag(world(site), before, after),
                    what=key,
                    page=url_for(".flag", key=key),
                    carried=carried(config.version if checked else None),
                    cancel=local_page(form.get("back", "/")),
                )
            site.store.flags.patch(
                project(),
                key,
                instructions,
                actor(),
                environment=here.key,
                comment=reason,
                expected=flag.version if checked else None,
            )
    except Rejected as error:
        return again(error)
    done(
        f"You {audit.title(key, instructions)} in {here.name}."
        if after != before
        else f"Nothing had to change: {key} is so already."
    )
    return then() if then else back(".flag", key=key)


def confirmation(
    site: Site,
    proposal: Proposal,
    *,
    what: str,
    page: str,
    carried: Mapping[str, list[str]],
    cancel: str,
) -> str:
    """The page that shows what a change would do; its form sends `carried` once more.

    `what` is the key of what is changed, `page` where it is found.
    """
    contexts = site.live.recent(project(), environment().key)
    return render_template(
        "confirm.html",
        what=what,
        page=page,
        seen=len(contexts),
        effects=proposal.effects(contexts),
        differences=proposal.differences,
        carried=[(name, value) for name, values in carried.items() for value in values],
        cancel=cancel,
        comment=request.form.get("comment", ""),
    )


def world(site: Site) -> Snapshot:
    return site.live.snapshot(project(), environment().key)


def asks(form: Form, reason: str) -> bool:
    """Whether the person or the environment wants the preview, or a reason is missing."""
    here = environment()
    if here.require_comments and not reason:
        return True
    return "confirmed" not in form and ("preview" in form or here.confirm_changes)


def carried(version: int | None) -> dict[str, list[str]]:
    """The form once more, confirmed, for the `version` that was looked at."""
    fields = {k: v for k, v in request.form.lists() if k not in _NOT_CARRIED}
    fields["confirmed"] = ["1"]
    return fields if version is None else {**fields, "version": [str(version)]}


def check_version(now: int) -> None:
    """Raises `Outdated` when the form was made of another version."""
    read = request.form.get("version")
    if read is not None and read != str(now):
        raise Outdated(
            f"Somebody changed this meanwhile (version {now}). Your input is still here: look at "
            "the rest of the page, then send it again."
        )
