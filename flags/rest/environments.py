"""`/api/v2/projects`: projects and their environments, with the keys that SDKs connect with."""

import secrets

from flask import Blueprint, Response, jsonify
from pydantic import ValidationError

from flags.errors import Rejected, first_problem
from flags.model import Project
from flags.rest.bodies import ENVIRONMENT_FIELDS, NewEnvironment, NewProject
from flags.rest.documents import json_patched
from flags.rest.representation import environment_json, link, page, project_json
from flags.rest.requests import actor, body, caller, patch_and_comment, require, window
from flags.roles import Role
from flags.store import Store


def add_environments(api: Blueprint, store: Store) -> None:
    def shown(project: Project) -> object:
        return project_json(project, store.environments.of(project.key), caller().role)

    @api.get("/projects")
    def projects() -> Response:
        found = store.environments.projects()
        limit, offset = window(20)
        items = [shown(p) for p in found[offset : offset + limit]]
        return jsonify(page(items, "/projects", len(found)))

    @api.post("/projects")
    def create_project() -> tuple[Response, int]:
        require(Role.ADMIN)
        try:
            project, environments = NewProject.model_validate(body()).build()
        except ValidationError as error:
            raise Rejected(first_problem(error)) from None
        if len({e.key for e in environments}) < len(environments):
            raise Rejected("environments: a key is given twice")
        return jsonify(
            shown(store.environments.create_project(project, environments, actor()))
        ), 201

    @api.get("/projects/<project>")
    def get_project(project: str) -> Response:
        return jsonify(shown(store.environments.project(project)))

    @api.patch("/projects/<project>")
    def patch_project(project: str) -> Response:
        require(Role.ADMIN)
        old = store.environments.project(project)
        operations, _ = patch_and_comment(body())
        new = json_patched({"name": old.name, "tags": list(old.tags)}, operations)
        try:
            changed = Project.model_validate({"key": project, **new})
        except (ValidationError, TypeError):
            raise Rejected("patch: only /name and /tags of a project can be changed") from None
        return jsonify(shown(store.environments.save_project(changed, actor())))

    @api.get("/projects/<project>/environments")
    def environments(project: str) -> Response:
        found = store.environments.of(project)
        limit, offset = window(20)
        items = [environment_json(e, caller().role) for e in found[offset : offset + limit]]
        return jsonify(page(items, f"/projects/{project}/environments", len(found)))

    @api.post("/projects/<project>/environments")
    def create_environment(project: str) -> tuple[Response, int]:
        require(Role.ADMIN)
        try:
            environment = NewEnvironment.model_validate(body()).build(project)
        except ValidationError as error:
            raise Rejected(first_problem(error)) from None
        created = store.environments.create(environment, actor())
        return jsonify(environment_json(created, caller().role)), 201

    @api.get("/projects/<project>/environments/<key>")
    def get_environment(project: str, key: str) -> Response:
        return jsonify(environment_json(store.environments.get(project, key), caller().role))

    @api.patch("/projects/<project>/environments/<key>")
    def patch_environment(project: str, key: str) -> Response:
        require(Role.ADMIN)
        old = store.environments.get(project, key)
        operations, _ = patch_and_comment(body())
        document = {wire: getattr(old, ours) for wire, ours in ENVIRONMENT_FIELDS.items()}
        new = json_patched(document | {"tags": list(old.tags)}, operations)
        if not isinstance(new, dict) or set(new) != set(ENVIRONMENT_FIELDS):
            known = ", ".join(ENVIRONMENT_FIELDS)
            raise Rejected(f"patch: of an environment, only {known} can be changed")
        try:
            changed = old.changed(**{ours: new[wire] for wire, ours in ENVIRONMENT_FIELDS.items()})
        except ValidationError as error:
            raise Rejected(first_problem(error)) from None
        return jsonify(environment_json(store.environments.save(changed, actor()), caller().role))

    @api.delete("/projects/<project>/environments/<key>")
    def delete_environment(project: str, key: str) -> tuple[str, int]:
        require(Role.ADMIN)
        store.environments.delete(project, key, actor())
        return "", 204

    @api.post("/projects/<project>/environments/<key>/apiKey")
    def reset_sdk_key(project: str, key: str) -> Response:
        """The old one ends at once, with its connections."""
        require(Role.ADMIN)
        old = store.environments.get(project, key)
        new = old.changed(sdk_key=f"sdk-{secrets.token_hex(16)}")
        return jsonify(environment_json(store.environments.save(new, actor()), caller().role))

    @api.post("/projects/<project>/environments/<key>/mobileKey")
    def reset_mobile_key(project: str, key: str) -> Response:
        require(Role.ADMIN)
        old = store.environments.get(project, key)
        new = old.changed(mobile_key=f"mob-{secrets.token_hex(16)}")
        return jsonify(environment_json(store.environments.save(new, actor()), caller().role))

    @api.get("/caller-identity")
    def caller_identity() -> Response:
        token = caller()
        return jsonify(
            accountId="",
            authKind="token",
            tokenKind="personal",
            tokenId=token.id,
            tokenName=token.name,
            memberId=token.member,
            serviceToken=False,
            scopes=[str(token.role)],
            _links=link("/caller-identity"),
        )
