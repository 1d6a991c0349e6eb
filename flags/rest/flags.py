"""`/api/v2/flags`: read, create, patch and delete feature flags; and whether they are in use."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request

from flags.changes import patch
from flags.changes.base import World
from flags.errors import NotFound, Rejected
from flags.model import Flag
from flags.rest.creation import NewFlag, create_flag
from flags.rest.documents import flag_from, json_patched, merged
from flags.rest.representation import flag_json, link, page
from flags.rest.requests import (
    actor,
    body,
    choice,
    expected_version,
    filters,
    is_merge,
    is_semantic,
    matches,
    patch_and_comment,
    query_comment,
    read,
    refuse_trial,
    require,
    switch,
    versioned,
    window,
)
from flags.roles import Role
from flags.store import Store, new_id, now_ms

_INACTIVE_AFTER = 7 * 24 * 60
"""Minutes without an evaluation."""
_FILTERS = ("query", "tags", "state", "filterEnv")


def add_flags(api: Blueprint, store: Store) -> None:
    def all_environments(project: str) -> list[str]:
        return [e.key for e in store.environments.of(project)]

    def environments(project: str) -> list[str]:
        """Those that are asked for. Raises `NotFound`."""
        known = all_environments(project)
        given = [*request.args.getlist("env"), *filters(*_FILTERS).get("filterEnv", ())]
        wanted = [key for keys in given for key in keys.split(",") if key]
        for key in wanted:
            if key not in known:
                raise NotFound(f"environment {key!r} does not exist in project {project!r}")
        return [k for k in known if k in wanted] if wanted else known

    @api.get("/flags/<project>")
    def list_flags(project: str) -> Response:
        keys, wanted = environments(project), _wanted()
        found = [f for f in store.flags.all(project) if _is_wanted(f, wanted)]
        limit, offset = window(1000)
        summary = choice("summary", "0", "false", "1", "true") in {"1", "true"}
        shown = _sorted(found)[offset : offset + limit]
        items = [flag_json(f, project, keys, summary=summary) for f in shown]
        return jsonify(page(items, f"/flags/{project}", len(found)))

    @api.post("/flags/<project>")
    def post_flag(project: str) -> Response:
        require(Role.OPERATOR)
        keys = environments(project)
        if request.args.get("clone"):
            raise Rejected("clone: flags cannot be cloned here; create one and patch it")
        new = create_flag(read(NewFlag), all_environments(project), new_id=new_id, now_ms=now_ms())
        return flag_answer(store.flags.create(project, new, actor()), project, keys, 201)

    @api.get("/flags/<project>/<key>")
    def get_flag(project: str, key: str) -> Response:
        return flag_answer(store.flags.get(project, key), project, environments(project))

    @api.patch("/flags/<project>/<key>")
    def patch_flag(project: str, key: str) -> Response | tuple[str, int]:
        require(Role.OPERATOR)
        refuse_trial()
        keys, document = environments(project), body()
        if not is_semantic():
            return flag_answer(patch_document(project, key, document), project, keys)
        wanted = patch.parse(document)
        kinds = [i.get("kind") for i in wanted.instructions]
        if kinds == ["deleteFlag"]:
            store.flags.delete(project, key, actor(), wanted.comment)
            return "", 204
        if "deleteFlag" in kinds:
            raise Rejected("instructions: deleteFlag is given alone, or not at all")
        flag = store.flags.patch(
            project,
            key,
            wanted.instructions,
            actor(),
            environment=wanted.environmentKey or _only(keys),
            comment=wanted.comment,
            expected=expected_version(),
        )
        return flag_answer(flag, project, keys)

    def patch_document(project: str, key: str, document: Any) -> Flag:
        operations, comment = patch_and_comment(document)
        apply, everywhere = merged if is_merge() else json_patched, all_environments(project)

        def change(flag: Flag, world: World) -> Flag:
            new = apply(flag_json(flag, project, everywhere), operations)
            return flag_from(new, flag, project, everywhere, world, now_ms=now_ms())

        return store.flags.change(
            project,
            key,
            change,
            actor(),
            title=f"patched {key}",
            comment=comment,
            instructions=operations if isinstance(operations, list) else [operations],
            expected=expected_version(),
        )

    @api.delete("/flags/<project>/<key>")
    def delete_flag(project: str, key: str) -> tuple[str, int]:
        require(Role.OPERATOR)
        store.flags.delete(project, key, actor(), query_comment())
        return "", 204

    @api.get("/flag-statuses/<project>/<environment>")
    def flag_statuses(project: str, environment: str) -> Response:
        store.environments.get(project, environment)
        last = store.evaluations.last_minutes(project, environment)
        path = f"/flag-statuses/{project}/{environment}"
        items = [_status(f, project, environment, last) for f in store.flags.all(project)]
        return jsonify(items=items, _links=link(path))

    @api.get("/flag-statuses/<project>/<environment>/<key>")
    def flag_status(project: str, environment: str, key: str) -> Response:
        store.environments.get(project, environment)
        last = store.evaluations.last_minutes(project, environment)
        return jsonify(_status(store.flags.get(project, key), project, environment, last))


def flag_answer(flag: Flag, project: str, keys: Sequence[str], status: int = 200) -> Response:
    return versioned(flag_json(flag, project, keys), flag.version, status)


def _wanted() -> dict[str, list[str]]:
    """What `filter`, `tag` and `archived` ask for. Raises `Rejected`."""
    wanted = filters(*_FILTERS)
    wanted["tags"] = [*request.args.getlist("tag"), *wanted.get("tags", ())]
    states = wanted.setdefault("state", ["archived"] if switch("archived") else ["live"])
    for state in states:
        if state not in {"live", "archived"}:
            raise Rejected(f"filter: state: expected live or archived, found {state[:50]!r}")
    return wanted


def _is_wanted(flag: Flag, wanted: Mapping[str, Sequence[str]]) -> bool:
    state = "archived" if flag.archived else "live"
    return state in wanted["state"] and matches(flag, wanted)


def _sorted(flags: list[Flag]) -> list[Flag]:
    """By `sort`: `name`, `key` or `creationDate`, descending with a minus. Raises `Rejected`."""
    wanted = request.args.get("sort", "key")
    by = {"name": "name", "key": "key", "creationDate": "created"}.get(wanted.removeprefix("-"))
    if by is None:
        raise Rejected(f"sort: expected name, key or creationDate, found {wanted[:50]!r}")
    return sorted(flags, key=lambda f: getattr(f, by), reverse=wanted.startswith("-"))


def _only(keys: Sequence[str]) -> str | None:
    """The environment that is meant where there is but one."""
    return keys[0] if len(keys) == 1 else None


def _status(flag: Flag, project: str, environment: str, last: dict[str, int]) -> dict[str, Any]:
    """LaunchDarkly's words: new, active, launched (settled on one variation) or inactive."""
    minute = last.get(flag.key)
    config = flag.config(environment)
    if minute is None:
        name = "new" if now_ms() - flag.created < _INACTIVE_AFTER * 60_000 else "inactive"
    elif time.time() / 60 - minute > _INACTIVE_AFTER:
        name = "inactive"
    else:
        settled = not config.rules and not config.targets and config.fallthrough.rollout is None
        recent = now_ms() - config.modified < _INACTIVE_AFTER * 60_000
        name = "launched" if settled and not recent else "active"
    requested = (
        None if minute is None else time.strftime("%Y-%m-%dT%H:%M:00Z", time.gmtime(minute * 60))
    )
    path = f"/flag-statuses/{project}/{environment}/{flag.key}"
    return {
        "name": name,
        **({} if requested is None else {"lastRequested": requested}),
        "_links": link(path, parent=f"/flags/{project}/{flag.key}"),
    }
