"""Which templates belong together: those of one resource. Pure.

The group of a template is its first word that says something, after `/api/v1` and the like. A
deeper word is the group where it is a resource of its own elsewhere: `/articles/{id}/comments`
belongs to `/comments/{id}`. Tags of an OpenAPI document win.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from migrator.discover.shapes import PARAMETER, Shape, shape
from migrator.discover.templates import split

HOME: Final = "home"
"""The group of templates without a word."""
_PREFIXES: Final = frozenset("api rest public private internal ajax rpc web app services".split())
_ASSET: Final = re.compile(
    r"\.(?:css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|avif|woff2?|ttf|eot|txt|xml|webmanifest)$",
    re.I,
)
_PROBES: Final = frozenset(
    "/health /healthz /livez /ready /readyz /live /status /ping /metrics /up".split()
)
_TAKEN: Final = frozenset("controller gateway monolith proxy proxy-admin".split())
"""Programs and addresses of `migrator up` itself, beside which services stand."""
MAX_NAME: Final = 32
"""Characters, so that flags and services with it in their names stay within the plan's 40."""


def is_aside(path: str) -> bool:
    """Whether a path is a static file or a probe, which says nothing of how people use the rest."""
    return _ASSET.search(path) is not None or path in _PROBES


def group(templates: Iterable[str], tags: Mapping[str, str | None]) -> dict[str, str]:
    """The group's name, a DNS label, of each template. `tags`: of those that have one."""
    words = {template: _words(template) for template in templates}
    resources = {_singular(found[0]) for found in words.values() if found}
    groups = {}
    for template, found in words.items():
        tag = tags.get(template)
        if tag:
            groups[template] = name(tag)
        else:
            own = [word for word in found if _singular(word) in resources]
            groups[template] = name(own[-1]) if own else HOME
    # `article` and `articles` are one; the longer name, as there are usually many of them.
    longest: dict[str, str] = {}
    for each in sorted(set(groups.values()), key=lambda name: (len(name), name)):
        longest[_singular(each)] = each
    return {template: longest[_singular(each)] for template, each in groups.items()}


def name(text: str) -> str:
    """`text` as the name of a capability and its service; `x-service` is the flag of a service."""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower())
    label = re.sub(r"(-service)+$", "", label[:MAX_NAME].strip("-"))
    if not label or not label[0].isalpha() or label in _TAKEN:
        label = f"group-{label}".strip("-")
    return label


def _words(template: str) -> list[str]:
    """The first word that says something, and those right after a parameter."""
    found: list[str] = []
    varied = False
    for segment in split(template):
        if PARAMETER.fullmatch(segment) or segment == "*":
            varied = True
            continue
        first = not found and not (
            segment.lower() in _PREFIXES or shape(segment, "")[0] is Shape.FIXED
        )
        if first or (found and varied):
            found.append(segment)
        varied = False
    return found or [segment for segment in split(template)[:1] if segment.lower() in _PREFIXES]


def _singular(word: str) -> str:
    low = word.lower()
    if low.endswith("ies") and len(low) > 4:
        return low[:-3] + "y"
    return low[:-1] if low.endswith("s") and not low.endswith("ss") and len(low) > 3 else low
