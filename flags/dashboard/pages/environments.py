"""Environments: their keys, and what a change in them needs."""

from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for

from flags.dashboard.forms.fields import text
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
from flags.errors import NotFound, Rejected, rejecting
from flags.model import Environment, new_environment
from flags.roles import Role

_ENVIRONMENTS: Final = f"{IN_ENVIRONMENT}/environments"
_SECRETS: Final = ("sdk_key", "mobile_key")


def add(ui: Blueprint, site: Site) -> None:
    @ui.get(_ENVIRONMENTS)
    def environments() -> Answer:
        return page()

    @ui.post(f"{_ENVIRONMENTS}/<name>/reveal")
    def reveal(name: str) -> Answer:
        require(Role.OPERATOR, "seeing an environment's keys")
        field = request.form.get("field")
        if field not in _SECRETS:
            raise NotFound("there is no such key")
        return page(revealed=(name, field))

    @ui.post(f"{_ENVIRONMENTS}/<name>")
    def save_environment(name: str) -> Answer:
        require(Role.ADMIN, "changing an environment")
        known = site.store.environments.get(project(), name)
        try:
            site.store.environments.save(_changed(known, _fields()), actor())
        except Rejected as error:
            return page(Refused.of(name, error)), error.status
        done(f"You changed {name}.")
        return redirect(url_for(".environments"))

    @ui.post(f"{IN_ENVIRONMENT}/new-environment")
    def create_environment() -> Answer:
        require(Role.ADMIN, "making an environment")
        form = request.form
        try:
            made = _created(project(), text(form, "key"), text(form, "name") or text(form, "key"))
            site.store.environments.create(_changed(made, _fields()), actor())
        except Rejected as error:
            return page(Refused.of("new", error)), error.status
        done(f"You made the environment {made.key}. Every flag is off in it.")
        return redirect(url_for(".environments", environment=made.key))

    @ui.post(f"{_ENVIRONMENTS}/<name>/delete")
    def delete_environment(name: str) -> Answer:
        require(Role.ADMIN, "deleting an environment")
        try:
            if text(request.form, "confirm") != name:
                raise Rejected(f"Type {name} to delete it.")
            site.store.environments.delete(project(), name, actor())
        except Rejected as error:
            return page(Refused.of(f"delete {name}", error)), error.status
        done(f"You deleted the environment {name}.")
        return redirect("/" if name == environment().key else url_for(".environments"))

    def page(refused: Refused | None = None, revealed: tuple[str, str] | None = None) -> str:
        return render_template(
            "environments.html",
            environments=site.store.environments.of(project()),
            refused=refused,
            typed=refused.typed if refused else None,
            revealed=revealed,
        )


def _fields() -> dict[str, Any]:
    form = request.form
    return {
        "name": text(form, "name") or text(form, "key"),
        "color": text(form, "color").removeprefix("#"),
        **{
            field: field in form for field in ("require_comments", "confirm_changes", "secure_mode")
        },
    }


def _changed(known: Environment, fields: dict[str, Any]) -> Environment:
    with rejecting():
        return known.changed(**{name: value for name, value in fields.items() if value != ""})


def _created(project: str, key: str, name: str) -> Environment:
    with rejecting():
        return new_environment(project, key, name)
