"""`/api/v2/segments`: read, create, patch and delete segments."""

from flask import Blueprint, Response, jsonify, request

from flags.changes import patch
from flags.model import Segment
from flags.rest.creation import create_segment
from flags.rest.documents import json_patched, merged, segment_from
from flags.rest.representation import page, segment_json
from flags.rest.requests import (
    MERGE_PATCH,
    SEMANTIC_PATCH,
    actor,
    body,
    expected_version,
    filters,
    patch_and_comment,
    require,
    window,
)
from flags.roles import Role
from flags.store import Store, new_salt, now_ms


def add_segments(api: Blueprint, store: Store) -> None:
    def answer(segment: Segment, project: str, environment: str, status: int = 200) -> Response:
        response = jsonify(segment_json(segment, project, environment))
        response.status_code = status
        response.headers["ETag"] = f'"{segment.version}"'
        return response

    @api.get("/segments/<project>/<environment>")
    def list_segments(project: str, environment: str) -> Response:
        tags = filters().get("tags", ())
        found = [
            s for s in store.segments.all(project, environment) if all(t in s.tags for t in tags)
        ]
        limit, offset = window(50)
        return jsonify(
            page(
                [segment_json(s, project, environment) for s in found[offset : offset + limit]],
                f"/segments/{project}/{environment}",
                len(found),
            )
        )

    @api.post("/segments/<project>/<environment>")
    def create(project: str, environment: str) -> Response:
        require(Role.OPERATOR)
        new = create_segment(body(), salt=new_salt(), now_ms=now_ms())
        segment = store.segments.create(
            project, environment, new, actor(), request.args.get("comment", "")[:2000]
        )
        return answer(segment, project, environment, 201)

    @api.get("/segments/<project>/<environment>/<key>")
    def get_segment(project: str, environment: str, key: str) -> Response:
        return answer(store.segments.get(project, environment, key), project, environment)

    @api.patch("/segments/<project>/<environment>/<key>")
    def patch_segment(project: str, environment: str, key: str) -> Response:
        require(Role.OPERATOR)
        document = body()
        if request.mimetype_params.get("domain-model") == SEMANTIC_PATCH:
            wanted = patch.parse(document)
            segment = store.segments.patch(
                project,
                environment,
                key,
                wanted.instructions,
                actor(),
                comment=wanted.comment,
                expected=expected_version(),
            )
            return answer(segment, project, environment)
        operations, comment = patch_and_comment(document)
        is_merge = request.mimetype == MERGE_PATCH

        def change(segment: Segment, _: object) -> Segment:
            shown = segment_json(segment, project, environment)
            new = merged(shown, operations) if is_merge else json_patched(shown, operations)
            return segment_from(new, segment, project, environment)

        segment = store.segments.change(
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
        return answer(segment, project, environment)

    @api.delete("/segments/<project>/<environment>/<key>")
    def delete_segment(project: str, environment: str, key: str) -> tuple[str, int]:
        require(Role.OPERATOR)
        comment = request.args.get("comment", "")[:2000]
        store.segments.delete(project, environment, key, actor(), comment)
        return "", 204
