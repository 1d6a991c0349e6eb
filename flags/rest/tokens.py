"""`/api/v2/tokens`: members' API tokens. For administrators; a secret is shown once."""

from flask import Blueprint, Response, jsonify

from flags.rest.bodies import NewToken, TokenFields
from flags.rest.representation import page, token_json
from flags.rest.requests import actor, caller, patched, read, require, window
from flags.roles import Role
from flags.store import Store


def add_tokens(api: Blueprint, store: Store) -> None:
    @api.get("/tokens")
    def tokens() -> Response:
        require(Role.ADMIN)
        found = store.tokens.all()
        limit, offset = window(25)
        items = [token_json(t) for t in found[offset : offset + limit]]
        return jsonify(page(items, "/tokens", len(found)))

    @api.post("/tokens")
    def create_token() -> tuple[Response, int]:
        require(Role.ADMIN)
        new = read(NewToken)
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
        changed = patched(TokenFields, {"name": old.name, "role": str(old.role)})
        token = store.tokens.change(token_id, actor(), name=changed.name, role=changed.role)
        return jsonify(token_json(token))

    @api.delete("/tokens/<token_id>")
    def delete_token(token_id: str) -> tuple[str, int]:
        require(Role.ADMIN)
        store.tokens.revoke(token_id, actor())
        return "", 204
