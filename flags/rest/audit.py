"""`/api/v2/auditlog`: who changed what; and undoing one change, an addition of ours."""

import re
from typing import Final, cast

from flask import Blueprint, Response, jsonify, request

from flags.errors import Conflict, Rejected
from flags.model import Kind
from flags.rest.flags import flag_answer
from flags.rest.representation import entry_json, link, segment_json
from flags.rest.requests import actor, number, query_comment, require, text, window
from flags.roles import Role
from flags.store import Store

_SPEC: Final = re.compile(
    r"proj/(?P<project>[^:;/]+)"
    r"(?::env/(?P<environment>[^:;/]+))?"
    r"(?::(?P<kind>flag|segment)/(?P<key>[^:;/]+))?"
)
"""Resources of which the log can be asked; `*` is any."""


def add_audit(api: Blueprint, store: Store) -> None:
    @api.get("/auditlog")
    def audit_log() -> Response:
        wanted = _spec(request.args.get("spec"))
        limit, offset = window(10)
        entries = store.audit(
            project=wanted.get("project"),
            environment=wanted.get("environment"),
            kind=cast("Kind | None", wanted.get("kind")),
            key=wanted.get("key"),
            before=number("before"),
            after=number("after"),
            words=text("q", 200),
            limit=limit,
            offset=offset,
        )
        return jsonify(items=[entry_json(e) for e in entries], _links=link("/auditlog"))

    @api.get("/auditlog/<int(max=2147483647):entry_id>")
    def audit_entry(entry_id: int) -> Response:
        return jsonify(entry_json(store.entry(entry_id), whole=True))

    @api.post("/auditlog/<int(max=2147483647):entry_id>/revert")
    def revert(entry_id: int) -> Response:
        """Undo what this entry did, and nothing that came later; answers what it became."""
        require(Role.OPERATOR)
        entry = store.entry(entry_id)
        comment = query_comment()
        if entry.kind == "flag":
            flag = store.flags.revert(entry, actor(), comment)
            keys = [e.key for e in store.environments.of(entry.project)]
            return flag_answer(flag, entry.project, keys)
        if entry.kind == "segment":
            segment = store.segments.revert(entry, actor(), comment)
            return jsonify(segment_json(segment, entry.project, entry.environment or ""))
        raise Conflict(f"{entry.kind}: such changes cannot be undone here")


def _spec(given: str | None) -> dict[str, str]:
    """LaunchDarkly's resource specifier, `*` for any. Raises `Rejected`."""
    if given is None:
        return {}
    match = _SPEC.fullmatch(given)
    if match is None:
        raise Rejected(
            f"spec: expected proj/KEY, proj/KEY:env/KEY or proj/KEY:env/KEY:flag/KEY, "
            f"found {given[:100]!r}"
        )
    return {name: key for name, key in match.groupdict().items() if key not in (None, "*")}
