"""One way for every change of a flag's targeting: check, preview, apply, or say why not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from flask import render_template, request
from werkzeug.wrappers import Response as AnyResponse

from flags.dashboard import diff
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
from flags.dashboard.session import local_page
from flags.errors import Forbidden, Outdated, Rejected
from flags.model import Config, Flag
from flags.preview import Preview, moved
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
            _check_version(form, config.version)
        instructions, reason = instruct(form, flag, config), comment(form)
        before, after = site.store.flags.preview(project(), key, instructions, here.key)
        if after != before:
            if asks(form, reason):
                return _confirmation(site, before, after, checked)
            site.store.flags.patch(
                project(),
                key,
                instructions,
                actor(),
                environment=here.key,
                comment=reason,
                expected=flag.version if checked else None,
            )
    except Forbidden:
        raise
    except Rejected as error:
        return again(error)
    done(
        f"You {audit.title(key, instructions)} in {here.name}."
        if after != before
        else f"Nothing had to change: {key} is so already."
    )
    return then() if then else back(".flag", key=key)


def preview(site: Site, before: Flag, after: Flag) -> Preview:
    """What contexts that were seen lately would get instead."""
    world = site.live.snapshot(project(), environment().key)
    return moved(
        replace(world, flags={**world.flags, before.key: before}),
        replace(world, flags={**world.flags, before.key: after}),
        before.key,
        site.live.recent(project(), environment().key),
    )


def confirmation(
    site: Site,
    before: Flag,
    after: Flag,
    *,
    carried: Mapping[str, list[str]],
    cancel: str,
) -> str:
    """The page that shows what a change would do; its form sends `carried` once more."""
    return render_template(
        "confirm.html",
        flag=before,
        preview=preview(site, before, after),
        differences=diff.of_flags(before, after),
        carried=[(name, value) for name, values in carried.items() for value in values],
        cancel=cancel,
        comment=request.form.get("comment", ""),
    )


def asks(form: Form, reason: str) -> bool:
    """Whether the person or the environment wants the preview, or a reason is missing."""
    here = environment()
    if here.require_comments and not reason:
        return True
    return "confirmed" not in form and ("preview" in form or here.confirm_changes)


def _confirmation(site: Site, before: Flag, after: Flag, checked: bool) -> str:
    carried = {k: v for k, v in request.form.lists() if k not in _NOT_CARRIED}
    carried["confirmed"] = ["1"]
    if checked:
        carried["version"] = [str(before.config(environment().key).version)]
    return confirmation(
        site,
        before,
        after,
        carried=carried,
        cancel=local_page(request.form.get("back", "/")),
    )


def _check_version(form: Form, now: int) -> None:
    read = form.get("version")
    if read is not None and read != str(now):
        raise Outdated(
            f"Somebody changed this meanwhile (version {now}). Your input is still here: look at "
            "the rest of the page, then send it again."
        )
