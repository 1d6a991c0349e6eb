"""`/api/v2/projects`: projects and their environments, with the keys that SDKs connect with."""

import secrets

from flask import Blueprint, Response, jsonify, request

from flags.errors import Conflict, Rejected
from flags.model import Environment, Project
from flags.rest.bodies import EnvironmentFields, NewEnvironment, NewProject, ProjectFields
from flags.rest.representation import environment_json, link, page, project_json
from flags.rest.requests import actor, caller, patched, read, require, window
from flags.roles import Role
from flags.store import Store


def add_environments(api: Blueprint, store: Store) -> None:
    def project_answer(project: Project, *, changed: bool = False) -> dict[str, object]:
        environments = store.environments.of(project.key)
        return project_json(project, environments, caller().role, changed=changed)

    def answer(environment: Environment) -> Response:
        return jsonify(environment_json(environment, caller().role))

    @api.get("/projects")
    def projects() -> Response:
        found = store.environments.projects()
        limit, offset = window(20)
        items = [project_answer(p) for p in found[offset : offset + limit]]
        return jsonify(page(items, "/projects", len(found)))

    @api.post("/projects")
    def create_project() -> tuple[Response, int]:
        require(Role.ADMIN)
        project, environments = read(NewProject).build()
        if len({e.key for e in environments}) < len(environments):
            raise Conflict("environments: a key is given twice")
        created = store.environments.create_project(project, environments, actor())
        return jsonify(project_answer(created, changed=True)), 201

    @api.get("/projects/<project>")
    def get_project(project: str) -> Response:
        return jsonify(project_answer(store.environments.project(project)))

    @api.patch("/projects/<project>")
    def patch_project(project: str) -> Response:
        require(Role.ADMIN)
        old = store.environments.project(project)
        new = patched(ProjectFields, {"name": old.name, "tags": list(old.tags)})
        saved = store.environments.save_project(old.changed(name=new.name, tags=new.tags), actor())
        return jsonify(project_answer(saved, changed=True))

    @api.get("/projects/<project>/environments")
    def environments(project: str) -> Response:
        found = store.environments.of(project)
        limit, offset = window(20)
        items = [environment_json(e, caller().role) for e in found[offset : offset + limit]]
        return jsonify(page(items, f"/projects/{project}/environments", len(found)))

    @api.post("/projects/<project>/environments")
    def create_environment(project: str) -> tuple[Response, int]:
        require(Role.ADMIN)
        known = store.environments.project(project)
        environment = read(NewEnvironment).build(known.key)
        return answer(store.environments.create(environment, actor())), 201

    @api.get("/projects/<project>/environments/<key>")
    def get_environment(project: str, key: str) -> Response:
        return answer(store.environments.get(project, key))

    @api.patch("/projects/<project>/environments/<key>")
    def patch_environment(project: str, key: str) -> Response:
        require(Role.ADMIN)
        old = store.environments.get(project, key)
        new = patched(EnvironmentFields, EnvironmentFields.of(old))
        return answer(store.environments.save(old.changed(**new.fields()), actor()))

    @api.delete("/projects/<project>/environments/<key>")
    def delete_environment(project: str, key: str) -> tuple[str, int]:
        require(Role.ADMIN)
        store.environments.delete(project, key, actor())
        return "", 204

    @api.post("/projects/<project>/environments/<key>/apiKey")
    def reset_sdk_key(project: str, key: str) -> Response:
        """The old one ends at once, with its connections."""
        return reset(project, key, sdk_key=f"sdk-{secrets.token_hex(16)}")

    @api.post("/projects/<project>/environments/<key>/mobileKey")
    def reset_mobile_key(project: str, key: str) -> Response:
        return reset(project, key, mobile_key=f"mob-{secrets.token_hex(16)}")

    def reset(project: str, key: str, **new: str) -> Response:
        require(Role.ADMIN)
        if "expiry" in request.args:
            raise Rejected("expiry: the old key ends at once here; reset it without an expiry")
        environment = store.environments.get(project, key)
        return answer(store.environments.save(environment.changed(**new), actor()))

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
