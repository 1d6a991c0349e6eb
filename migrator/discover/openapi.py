"""Path templates that are known beforehand: of an OpenAPI document, or of a framework. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from migrator.discover.templates import canonical, split
from migrator.errors import InvalidInput

_LITERAL: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()+,;=:@]+")
_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def read(text: str, file: str) -> dict[str, str | None]:
    """Templates as a plan writes them, with the first tag of their operations.

    OpenAPI 3 and Swagger 2, JSON or YAML. Raises `InvalidInput`; `file` is what it calls it.
    """
    try:
        document = json.loads(text) if text.lstrip()[:1] == "{" else yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InvalidInput(f"{file}{line}: this is not YAML: {error.problem}") from None
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{file}:{error.lineno}: this is not JSON: {error.msg}") from None
    except (ValueError, yaml.YAMLError, RecursionError):
        raise InvalidInput(f"{file}: this is neither JSON nor YAML") from None
    if not isinstance(document, dict) or not {"openapi", "swagger"} & document.keys():
        raise InvalidInput(f"{file}: expected an OpenAPI document, with `openapi` and `paths`")
    paths = document.get("paths")
    if not isinstance(paths, dict):
        raise InvalidInput(f"{file}: paths: expected a mapping")
    base = _base(document)
    found: dict[str, str | None] = {}
    for path, item in paths.items():
        if isinstance(path, str) and path.startswith("/"):
            found.setdefault(normalise(base + path), _tag(item))
    return found


def normalise(template: str) -> str:
    """A template of OpenAPI, or of the usual frameworks (`:id`, `<int:id>`, `{id:int}`), as a plan
    writes it: what varies in a segment makes the whole segment a parameter."""
    return canonical(map(_segment, split(template)))


def _segment(text: str) -> str:
    if text == "*":
        return "{rest}"
    flask = re.fullmatch(r"<(?:[^<>:]+:)?([^<>:]+)>", text)
    inner = flask[1] if flask else text.removeprefix(":") if text.startswith(":") else None
    if inner is None:
        if _LITERAL.fullmatch(text) and text not in (".", ".."):
            return text
        inner = "_".join(re.findall(r"\{\*?([A-Za-z_][\w-]*)", text))
    name = re.sub(r"\W", "_", inner, flags=re.ASCII).rstrip("0123456789_") or "id"
    return "{" + (f"_{name}" if name[0].isdigit() else name) + "}"


def _base(document: Mapping[str, Any]) -> str:
    """The path of the first server, which stands before all others."""
    base = document.get("basePath")
    servers = document.get("servers")
    if isinstance(servers, list) and servers and isinstance(servers[0], dict):
        base = servers[0].get("url")
    if not isinstance(base, str) or "{" in base:
        return ""
    try:
        return urlsplit(base).path.rstrip("/")
    except ValueError:
        return ""


def _tag(item: Any) -> str | None:
    for method in _METHODS:
        operation = item.get(method) if isinstance(item, dict) else None
        tags = operation.get("tags") if isinstance(operation, dict) else None
        if isinstance(tags, list) and tags and isinstance(tags[0], str):
            return tags[0]
    return None
