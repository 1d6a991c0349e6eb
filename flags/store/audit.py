"""The audit log: who changed what, when, how and why, with what it was before and after."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from flags.errors import NotFound
from flags.model import Actor, Entry, Kind
from flags.store.database import now_ms
from flags.store.schema import AUDIT

_INSERT: Final = insert(AUDIT)


def log(
    db: Connection,
    actor: Actor,
    *,
    project: str,
    environment: str | None,
    kind: Kind,
    key: str,
    title: str,
    version: int = 0,
    comment: str = "",
    instructions: Sequence[Mapping[str, Any]] = (),
    before: str | None = None,
    after: str | None = None,
) -> None:
    db.execute(
        _INSERT,
        {
            "date": now_ms(),
            "project": project,
            "environment": environment,
            "kind": kind,
            "key": key,
            "version": version,
            "member": actor.member,
            "via": actor.via,
            "title": title,
            "comment": comment,
            "instructions": [dict(i) for i in instructions],
            "before": before,
            "after": after,
        },
    )


def entries(
    db: Connection,
    *,
    project: str | None,
    environment: str | None = None,
    kind: Kind | None = None,
    key: str | None = None,
    before: int | None = None,
    after: int | None = None,
    words: str = "",
    limit: int,
    offset: int,
) -> list[Entry]:
    """Newest first. `before` and `after` bound `date`; `words` is searched in title and comment."""
    query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit).offset(offset)
    for column, wanted in (("project", project), ("kind", kind), ("key", key)):
        if wanted is not None:
            query = query.where(AUDIT.c[column] == wanted)
    if environment is not None:
        query = query.where((AUDIT.c.environment == environment) | AUDIT.c.environment.is_(None))
    if before is not None:
        query = query.where(AUDIT.c.date < before)
    if after is not None:
        query = query.where(AUDIT.c.date > after)
    for word in words.split():
        query = query.where(
            AUDIT.c.title.icontains(word, autoescape=True)
            | AUDIT.c.comment.icontains(word, autoescape=True)
            | AUDIT.c.key.icontains(word, autoescape=True)
            | AUDIT.c.member.icontains(word, autoescape=True)
        )
    return [Entry(**row) for row in db.execute(query).mappings()]


def entry(db: Connection, entry_id: int) -> Entry:
    """Raises `NotFound`."""
    row = db.execute(select(AUDIT).where(AUDIT.c.id == entry_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"audit entry {entry_id} does not exist")
    return Entry(**row)


_TITLES: Final = {
    "turnFlagOn": "turned {key} on",
    "turnFlagOff": "turned {key} off",
    "updateFallthroughVariationOrRollout": "changed the default rule of {key}",
    "updateOffVariation": "changed the off variation of {key}",
    "addTargets": "added targets to {key}",
    "removeTargets": "removed targets from {key}",
    "replaceTargets": "replaced the targets of {key}",
    "clearTargets": "cleared the targets of {key}",
    "addRule": "added a rule to {key}",
    "removeRule": "removed a rule from {key}",
    "reorderRules": "reordered the rules of {key}",
    "updateClause": "changed a rule of {key}",
    "updateRuleVariationOrRollout": "changed what a rule of {key} serves",
    "addPrerequisite": "added a prerequisite to {key}",
    "removePrerequisite": "removed a prerequisite from {key}",
    "addVariation": "added a variation to {key}",
    "removeVariation": "removed a variation from {key}",
    "updateVariation": "changed a variation of {key}",
    "updateName": "renamed {key}",
    "updateDescription": "changed the description of {key}",
    "addTags": "tagged {key}",
    "removeTags": "removed tags from {key}",
    "addIncludedTargets": "included contexts in {key}",
    "removeIncludedTargets": "took included contexts out of {key}",
    "addExcludedTargets": "excluded contexts from {key}",
    "removeExcludedTargets": "took excluded contexts out of {key}",
    "updateRuleRolloutAndContextKind": "changed the share of a rule of {key}",
    "updateRuleDescription": "described a rule of {key}",
    "addClauses": "narrowed a rule of {key}",
    "removeClauses": "widened a rule of {key}",
    "addValuesToClause": "added values to a rule of {key}",
    "removeValuesFromClause": "removed values from a rule of {key}",
    "replaceRules": "replaced the rules of {key}",
    "replacePrerequisites": "replaced the prerequisites of {key}",
    "updatePrerequisite": "changed a prerequisite of {key}",
    "updateDefaultVariation": "changed the default variations of {key}",
    "makeFlagTemporary": "made {key} temporary",
    "makeFlagPermanent": "made {key} permanent",
    "turnOnClientSideAvailability": "made {key} available to client-side SDKs",
    "turnOffClientSideAvailability": "hid {key} from client-side SDKs",
    "archiveFlag": "archived {key}",
    "restoreFlag": "restored {key}",
}


def title(key: str, instructions: Sequence[Mapping[str, Any]]) -> str:
    """What was done, as a phrase that follows the member's name."""
    phrases = [_TITLES.get(str(i.get("kind")), f"{i.get('kind')} on {{key}}") for i in instructions]
    return ", ".join(dict.fromkeys(phrases)).replace("{key}", key)
