"""API tokens: made, shown once, revoked."""

from typing import Final

from flask import Blueprint, redirect, render_template, request, url_for

from flags.dashboard.forms.fields import text
from flags.dashboard.pages.changing import Refused
from flags.dashboard.pages.site import IN_ENVIRONMENT, Answer, Site, actor, done, require
from flags.dashboard.pages.site import token as own
from flags.errors import Rejected
from flags.model import Token
from flags.roles import Role

_TOKENS: Final = f"{IN_ENVIRONMENT}/tokens"
_MAX_NAME: Final = 100


def add(ui: Blueprint, site: Site) -> None:
    @ui.get(_TOKENS)
    def tokens() -> Answer:
        require(Role.ADMIN, "seeing API tokens")
        return page()

    @ui.post(_TOKENS)
    def create_token() -> Answer:
        """The secret is in this one answer only; it is never kept."""
        require(Role.ADMIN, "making an API token")
        form = request.form
        try:
            name, member = text(form, "name"), text(form, "member") or own().member
            for field, value in (("name", name), ("member", member)):
                if not 0 < len(value) <= _MAX_NAME or not value.isprintable():
                    raise Rejected(f"{field}: expected 1 to {_MAX_NAME} characters in one line")
            if (role := form.get("role", "")) not in list(Role):
                raise Rejected("role: choose one")
            made = site.store.tokens.create(name, member, Role(role), actor())
        except Rejected as error:
            return page(Refused.of("new", error)), error.status
        return page(made=made)

    @ui.post(f"{_TOKENS}/<token_id>/revoke")
    def revoke_token(token_id: str) -> Answer:
        require(Role.ADMIN, "revoking an API token")
        name = site.store.tokens.get(token_id).name
        try:
            site.store.tokens.revoke(token_id, actor())
        except Rejected as error:
            return page(Refused.of("revoke", error)), error.status
        done(f"You revoked {name}. Its sessions have ended.")
        return redirect(url_for(".tokens"))

    def page(refused: Refused | None = None, made: tuple[Token, str] | None = None) -> str:
        return render_template(
            "tokens.html",
            tokens=site.store.tokens.all(),
            roles=list(Role),
            refused=refused,
            typed=refused.typed if refused else None,
            made=made,
            entries=site.store.audit(project="", kind="token", limit=20),
        )
