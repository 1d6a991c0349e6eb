"""What all environments of a flag share: names, variations, who may read it, archive, deletion."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for

from flags.dashboard.forms import settings
from flags.dashboard.forms.fields import comment, text
from flags.dashboard.pages.changing import Instruct, Refused
from flags.dashboard.pages.flag import common
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
from flags.errors import NotFound, Rejected
from flags.roles import Role
from flags.store import audit

_SETTINGS: Final = f"{IN_ENVIRONMENT}/flags/<key>/settings"
_ACTIONS: Final[Mapping[str, Instruct]] = MappingProxyType(
    {
        "names": lambda form, flag, _: settings.flag_settings(form, flag),
        "variation": lambda form, flag, _: settings.variation(form, flag),
        "archive": lambda form, _flag, _config: settings.archive(form),
    }
)


def add(ui: Blueprint, site: Site) -> None:
    @ui.get(_SETTINGS)
    def flag_settings(key: str) -> Answer:
        return page(key)

    @ui.post(f"{_SETTINGS}/<action>")
    def change_settings(key: str, action: str) -> Answer:
        require(Role.OPERATOR, "changing a flag")
        instruct = _ACTIONS.get(action)
        if instruct is None:
            raise NotFound(f"there is no form {action!r}")
        try:
            flag = site.store.flags.get(project(), key)
            changes = instruct(request.form, flag, flag.config(environment().key))
            after = site.store.flags.patch(
                project(),
                key,
                changes,
                actor(),
                environment=environment().key,
                comment=comment(request.form),
            )
        except Rejected as error:
            return page(key, Refused.of(action, error)), error.status
        changed = after.version != flag.version
        done(f"You {audit.title(key, changes)}." if changed else "Nothing had to change.")
        return redirect(url_for(".flag_settings", key=key))

    @ui.post(f"{IN_ENVIRONMENT}/flags/<key>/delete")
    def delete_flag(key: str) -> Answer:
        require(Role.OPERATOR, "deleting a flag")
        try:
            if text(request.form, "confirm") != key:
                raise Rejected(f"Type {key} to delete it.")
            site.store.flags.delete(project(), key, actor(), comment(request.form))
        except Rejected as error:
            return page(key, Refused.of("delete", error)), error.status
        done(f"You deleted {key}.")
        return redirect(url_for(".flags"))

    def page(key: str, refused: Refused | None = None) -> str:
        return render_template(
            "flag_settings.html",
            **common(site, site.store.flags.get(project(), key), "settings", refused),
        )
