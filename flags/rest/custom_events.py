"""How often contexts in each variation of a migration flag caused custom events. Our own resource:
LaunchDarkly shows such figures only in its dashboard."""

from flask import Blueprint, Response, jsonify

from flags.model import parse_custom_name
from flags.rest.representation import link
from flags.rest.requests import number
from flags.store import Store

_MINUTE = 60_000
"""Milliseconds."""


def add_custom_events(api: Blueprint, store: Store) -> None:
    @api.get("/projects/<project>/flags/<key>/environments/<environment>/custom-events")
    def custom_events(project: str, key: str, environment: str) -> Response:
        """From the minute of `after` on, a week at most."""
        flag = store.flags.get(project, key)
        store.environments.get(project, environment)
        since = (number("after") or 0) // _MINUTE
        items = []
        for name, found in store.evaluations.measured(project, environment, key, since).items():
            parsed = parse_custom_name(name)
            if parsed is None or parsed[0] >= len(flag.variations):
                continue
            index, event = parsed
            items.append(
                {
                    "key": event,
                    "variation": index,
                    "value": flag.variations[index].value,
                    "count": found.times,
                    "sum": found.total,
                }
            )
        path = f"/projects/{project}/flags/{key}/environments/{environment}/custom-events"
        return jsonify(items=items, _links=link(path))
