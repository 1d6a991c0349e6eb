"""One person's browser: cookies, kept connections, and what a browser repeats by itself."""

import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from cms.load.ledger import Ledger

TIMEOUT = 15.0

Problem = Callable[[httpx.Response], str]
"""What is wrong with an answer's contents; nothing if they are right."""


class Browser:
    """`user` None: nobody is signed in, the proxy gives this browser an id."""

    def __init__(
        self, target: str, user: str | None, ledger: Ledger, tls: ssl.SSLContext, *, api: bool
    ) -> None:
        self.user = user
        self.signed_in = False
        headers = {"x-user": user} if api and user else {}
        # A real browser keeps some connections to an address; one is enough for one person.
        self._http = httpx.AsyncClient(
            base_url=target,
            verify=tls,
            headers=headers,
            timeout=TIMEOUT,
            trust_env=False,
            limits=httpx.Limits(max_connections=2, keepalive_expiry=20),
        )
        self._ledger = ledger

    def forget(self) -> None:
        """Be somebody else from now on."""
        self._http.cookies.clear()

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        expect: tuple[int, ...] = (200,),
        stale_ok: bool = False,
        problem: Problem | None = None,
        headers: Mapping[str, str] | None = None,
        **content: Any,
    ) -> httpx.Response | None:
        """The answer, None if it was a failure or its contents were wrong. `stale_ok`: 404 means
        only: not there yet."""
        at, began = time.time(), time.perf_counter()
        try:
            answer = await self._send(method, path, headers, content)
        except httpx.HTTPError as error:
            self._ledger.failed(method, path, at=at, status=None, error=repr(error), decision="")
            return None
        took = (time.perf_counter() - began) * 1000
        origin = answer.headers.get("x-cms-origin", "proxy")
        decision = answer.headers.get("x-migrator-decision", "")
        self._ledger.answered(origin, answer.status_code, took)
        if answer.status_code in expect:
            return answer if self._is_right(answer, problem, path, at, decision) else None
        if answer.status_code == 404 and stale_ok:
            self._ledger.stale_reads += 1
            return None
        self._ledger.failed(
            method,
            path,
            at=at,
            status=answer.status_code,
            error=answer.text[:200],
            decision=decision,
        )
        return None

    def _is_right(
        self, answer: httpx.Response, problem: Problem | None, path: str, at: float, decision: str
    ) -> bool:
        if problem is None:
            return True
        try:
            found = problem(answer)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            found = f"contents of another shape: {error!r}"
        self._ledger.judged(path, found, at=at, decision=decision)
        return not found

    async def plain(self, path: str) -> httpx.Response:
        """GET without any bookkeeping. Raises httpx.HTTPError."""
        return await self._http.get(path)

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str] | None, content: dict[str, Any]
    ) -> httpx.Response:
        """As browsers do (RFC 9110, 9.2.2; RFC 9112, 9.3.1): a kept connection that dies before
        any byte of the answer is no error for a request that may be repeated."""
        try:
            return await self._http.request(method, path, headers=headers, **content)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if method not in ("GET", "HEAD"):
                raise
            self._ledger.repeated += 1
            return await self._http.request(method, path, headers=headers, **content)
