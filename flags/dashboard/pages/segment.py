"""One segment: who is in it by name, who by rules."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from flask import Blueprint, redirect, render_template, request, url_for

from flags.changes.base import World
from flags.changes.patch import apply_to_segment
from flags.dashboard import diff
from flags.dashboard.forms.fields import Form, comment, text
from flags.dashboard.forms.members import members, rule_action
from flags.dashboard.forms.rules import SegmentRuleDraft
from flags.dashboard.forms.settings import names
from flags.dashboard.pages.changing import (
    Refused,
    asks,
    carried,
    check_version,
    confirmation,
    world,
)
from flags.dashboard.pages.flag import kinds
from flags.dashboard.pages.rules import NEW, attributes
from flags.dashboard.pages.segments import users
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
from flags.dashboard.proposal import Proposal, of_segment
from flags.errors import NotFound, Rejected
from flags.model import Segment, SegmentRule
from flags.roles import Role
from flags.store import audit, new_id

_SEGMENT: Final = f"{IN_ENVIRONMENT}/segments/<key>"
_Instruct = Callable[[Form, Segment], list[dict[str, Any]]]
_ACTIONS: Final[Mapping[str, _Instruct]] = MappingProxyType(
    {"members": lambda form, _: members(form), "rules": rule_action, "names": names}
)


def add(ui: Blueprint, site: Site) -> None:
    @ui.get(_SEGMENT)
    def segment(key: str) -> Answer:
        return page(key)

    @ui.post(f"{_SEGMENT}/change/<action>")
    def change_segment(key: str, action: str) -> Answer:
        require(Role.OPERATOR, "changing a segment")
        instruct = _ACTIONS.get(action)
        if instruct is None:
            raise NotFound(f"there is no form {action!r}")
        return change(
            key,
            instruct,
            lambda error: (page(key, Refused.of(action, error)), error.status),
            action,
        )

    @ui.get(f"{_SEGMENT}/rules/<rule_id>")
    def segment_rule(key: str, rule_id: str) -> Answer:
        require(Role.OPERATOR, "changing a segment")
        found = site.store.segments.get(project(), environment().key, key)
        draft = SegmentRuleDraft() if rule_id == NEW else SegmentRuleDraft.of(_rule(found, rule_id))
        return rule_page(key, rule_id, draft)

    @ui.post(f"{_SEGMENT}/rules/<rule_id>")
    def save_segment_rule(key: str, rule_id: str) -> Answer:
        require(Role.OPERATOR, "changing a segment")
        draft = SegmentRuleDraft.read(request.form)
        if "add-clause" in request.form or "remove-clause" in request.form:
            return rule_page(key, rule_id, draft)
        return change(
            key,
            lambda _, now: (
                draft.added(now) if rule_id == NEW else draft.changes(_rule(now, rule_id))
            ),
            lambda error: (
                rule_page(key, rule_id, draft, Refused.of("rule", error)),
                error.status,
            ),
            "rules",
        )

    @ui.post(f"{_SEGMENT}/delete")
    def delete_segment(key: str) -> Answer:
        require(Role.OPERATOR, "deleting a segment")
        try:
            if text(request.form, "confirm") != key:
                raise Rejected(f"Type {key} to delete it.")
            site.store.segments.delete(
                project(), environment().key, key, actor(), comment(request.form)
            )
        except Rejected as error:
            return page(key, Refused.of("delete", error)), error.status
        done(f"You deleted the segment {key}.")
        return redirect(url_for(".segments"))

    def change(
        key: str, instruct: _Instruct, again: Callable[[Rejected], Answer], anchor: str
    ) -> Answer:
        here = environment().key
        try:
            now = site.store.segments.get(project(), here, key)
            check_version(now.version)
            changes, reason = instruct(request.form, now), comment(request.form)
            if asks(request.form, reason):
                proposal = proposed(now, changes)
                if proposal.differences:
                    return confirmation(
                        site,
                        proposal,
                        what=key,
                        page=url_for(".segment", key=key),
                        carried=carried(now.version),
                        cancel=url_for(".segment", key=key),
                    )
            after = site.store.segments.patch(
                project(), here, key, changes, actor(), comment=reason, expected=now.version
            )
        except Rejected as error:
            return again(error)
        changed = after.version != now.version
        done(
            f"You {audit.title(f'segment {key}', changes)}."
            if changed
            else "Nothing had to change."
        )
        return redirect(url_for(".segment", key=key, _anchor=anchor))

    def proposed(now: Segment, changes: list[dict[str, Any]]) -> Proposal:
        """Raises `Rejected`."""
        known = world(site)
        at = World(
            environment=environment().key,
            flag=known.flags.get,
            segment=known.segments.get,
            needed_by=lambda _: (),
            new_id=new_id,
        )
        return of_segment(known, now, apply_to_segment(now, changes, at))

    def page(key: str, refused: Refused | None = None) -> str:
        found = site.store.segments.get(project(), environment().key, key)
        return render_template(
            "segment.html",
            segment=found,
            users=users(site.store.flags.all(project()), environment().key, key),
            refused=refused,
            typed=refused.typed if refused else None,
            kinds=kinds(site),
            in_words=diff.segment_rule,
        )

    def rule_page(
        key: str, rule_id: str, draft: SegmentRuleDraft, refused: Refused | None = None
    ) -> str:
        every = site.store.segments.all(project(), environment().key)
        return render_template(
            "segment_rule.html",
            segment=site.store.segments.get(project(), environment().key, key),
            rule_id=rule_id,
            draft=draft,
            is_new=rule_id == NEW,
            segments=[other for other in every if other.key != key],
            kinds=kinds(site),
            attributes=attributes(site),
            refused=refused,
            typed=request.form,
        )


def _rule(segment: Segment, rule_id: str) -> SegmentRule:
    for rule in segment.rules:
        if rule.id == rule_id:
            return rule
    raise NotFound("this rule does not exist any more")
