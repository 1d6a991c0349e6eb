"""`/api/v2/segments`: read, create, patch and delete segments."""

from typing import Any

from flask import Blueprint, Response, jsonify

from flags.changes import patch
from flags.model import Segment
from flags.rest.creation import NewSegment, create_segment
from flags.rest.documents import json_patched, merged, segment_from
from flags.rest.representation import page, segment_json
from flags.rest.requests import (
    actor,
    body,
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
    versioned,
    window,
)
from flags.roles import Role
from flags.store import Store, new_salt, now_ms


def add_segments(api: Blueprint, store: Store) -> None:
    def answer(segment: Segment, project: str, environment: str, status: int = 200) -> Response:
        return versioned(segment_json(segment, project, environment), segment.version, status)

    @api.get("/segments/<project>/<environment>")
    def list_segments(project: str, environment: str) -> Response:
        wanted = filters("query", "tags")
        found = [s for s in store.segments.all(project, environment) if matches(s, wanted)]
        limit, offset = window(50)
        return jsonify(
            page(
                [segment_json(s, project, environment) for s in found[offset : offset + limit]],
                f"/segments/{project}/{environment}",
                len(found),
            )
        )

    @api.post("/segments/<project>/<environment>")
    def post_segment(project: str, environment: str) -> Response:
        require(Role.OPERATOR)
        new = create_segment(read(NewSegment), salt=new_salt(), now_ms=now_ms())
        segment = store.segments.create(project, environment, new, actor(), query_comment())
        return answer(segment, project, environment, 201)

    @api.get("/segments/<project>/<environment>/<key>")
    def get_segment(project: str, environment: str, key: str) -> Response:
        return answer(store.segments.get(project, environment, key), project, environment)

    @api.patch("/segments/<project>/<environment>/<key>")
    def patch_segment(project: str, environment: str, key: str) -> Response:
        require(Role.OPERATOR)
        refuse_trial()
        document = body()
        change = patch_semantically if is_semantic() else patch_document
        return answer(change(project, environment, key, document), project, environment)

    def patch_semantically(project: str, environment: str, key: str, document: Any) -> Segment:
        wanted = patch.parse(document)
        return store.segments.patch(
            project,
            environment,
            key,
            wanted.instructions,
            actor(),
            comment=wanted.comment,
            expected=expected_version(),
        )

    def patch_document(project: str, environment: str, key: str, document: Any) -> Segment:
        operations, comment = patch_and_comment(document)
        apply = merged if is_merge() else json_patched

        def change(segment: Segment, _: object) -> Segment:
            shown = segment_json(segment, project, environment)
            return segment_from(apply(shown, operations), segment, project, environment)

        return store.segments.change(
            project,
            environment,
            key,
            change,
            actor(),
            title=f"patched segment {key}",
            comment=comment,
            instructions=operations if isinstance(operations, list) else [operations],
            expected=expected_version(),
        )

    @api.delete("/segments/<project>/<environment>/<key>")
    def delete_segment(project: str, environment: str, key: str) -> tuple[str, int]:
        require(Role.OPERATOR)
        store.segments.delete(project, environment, key, actor(), query_comment())
        return "", 204
