"""Scheduled changes of a flag, below `/api/v2/projects/…/scheduled-changes`."""

from flask import Blueprint, Response, jsonify

from flags.rest.bodies import NewScheduled
from flags.rest.representation import link, scheduled_json
from flags.rest.requests import actor, read, require
from flags.roles import Role
from flags.store import Store
from flags.store.environments import require_comment

_PATH = "/projects/<project>/flags/<key>/environments/<environment>/scheduled-changes"


def add_schedule(api: Blueprint, store: Store) -> None:
    @api.get(_PATH)
    def scheduled_changes(project: str, key: str, environment: str) -> Response:
        store.flags.get(project, key)
        store.environments.get(project, environment)
        items = [scheduled_json(s) for s in store.schedule.of(project, environment, key)]
        path = f"/projects/{project}/flags/{key}/environments/{environment}/scheduled-changes"
        return jsonify(items=items, _links=link(path))

    @api.post(_PATH)
    def schedule(project: str, key: str, environment: str) -> tuple[Response, int]:
        require(Role.OPERATOR)
        store.flags.get(project, key)
        there = store.environments.get(project, environment)
        new = read(NewScheduled)
        require_comment([there], new.comment)
        made = store.schedule.add(
            project,
            environment,
            key,
            due=new.executionDate,
            instructions=new.instructions,
            comment=new.comment,
            actor=actor(),
        )
        return jsonify(scheduled_json(made)), 201

    @api.get(f"{_PATH}/<scheduled_id>")
    def scheduled_change(project: str, key: str, environment: str, scheduled_id: str) -> Response:
        return jsonify(scheduled_json(store.schedule.get(project, environment, key, scheduled_id)))

    @api.delete(f"{_PATH}/<scheduled_id>")
    def cancel(project: str, key: str, environment: str, scheduled_id: str) -> tuple[str, int]:
        require(Role.OPERATOR)
        store.schedule.cancel(project, environment, key, scheduled_id)
        return "", 204
