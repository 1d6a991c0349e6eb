"""The audit log: who changed what, how and why, with what differs, and undoing it."""

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from flask import Blueprint, redirect, render_template, request, url_for

from flags.changes.revert import reverted_flag, reverted_segment
from flags.dashboard import diff
from flags.dashboard.forms.fields import comment
from flags.dashboard.pages.changing import asks, confirmation, world
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
from flags.dashboard.proposal import of_flag, of_segment
from flags.errors import NotFound, Rejected, rejecting
from flags.model import Flag, Segment
from flags.roles import Role
from flags.store import Entry

_HISTORY: Final = f"{IN_ENVIRONMENT}/history"
PAGE: Final = 25
_CHUNK: Final = 200
_VIA: Final = {
    "api": "API",
    "cli": "command line",
    "dashboard": "dashboard",
    "schedule": "schedule",
}


class Line(NamedTuple):
    """An audit entry with what it changed."""

    entry: Entry
    differences: list[diff.Difference]
    can_revert: bool


def add(ui: Blueprint, site: Site) -> None:
    ui.add_app_template_filter(lambda via: _VIA.get(via, via), "via")

    @ui.get(_HISTORY)
    def history() -> Answer:
        wanted = {n: request.args.get(n, "").strip() for n in ("flag", "member", "q")}
        found, following = find(wanted["flag"] or None, wanted["member"], wanted["q"])
        return render_template(
            "history.html",
            lines=found,
            wanted=wanted,
            following=following,
            offset=_offset(),
            query={name: value for name, value in wanted.items() if value},
        )

    @ui.get(f"{IN_ENVIRONMENT}/flags/<key>/history")
    def flag_history(key: str) -> Answer:
        found, following = find(key, "", "", kind_flag=True)
        return render_template(
            "flag_history.html",
            **common(site, site.store.flags.get(project(), key), "history"),
            lines=found,
            following=following,
            offset=_offset(),
        )

    @ui.get(f"{_HISTORY}/<int:entry_id>")
    def entry(entry_id: int) -> Answer:
        return render_template("entry.html", line=_line(_entry(site, entry_id)))

    @ui.post(f"{_HISTORY}/<int:entry_id>/revert")
    def revert(entry_id: int) -> Answer:
        require(Role.OPERATOR, "reverting a change")
        found = _entry(site, entry_id)
        try:
            reason = comment(request.form)
            if found.kind not in {"flag", "segment"}:
                raise Rejected("only changes of flags and segments can be undone here")
            if asks(request.form, reason) and (shown := _preview(found)) is not None:
                return shown
            if found.kind == "flag":
                site.store.flags.revert(found, actor(), reason)
            else:
                site.store.segments.revert(found, actor(), reason)
        except Rejected as error:
            page = render_template("entry.html", line=_line(found), problem=str(error))
            return page, error.status
        done(f"Undone: {found.title}.")
        return redirect(_page_of(found))

    def _preview(found: Entry) -> str | None:
        """Where there is something to compare."""
        if found.before is None or found.after is None:
            return None
        key = found.key
        if found.kind == "flag":
            now = site.store.flags.get(project(), key)
            before, after = (Flag.model_validate_json(d) for d in (found.before, found.after))
            with rejecting():
                reverted = reverted_flag(now, before=before, after=after)
            proposal = of_flag(world(site), now, reverted)
        else:
            segment = site.store.segments.get(project(), environment().key, key)
            old, new = (Segment.model_validate_json(d) for d in (found.before, found.after))
            with rejecting():
                was = reverted_segment(segment, before=old, after=new)
            proposal = of_segment(world(site), segment, was)
        return confirmation(
            site,
            proposal,
            what=key,
            page=_page_of(found),
            carried={"confirmed": ["1"]},
            cancel=url_for(".entry", entry_id=found.id),
        )

    def find(
        key: str | None, member: str, words: str, *, kind_flag: bool = False
    ) -> tuple[list[Line], int | None]:
        """One page, and the offset of the next."""
        matching = _matching(site, key, member, words, _offset(), kind_flag)
        page = list(islice(matching, PAGE + 1))
        following = page[PAGE][0] if len(page) > PAGE else None
        return [_line(found) for _, found in page[:PAGE]], following


def _offset() -> int:
    given = request.args.get("from", "0")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0


def _entry(site: Site, entry_id: int) -> Entry:
    found = site.store.entry(entry_id)
    if found.project != project() or found.environment not in (None, environment().key):
        raise NotFound(f"audit entry {entry_id} does not exist here")
    return found


def _matching(
    site: Site, key: str | None, member: str, words: str, offset: int, flags_only: bool
) -> Iterator[tuple[int, Entry]]:
    """Entries with their places in what the store finds, newest first."""
    while True:
        found = site.store.audit(
            project=project(),
            environment=environment().key,
            kind="flag" if flags_only else None,
            key=key,
            words=f"{words} {member}",
            limit=_CHUNK,
            offset=offset,
        )
        for place, entry in enumerate(found, offset):
            if not member or entry.member == member:
                yield place, entry
        if len(found) < _CHUNK:
            return
        offset += _CHUNK


def _line(entry: Entry) -> Line:
    return Line(
        entry,
        diff.of_documents(entry.kind, entry.before, entry.after),
        entry.kind in {"flag", "segment"} and entry.before is not None,
    )


def _page_of(entry: Entry) -> str:
    return url_for(".segment" if entry.kind == "segment" else ".flag", key=entry.key)
