"""A plan to start from, with what was seen as comments. Pure."""

import json
from collections.abc import Iterator
from textwrap import wrap
from typing import Final

from migrator.discover.survey import Findings, Group, Route
from migrator.errors import InvalidInput

MAX_PARTNERS: Final = 3
MAX_TABLES: Final = 10
_HEAD: Final = """\
# Written by `migrator discover` from {requests:,} requests. A valid plan that cannot run yet:
# 1. look at the routes: what was not seen is not here; a word may be a value, a value a word;
# 2. put together what must move together: "crosses to" says which share users or traces;
# 3. give the monolith's address, and each service its command;
# 4. migrator plan validate, migrator plan show, migrator up.
# Capabilities are in the order to move them: least risk first, hardly known ones last.
apiVersion: migrator.dev/v1alpha1
kind: Migration
metadata:
  name: {name}
spec:
  proxy: {{port: 8080}}

  # Who a request is from: the first source that is present names the user.
  context:
    key: [{{cookie: uid}}, {{header: x-user}}]  # change: your session's cookie

  monolith:
    url: http://127.0.0.1:5000  # change: where it listens
"""


def starter(findings: Findings, name: str) -> str:
    """The plan as YAML. Capabilities hold `schedule: manual`: nothing moves by itself.

    Raises `InvalidInput` if nothing was found to move.
    """
    if not findings.groups:
        raise InvalidInput(
            "no route was found, so there is nothing to plan",
            hint="give logs with answered requests, or --openapi",
        )
    lines = [_HEAD.format(requests=findings.requests, name=name), "  services:"]
    for group in findings.groups:
        lines.append(f"    {group.name}:")
        lines.append(f"      command: [change-me, {group.name}]  # it must listen on $PORT")
    lines += ["", "  capabilities:"]
    for group in findings.groups:
        lines += _capability(group)
    return "\n".join(lines) + "\n"


def _capability(group: Group) -> Iterator[str]:
    for text in _seen(group):
        for line in wrap(text, 92):
            yield f"    # {line}"
    yield f"    {group.name}:"
    yield "      routes:"
    for route in group.routes:
        yield _route(route.path, group.name, _methods(route))
        if route.trailing_slash and not route.path.endswith("*"):
            yield _route(f"{route.path}/*", group.name, "also seen with a / at the end")
    yield "      schedule: manual"
    yield ""


def _seen(group: Group) -> Iterator[str]:
    facts, risk = group.facts, group.risk
    yield (
        f"Requests: {facts.requests:,} ({facts.traffic:.1%}), {facts.errors:.2%} failed, "
        f"{facts.writes:.0%} writes."
    )
    parts = ", ".join(f"{part.name} {part.points:.0f}/{part.weight}" for part in risk.parts)
    yield f"Risk {risk.score:.0f} of 100: {parts}."
    if group.partners:
        partners = ", ".join(
            f"{each.group} ({each.crossings:,}, {each.lift:.1f} times chance)"
            for each in group.partners[:MAX_PARTNERS]
        )
        yield f"Crosses to {partners}."
    if group.shared_tables:
        tables = ", ".join(
            f"{table.name} ({', '.join(table.groups)})"
            for table in group.shared_tables[:MAX_TABLES]
        )
        yield f"Writes tables that others write, too: {tables}."


def _route(path: str, service: str, comment: str) -> str:
    return f"        - {{path: {json.dumps(path)}, service: {service}}}  # {comment}"


def _methods(route: Route) -> str:
    seen = ", ".join(f"{method} {count:,}" for method, count in sorted(route.methods.items()))
    return seen or "documented, not seen"
