"""What browser and mobile SDKs poll: flags evaluated here, those that are available to them.

Source: LaunchDarkly's JavaScript client SDK and the Relay Proxy's endpoint documentation.
"""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flags.evaluation.context import Context
from flags.sdk.access import by_auth, by_client_side_id, by_mobile_key, by_sdk_key
from flags.sdk.body import limited_body
from flags.sdk.contexts import from_path, require_hash
from flags.sdk.http import CORS, Endpoint, is_known, preflighted
from flags.sdk.seen import Seen
from flags.streams.client import Available, evaluated, for_browsers, for_mobile, for_servers
from flags.streams.hub import EnvironmentHub, Hub
from flags.streams.protocol import MAX_CONTEXT
from flags.wire import client, v2
from flags.wire.encoding import compact, etag

Find = Callable[[Request], EnvironmentHub]
_METHODS: Final = ["GET", "REPORT", "OPTIONS"]


def client_side_routes(hub: Hub, seen: Seen) -> list[Route]:
    def browser(request: Request) -> EnvironmentHub:
        return by_client_side_id(hub, request.path_params["env"])

    def mobile(request: Request) -> EnvironmentHub:
        return by_mobile_key(hub, request.headers)

    def server(request: Request) -> EnvironmentHub:
        return by_sdk_key(hub, request.headers)

    def answering(find: Find, available: Available) -> Endpoint:
        async def answer(request: Request) -> Response:
            environment = find(request)
            context = await _context(request)
            require_hash(environment.state.environment, context, request.query_params, available)
            seen.add(environment.state.environment, context)
            flags = evaluated(
                environment.state,
                context,
                available,
                with_reasons=request.query_params.get("withReasons") == "true",
            )
            return _answer(environment, request, compact(flags))

        return answer

    async def second(request: Request) -> Response:
        """Of the second generation: everything, as events."""
        environment, available = by_auth(hub, request.headers, request.query_params)
        state, context = environment.state, await _context(request)
        require_hash(state.environment, context, request.query_params, available)
        seen.add(state.environment, context)
        with_reasons = request.query_params.get("withReasons") == "true"
        flags = evaluated(state, context, available, with_reasons=with_reasons)
        body = v2.poll(client.transfer(flags, state.epoch, state.sequence))
        return _answer(environment, request, body)

    async def goals(request: Request) -> Response:
        """Browser SDKs ask for click and page-view metrics; there are none here."""
        browser(request)
        return Response(b"[]", media_type="application/json", headers=CORS)

    async def refused(request: Request) -> Response:
        """A stream that could be opened never comes here: say why it could not."""
        kind = request.url.path.split("/")[1]
        if request.url.path.startswith("/sdk/stream/eval/"):
            environment, available = by_auth(hub, request.headers, request.query_params)
        else:
            finds = {"all": server, "sdk": server, "mping": mobile, "meval": mobile}
            environment, available = finds.get(kind, browser)(request), for_browsers
        context = await _context(request)
        require_hash(environment.state.environment, context, request.query_params, available)
        return Response(status_code=400)

    browsers = answering(browser, for_browsers)
    mobiles = answering(mobile, for_mobile)
    servers = answering(server, for_servers)
    return [
        Route("/sdk/poll/eval", preflighted(second), methods=["POST", "OPTIONS"]),
        *(
            Route(path, preflighted(answer), methods=_METHODS)
            for path, answer in (
                ("/sdk/evalx/{env}/contexts/{context}", browsers),
                ("/sdk/evalx/{env}/context", browsers),
                ("/sdk/evalx/{env}/users/{context}", browsers),
                ("/sdk/evalx/{env}/user", browsers),
                ("/msdk/evalx/contexts/{context}", mobiles),
                ("/msdk/evalx/context", mobiles),
                ("/msdk/evalx/users/{context}", mobiles),
                ("/msdk/evalx/user", mobiles),
                ("/sdk/evalx/contexts/{context}", servers),
                ("/sdk/evalx/context", servers),
                ("/sdk/poll/eval/{context}", second),
                ("/sdk/goals/{env}", goals),
                ("/all", refused),
                ("/sdk/stream", refused),
                ("/sdk/stream/eval/{context}", refused),
                ("/mping", refused),
                ("/ping/{env}", refused),
                ("/meval", refused),
                ("/meval/{context}", refused),
                ("/eval/{env}", refused),
                ("/eval/{env}/{context}", refused),
            )
        ),
    ]


def _answer(environment: EnvironmentHub, request: Request, body: bytes) -> Response:
    headers = {
        **CORS,
        "ETag": etag(body),
        "X-LD-EnvID": environment.state.environment.client_side_id,
        "Cache-Control": "no-cache",
    }
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


async def _context(request: Request) -> Context:
    """From the path, or from the body of a REPORT or POST. Raises `Rejected`."""
    if request.method in ("REPORT", "POST"):
        return Context.loads(await limited_body(request, MAX_CONTEXT))
    return from_path(request.path_params.get("context", ""))
