"""`/api/v2/tokens`: members' API tokens. For administrators; a secret is shown once."""

from typing import Annotated

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flags.errors import Rejected, first_problem
from flags.model import Text
from flags.rest.bodies import NewToken
from flags.rest.documents import json_patched
from flags.rest.representation import page, token_json
from flags.rest.requests import actor, body, caller, patch_and_comment, require
from flags.roles import Role
from flags.store import Store


class _Changed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(min_length=1)]
    role: Role


def add_tokens(api: Blueprint, store: Store) -> None:
    @api.get("/tokens")
    def tokens() -> Response:
        require(Role.ADMIN)
        found = [token_json(t) for t in store.tokens.all()]
        return jsonify(page(found, "/tokens", len(found)))

    @api.post("/tokens")
    def create_token() -> tuple[Response, int]:
        require(Role.ADMIN)
        try:
            new = NewToken.model_validate(body())
        except ValidationError as error:
            raise Rejected(first_problem(error)) from None
        token, secret = store.tokens.create(
            new.name, new.memberId or caller().member, new.role, actor()
        )
        return jsonify(token_json(token, secret)), 201

    @api.get("/tokens/<token_id>")
    def get_token(token_id: str) -> Response:
        require(Role.ADMIN)
        return jsonify(token_json(store.tokens.get(token_id)))

    @api.patch("/tokens/<token_id>")
    def patch_token(token_id: str) -> Response:
        require(Role.ADMIN)
        old = store.tokens.get(token_id)
        operations, _ = patch_and_comment(body())
        new = json_patched({"name": old.name, "role": str(old.role)}, operations)
        try:
            changed = _Changed.model_validate(new)
        except ValidationError as error:
            raise Rejected(first_problem(error)) from None
        token = store.tokens.change(token_id, actor(), name=changed.name, role=changed.role)
        return jsonify(token_json(token))

    @api.delete("/tokens/<token_id>")
    def delete_token(token_id: str) -> tuple[str, int]:
        require(Role.ADMIN)
        store.tokens.revoke(token_id, actor())
        return "", 204
