"""The rules editor of a flag. Its buttons that add or remove a condition need no script."""

from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for

from flags.dashboard.forms.rules import RuleDraft
from flags.dashboard.pages.changing import Refused, change_flag
from flags.dashboard.pages.flag import common, kinds
from flags.dashboard.pages.site import IN_ENVIRONMENT, Answer, Site, environment, project, require
from flags.errors import NotFound, Rejected
from flags.model import Config, Rule
from flags.roles import Role

_RULES: Final = f"{IN_ENVIRONMENT}/flags/<key>/rules"
NEW: Final = "new"


def add(ui: Blueprint, site: Site) -> None:
    @ui.get(f"{_RULES}/<rule_id>")
    def rule(key: str, rule_id: str) -> Answer:
        require(Role.OPERATOR, "changing a rule")
        flag = site.store.flags.get(project(), key)
        found = None if rule_id == NEW else _rule(flag.config(environment().key), rule_id)
        draft = RuleDraft.new(flag) if found is None else RuleDraft.of(found, flag)
        return page(key, rule_id, draft)

    @ui.post(f"{_RULES}/<rule_id>")
    def save_rule(key: str, rule_id: str) -> Answer:
        require(Role.OPERATOR, "changing a rule")
        flag = site.store.flags.get(project(), key)
        draft = RuleDraft.read(request.form, flag)
        if "add-clause" in request.form or "remove-clause" in request.form:
            return page(key, rule_id, draft)

        def again(error: Rejected) -> Answer:
            return page(key, rule_id, draft, Refused.of("rule", error)), error.status

        return change_flag(
            site,
            key,
            lambda _form, flag, config: (
                draft.added(flag) if rule_id == NEW else draft.changes(_rule(config, rule_id), flag)
            ),
            again=again,
            then=lambda: redirect(url_for(".flag", key=key, _anchor="rules")),
        )

    def page(key: str, rule_id: str, draft: RuleDraft, refused: Refused | None = None) -> str:
        flag = site.store.flags.get(project(), key)
        return render_template(
            "flag_rule.html",
            **{**common(site, flag, "targeting", refused), "typed": request.form},
            rule_id=rule_id,
            draft=draft,
            is_new=rule_id == NEW,
            segments=site.store.segments.all(project(), environment().key),
            kinds=kinds(site, flag),
            attributes=attributes(site),
        )


def _rule(config: Config, rule_id: str) -> Rule:
    for rule in config.rules:
        if rule.id == rule_id:
            return rule
    raise NotFound("this rule does not exist any more")


def attributes(site: Site) -> list[str]:
    """Names of attributes that contexts have had lately."""
    found = {"key", "name", "anonymous"}
    for context in site.live.recent(project(), environment().key)[:200]:
        for individual in context:
            found.update(individual.attributes)
    return sorted(found)[:200]
