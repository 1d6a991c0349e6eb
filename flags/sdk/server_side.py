"""What server-side SDKs poll, in both protocol generations, and PHP's single reads.

Source: launchdarkly-server-sdk 9.18 (`ldclient/impl/datasource`, `datasourcev2`) and the Relay
Proxy's endpoint documentation.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flags.errors import NotFound
from flags.sdk.access import by_sdk_key
from flags.sdk.http import Endpoint, is_known
from flags.streams.hub import EnvironmentHub, Hub
from flags.streams.state import Kind
from flags.wire import v2


def server_side_routes(hub: Hub) -> list[Route]:
    async def everything(request: Request) -> Response:
        environment = by_sdk_key(hub, request.headers)
        encoded = environment.state.encoded
        headers = {"ETag": encoded.etag, "Vary": "Accept-Encoding"}
        if is_known(request, encoded.etag):
            return _answer(environment, None, headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return _answer(environment, encoded.gzipped, headers | {"Content-Encoding": "gzip"})
        return _answer(environment, encoded.body, headers)

    async def changes(request: Request) -> Response:
        environment = by_sdk_key(hub, request.headers)
        encoded = environment.state.encoded
        headers = {"ETag": f'"{v2.state(encoded.epoch, encoded.sequence)}"'}
        if is_known(request, headers["ETag"]):
            return _answer(environment, None, headers)
        events = encoded.since(request.query_params.get("basis"))
        return _answer(environment, v2.poll(events), headers)

    async def flags(request: Request) -> Response:
        environment = by_sdk_key(hub, request.headers)
        return _answer(environment, environment.state.encoded.flags, {})

    def one(kind: Kind) -> Endpoint:
        async def read(request: Request) -> Response:
            environment = by_sdk_key(hub, request.headers)
            found = environment.state.encoded.one(kind, request.path_params["key"])
            if found is None:
                raise NotFound(f"{kind} {request.path_params['key']!r} does not exist")
            return _answer(environment, found, {})

        return read

    return [
        Route("/sdk/latest-all", everything),
        Route("/sdk/poll", changes),
        Route("/sdk/flags", flags),
        Route("/sdk/flags/{key}", one("flag")),
        Route("/sdk/segments/{key}", one("segment")),
    ]


def _answer(environment: EnvironmentHub, body: bytes | None, headers: dict[str, str]) -> Response:
    """`body` None: what the SDK has is still right."""
    headers["X-LD-EnvID"] = environment.state.environment.client_side_id
    if body is None:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
