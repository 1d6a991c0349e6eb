"""OpenFeature Remote Evaluation Protocol: flags for services without a LaunchDarkly SDK.

Source: OpenFeature, OFREP OpenAPI document (`/ofrep/v1/evaluate/flags`). The key comes as a bearer
token or in `X-API-Key`: an SDK key reads every flag, a mobile key or client-side id what is
available to it.
"""

from typing import Any, Final

from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flags.errors import Rejected, Unauthorized
from flags.evaluation.context import Context
from flags.evaluation.detail import Detail
from flags.evaluation.evaluator import evaluate
from flags.model import Flag
from flags.sdk.body import limited_body
from flags.sdk.events import Ingestion
from flags.sdk.http import CORS, is_known, preflighted
from flags.sdk.seen import Seen
from flags.streams.client import Available, for_browsers, for_mobile, for_servers
from flags.streams.hub import EnvironmentHub, Hub
from flags.streams.protocol import MAX_CONTEXT
from flags.wire.encoding import compact, etag

_HEADERS: Final = CORS | {
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, X-API-Key"
}
_REASONS: Final = {
    "OFF": "DISABLED",
    "TARGET_MATCH": "TARGETING_MATCH",
    "RULE_MATCH": "TARGETING_MATCH",
}
_PATH: Final = "/ofrep/v1/evaluate/flags"


def ofrep_routes(hub: Hub, seen: Seen, ingestion: Ingestion) -> list[Route]:
    async def one(request: Request) -> Response:
        environment, available = _environment(hub, request)
        key = request.path_params["key"]
        try:
            context = await _context(request)
        except BadContext as error:
            return _error(400, key, error.code, str(error))
        seen.add(environment.state.environment, context)
        flag = environment.state.snapshot.flags.get(key)
        if flag is None or not available(flag):
            return _error(404, key, "FLAG_NOT_FOUND", f"flag {key!r} does not exist")
        found = _evaluated(environment, flag, context, ingestion)
        status = 400 if "errorCode" in found else 200
        return JSONResponse(found, status, headers=_HEADERS)

    async def everything(request: Request) -> Response:
        environment, available = _environment(hub, request)
        try:
            context = await _context(request)
        except BadContext as error:
            return _error(400, None, error.code, str(error))
        seen.add(environment.state.environment, context)
        flags = [f for f in environment.state.snapshot.flags.values() if available(f)]
        found = [_evaluated(environment, flag, context, None) for flag in flags]
        body = compact({"flags": found, "metadata": {}})
        headers = {**_HEADERS, "ETag": etag(body)}
        if is_known(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    return [
        Route(_PATH, preflighted(everything, _HEADERS), methods=["POST", "OPTIONS"]),
        Route(_PATH + "/{key}", preflighted(one, _HEADERS), methods=["POST", "OPTIONS"]),
    ]


class BadContext(Exception):
    """`code` is OpenFeature's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _environment(hub: Hub, request: Request) -> tuple[EnvironmentHub, Available]:
    """Raises `Unauthorized`."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    given = key.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    for kind, available in (("sdk", for_servers), ("mobile", for_mobile), ("client", for_browsers)):
        if (found := hub.by_secret(f"{kind}:{given}")) is not None:
            return found, available
    raise Unauthorized("expected an SDK key, a mobile key or a client-side id as a bearer token")


async def _context(request: Request) -> Context:
    """OpenFeature's `targetingKey` is the context's key, its `kind` is `user` unless given.

    Raises `BadContext`.
    """
    try:
        document = from_json(await limited_body(request, MAX_CONTEXT), allow_inf_nan=False)
    except ValueError:
        raise BadContext("PARSE_ERROR", "body: expected a JSON object") from None
    given = document.get("context") if isinstance(document, dict) else None
    if not isinstance(given, dict):
        raise BadContext("INVALID_CONTEXT", "context: expected an object")
    try:
        return Context.parse(_with_key(given))
    except Rejected as error:
        raise BadContext("INVALID_CONTEXT", str(error)) from None


def _with_key(given: dict[str, Any]) -> dict[str, Any]:
    """A context in LaunchDarkly's form. Raises `BadContext`."""
    if given.get("kind") != "multi":
        return {"kind": "user", **_keyed(given)}
    kinds = {k: v for k, v in given.items() if k not in ("kind", "targetingKey")}
    return {
        "kind": "multi",
        **{k: _keyed(v) if isinstance(v, dict) else v for k, v in kinds.items()},
    }


def _keyed(given: dict[str, Any]) -> dict[str, Any]:
    context = dict(given)
    key = context.pop("targetingKey", None) or context.get("key")
    if not key:
        raise BadContext("TARGETING_KEY_MISSING", "context.targetingKey: expected a text")
    return context | {"key": key}


def _evaluated(
    environment: EnvironmentHub, flag: Flag, context: Context, counting: Ingestion | None
) -> dict[str, Any]:
    """One flag's answer. These clients send no events, so single reads are counted here."""
    state = environment.state
    detail = evaluate(flag, context, state.snapshot)
    if detail.reason["kind"] == "ERROR":
        kind = detail.reason.get("errorKind", "EXCEPTION")
        return {"key": flag.key, "errorCode": "GENERAL", "errorDetails": kind}
    if counting is not None and detail.variation_index is not None:
        counting.count(state.environment, flag.key, detail.variation_index)
    version = flag.config(state.environment.key).version
    answer: dict[str, Any] = {
        "key": flag.key,
        "reason": _reason(flag, state.environment.key, detail),
        "metadata": {"flagVersion": version, "kind": detail.reason["kind"]},
    }
    if detail.variation_index is not None:
        variation = flag.variations[detail.variation_index]
        answer |= {"value": detail.value, "variant": variation.name or str(detail.variation_index)}
    return answer


def _reason(flag: Flag, environment: str, detail: Detail) -> str:
    """In OpenFeature's words."""
    kind = detail.reason["kind"]
    if kind == "FALLTHROUGH":
        is_split = flag.config(environment).fallthrough.rollout is not None
        return "SPLIT" if is_split else "DEFAULT"
    return _REASONS.get(kind, str(kind))


def _error(status: int, key: str | None, code: str, details: str) -> Response:
    body = {"errorCode": code, "errorDetails": details} | ({} if key is None else {"key": key})
    return JSONResponse(body, status, headers=_HEADERS)
