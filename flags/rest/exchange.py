"""Export and import of a whole environment: additions of ours to LaunchDarkly's API."""

import json
from typing import Final

from flask import Blueprint, Response, jsonify, request

from flags.exchange import bundle as bundles
from flags.exchange.datafile import from_datafile, is_datafile, to_datafile
from flags.rest.requests import actor, body, choice, query_comment, require, switch
from flags.roles import Role
from flags.store import Store, new_id, now_ms

MAX_IMPORT: Final = 32 * 1024 * 1024
"""Bytes; other requests may bring far less."""
FORMATS: Final = ("json", "yaml", "datafile")


def add_exchange(api: Blueprint, store: Store) -> None:
    @api.get("/projects/<project>/environments/<key>/export")
    def export(project: str, key: str) -> Response:
        """Viewers may: there are no secrets in it."""
        wanted = choice("format", *FORMATS)
        flags, segments = store.flags.all(project), store.segments.all(project, key)
        if wanted == "datafile":
            return jsonify(to_datafile(key, flags, segments))
        document = bundles.bundle(project, key, flags, segments).model_dump(mode="json")
        if wanted == "yaml":
            return Response(bundles.to_yaml(document), mimetype="application/yaml")
        return Response(json.dumps(document, indent=2), mimetype="application/json")

    @api.post("/projects/<project>/environments/<key>/import")
    def import_(project: str, key: str) -> Response:
        """Our own document or LaunchDarkly's data file, all of it or nothing."""
        require(Role.OPERATOR)
        store.environments.get(project, key)
        request.max_content_length = MAX_IMPORT
        document = body()
        if is_datafile(document):
            given = from_datafile(
                document,
                project,
                key,
                flags={f.key: f for f in store.flags.all(project)},
                segments={s.key: s for s in store.segments.all(project, key)},
                new_id=new_id,
                now_ms=now_ms(),
            )
        else:
            given = bundles.parse(document).changed(project=project, environment=key)
        done = store.importing.run(
            given,
            actor(),
            comment=query_comment(),
            dry_run=switch("dryRun"),
        )
        return jsonify(created=done.created, changed=done.changed, unchanged=done.unchanged)
