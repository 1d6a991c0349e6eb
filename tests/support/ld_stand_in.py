"""LaunchDarkly's manners in front of our own flag server: a small real HTTP proxy.

What it adds is what LaunchDarkly does and our server does not: latency, limits with their headers,
conflicts, roles of access tokens, accounts without migration flags, several environments in one
answer, and an audit log that knows tokens but not our own header. Streams pass through untouched.
"""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

METHODS: Final = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "REPORT", "OPTIONS")
_HOP: Final = frozenset({"host", "connection", "content-length", "transfer-encoding"})
_PATIENCE: Final = 20.0
"""Seconds a start may take on a loaded machine."""


@dataclass
class Manners:
    """How it behaves; tests change it while it runs."""

    tokens: Mapping[str, str] = field(default_factory=dict)
    """The flag server's token by the access token that clients send; others get 401."""
    readers: frozenset[str] = frozenset()
    """Access tokens without a role that may change anything."""
    latency: float = 0.0
    """Seconds before each answer of the REST API."""
    limit: int = 0
    """Requests of one route in one window; 0: no limit, and no header tells of one."""
    window: float = 10.0
    """Seconds."""
    conflict_every: int = 0
    """Every n-th PATCH meets an optimistic locking error; 0: none."""
    migration_flags: int = 0
    """The status with which migration flags are refused; 0: the account has them."""
    refuse: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    """Status and headers of the next answers of the REST API, one each."""


@dataclass
class StandIn:
    """A running stand-in."""

    address: str
    manners: Manners
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and status of every request to the REST API."""

    def statuses(self, method: str) -> list[int]:
        return [status for asked, _, status in self.asked if asked == method]


class _Proxy:
    def __init__(self, upstream: str, manners: Manners, http: httpx.AsyncClient) -> None:
        self.upstream = upstream
        self.manners = manners
        self.asked: list[tuple[str, str, int]] = []
        self._http = http
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}
        self._patches = 0

    async def handle(self, request: Request) -> Response:
        if not request.url.path.startswith("/api/"):
            return await self._stream(request)
        await asyncio.sleep(self.manners.latency)
        headers, answer = self._limited(request)
        if answer is None:
            answer = self._refused(request, await request.body())
        if answer is None:
            answer = await self._forward(request)
        answer.headers.update(headers)
        self.asked.append((request.method, request.url.path, answer.status_code))
        return answer

    def _limited(self, request: Request) -> tuple[dict[str, str], Response | None]:
        """The headers of every answer, and a 429 when the route is used up."""
        manners, now = self.manners, time.time()
        if not manners.limit:
            return {}, None
        route = (request.method, request.url.path.split("/")[3])
        until, used = self._windows.get(route, (0.0, 0))
        if now >= until:
            until, used = now + manners.window, 0
        self._windows[route] = until, used + 1
        headers = {
            "X-Ratelimit-Route-Remaining": str(max(0, manners.limit - used - 1)),
            "X-Ratelimit-Reset": str(round(until * 1000)),
        }
        return headers, None if used < manners.limit else _error(429, "rate_limited")

    def _refused(self, request: Request, body: bytes) -> Response | None:
        manners = self.manners
        if manners.refuse:
            status, headers = manners.refuse.pop(0)
            return _error(status, "injected", headers)
        token = request.headers.get("authorization", "")
        if token not in manners.tokens:
            return _error(401, "unauthorized")
        if request.method not in ("GET", "HEAD") and token in manners.readers:
            return _error(403, "forbidden")
        if request.method == "PATCH" and manners.conflict_every:
            self._patches += 1
            if self._patches % manners.conflict_every == 0:
                return _error(409, "optimistic_locking_error")
        migration = request.method == "POST" and json.loads(body).get("purpose") == "migration"
        if migration and manners.migration_flags:
            return _error(manners.migration_flags, "invalid_request")
        return None

    async def _forward(self, request: Request) -> Response:
        token = self.manners.tokens[request.headers["authorization"]]
        headers = _passed_on(request.headers) | {"authorization": token}
        headers.pop("x-migrator-via", None)
        try:
            answer = await self._http.request(
                request.method, self._url(request), headers=headers, content=await request.body()
            )
        except httpx.TransportError:
            return _error(503, "service_unavailable")
        content = answer.content
        if answer.is_success and answer.content:
            content = json.dumps(_as_launchdarkly(answer.json())).encode()
        return Response(content, answer.status_code, media_type="application/json")

    async def _stream(self, request: Request) -> Response:
        """What SDKs ask: as it comes, for as long as it comes."""
        asked = self._http.build_request(
            request.method,
            self._url(request),
            headers=_passed_on(request.headers),
            content=await request.body(),
        )
        try:
            answer = await self._http.send(asked, stream=True)
        except httpx.TransportError:
            return _error(503, "service_unavailable")

        async def chunks() -> AsyncIterator[bytes]:
            try:
                async for chunk in answer.aiter_raw():
                    yield chunk
            except httpx.TransportError:
                return
            finally:
                await answer.aclose()

        return StreamingResponse(chunks(), answer.status_code, _passed_on(answer.headers))

    def _url(self, request: Request) -> str:
        query = f"?{request.url.query}" if request.url.query else ""
        return f"{self.upstream}{request.url.path}{query}"


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP}


def _error(status: int, code: str, headers: Mapping[str, str] | None = None) -> Response:
    message = code.replace("_", " ")
    return JSONResponse({"code": code, "message": message}, status, dict(headers or {}))


def _as_launchdarkly(document: Any) -> Any:
    """Answers tell all environments of a flag; the audit log tells tokens, and no way."""
    if isinstance(document, list):
        return [_as_launchdarkly(each) for each in document]
    if not isinstance(document, dict):
        return document
    document = {name: _as_launchdarkly(value) for name, value in document.items()}
    if "variations" in document and isinstance(document.get("environments"), dict):
        other = {"on": False, "version": 1, "fallthrough": {"variation": 0}}
        document["environments"] = {"another": other, **document["environments"]}
    if document.pop("via", None) in ("api", "cli"):
        document["token"] = {"name": "of these tests", "ending": "0000"}
    return document


@contextlib.asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Real HTTP on a free port; yields the origin."""

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    # With the protocol named asyncio turns Nagle's algorithm off: no answer waits for 40 ms.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, lifespan="off", log_level="critical", timeout_graceful_shutdown=1
        )
        server = Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(_PATIENCE):
                while not server.started:
                    await asyncio.sleep(0.005)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@contextlib.asynccontextmanager
async def standing_in(upstream: str, manners: Manners) -> AsyncIterator[StandIn]:
    """LaunchDarkly, as far as anybody can tell, in front of the flag server at `upstream`."""
    async with httpx.AsyncClient(
        timeout=httpx.Timeout(_PATIENCE, read=None),
        limits=httpx.Limits(max_connections=None),
        trust_env=False,
    ) as http:
        proxy = _Proxy(upstream, manners, http)
        app = Starlette(routes=[Route("/{path:path}", proxy.handle, methods=list(METHODS))])
        async with served(app) as address:
            yield StandIn(address=address, manners=manners, asked=proxy.asked)
