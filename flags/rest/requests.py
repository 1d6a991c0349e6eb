"""What REST requests have in common: who asks, how bodies and queries are read, and versions."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from flask import Response, g, jsonify, request
from pydantic import BaseModel
from pydantic_core import from_json
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from flags.errors import Rejected, Unauthorized, rejecting
from flags.model import Actor, Flag, Segment, Token
from flags.rest.documents import json_patched
from flags.rest.limits import MAX_COMMENT, check_document
from flags.roles import Role
from flags.store import Store

SEMANTIC_PATCH: Final = "launchdarkly.semanticpatch"
MERGE_PATCH: Final = "application/merge-patch+json"
_JSON_TYPES: Final = ("application/json", "application/json-patch+json", MERGE_PATCH)
_WAYS: Final = frozenset({"cli"})
"""What a client may say of itself in `X-Migrator-Via`."""
_NUMBER: Final = re.compile(r"\d{1,15}", re.ASCII)
_ETAG: Final = re.compile(r'(?:W/)?"(\d{1,9})"', re.ASCII)
_Body = TypeVar("_Body", bound=BaseModel)


def authenticate(store: Store) -> None:
    """Raises `Unauthorized` unless a member's token is given."""
    token = store.tokens.find(request.headers.get("Authorization", ""))
    if token is None:
        raise Unauthorized("invalid access token")
    g.token = token


def caller() -> Token:
    token: Token = g.token
    return token


def actor() -> Actor:
    said = request.headers.get("X-Migrator-Via", "")
    return Actor(member=caller().member, via=said if said in _WAYS else "api")


def require(role: Role) -> None:
    """Raises `Forbidden`."""
    caller().role.require(role, f"{request.method} {request.path[:200]}")


def body() -> Any:
    """Strict JSON: no NaN, lone surrogates or names given twice, of bounded depth.

    Raises `Rejected`; `UnsupportedMediaType` for what says that it is something else.
    """
    data = request.get_data()
    most = request.max_content_length
    if request.content_length is None and most is not None and len(data) >= most:
        raise RequestEntityTooLarge  # a chunked body, which is cut off there
    if request.mimetype and request.mimetype not in _JSON_TYPES:
        raise UnsupportedMediaType(
            f"Content-Type: expected {', '.join(_JSON_TYPES)}, found {request.mimetype[:100]!r}"
        )
    try:
        from_json(data, allow_inf_nan=False)
        document = json.loads(data, object_pairs_hook=_unique)
    except ValueError as error:
        raise Rejected(f"body: expected JSON: {error}") from None
    check_document(document, "body")
    return document


def read(model: type[_Body]) -> _Body:
    """The body as `model`, without guesses at types. Raises `Rejected` naming the field."""
    return _as(model, body())


def patched(model: type[_Body], shown: dict[str, Any]) -> _Body:
    """`shown` after the JSON patch that the body is. Raises `Rejected` naming the field."""
    operations, _ = patch_and_comment(body())
    document = json_patched(shown, operations)
    check_document(document, "patch")
    return _as(model, document)


def text(name: str, most: int) -> str:
    """A query parameter. Raises `Rejected`."""
    given = request.args.get(name, "")
    if len(given) > most:
        raise Rejected(f"{name}: expected at most {most} characters, found {len(given)}")
    return given


def query_comment() -> str:
    return text("comment", MAX_COMMENT)


def choice(name: str, *known: str) -> str:
    """A query parameter that is one of `known`, the first if it is left out. Raises `Rejected`."""
    given = request.args.get(name, known[0])
    if given not in known:
        raise Rejected(f"{name}: expected {' or '.join(known)}, found {given[:50]!r}")
    return given


def switch(name: str) -> bool:
    """A query parameter that is true or false, as it is without it. Raises `Rejected`."""
    return choice(name, "false", "true") == "true"


def number(name: str, default: int | None = None) -> int | None:
    """A query parameter. Raises `Rejected`."""
    given = request.args.get(name)
    if given is None:
        return default
    if not _NUMBER.fullmatch(given):
        raise Rejected(f"{name}: expected a number, found {given[:50]!r}")
    return int(given)


def window(default: int) -> tuple[int, int]:
    """`limit` (at most 1,000) and `offset`."""
    limit, offset = number("limit", default), number("offset", 0)
    return min(limit or default, 1000), min(offset or 0, 2**31)


def versioned(shown: Any, version: int, status: int = 200) -> Response:
    """With the version as ETag, for `If-Match` of a later patch."""
    response = jsonify(shown)
    response.status_code = status
    response.headers["ETag"] = f'"{version}"'
    return response


def expected_version() -> int | None:
    """From `If-Match` with the ETag of a read; 0, which nothing has, for what is none of ours."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    match = _ETAG.fullmatch(given.strip())
    return int(match[1]) if match else 0


def filters(*known: str) -> dict[str, list[str]]:
    """LaunchDarkly's `filter` parameter: `tags:a+b,query:text`. Raises `Rejected`."""
    found: dict[str, list[str]] = {}
    for part in filter(None, request.args.get("filter", "").split(",")):
        name, colon, values = part.partition(":")
        if not colon or name.strip() not in known:
            raise Rejected(
                f"filter: expected name:value, the names {', '.join(known)}, found {part[:50]!r}"
            )
        found[name.strip()] = [v for v in values.replace(" ", "+").split("+") if v]
    return found


def matches(item: Flag | Segment, wanted: Mapping[str, Sequence[str]]) -> bool:
    """Whether it has all `tags`, and all words of `query` in its texts."""
    words = " ".join(wanted.get("query", ())).lower().split()
    written = f"{item.key} {item.name} {item.description}".lower()
    return all(tag in item.tags for tag in wanted.get("tags", ())) and all(
        word in written for word in words
    )


def patch_and_comment(document: Any) -> tuple[Any, str]:
    """A bare patch, or `patch` or `merge` with a comment beside it. Raises `Rejected`."""
    name = "merge" if is_merge() else "patch"
    if isinstance(document, dict) and name in document:
        given = document.get("comment")
        comment = "" if given is None else given
        if not isinstance(comment, str) or len(comment) > MAX_COMMENT:
            raise Rejected(f"comment: expected a text of at most {MAX_COMMENT} characters")
        return document[name], comment
    return document, ""


def is_semantic() -> bool:
    return request.mimetype_params.get("domain-model") == SEMANTIC_PATCH


def is_merge() -> bool:
    return request.mimetype == MERGE_PATCH


def refuse_trial() -> None:
    """Raises `Rejected` for `dryRun`: what is only to be tried must not be done."""
    if switch("dryRun"):
        raise Rejected("dryRun: a patch cannot be tried here")


def _as(model: type[_Body], document: Any) -> _Body:
    with rejecting():
        return model.model_validate_json(json.dumps(document))  # in JSON, a list may be a tuple


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers of JSON differ in which of two values counts (RFC 8259, section 4)."""
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:100]!r} is given twice")
    return found
