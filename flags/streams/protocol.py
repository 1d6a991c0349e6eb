"""HTTP connections of the flag server: uvicorn's, until a request opens an event stream.

An ASGI application holds a task, its frames and several objects for as long as it streams. SDKs
stream for days, by the thousand, so their connections are taken over and written to directly.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_CONTEXT: Final = 64 * 1024
"""Bytes of a context in the body of a REPORT request."""
Headers = list[tuple[bytes, bytes]]
"""Names in lower case."""
Start = Callable[[asyncio.Transport, bytes], None]
"""Begins a stream on a transport; the bytes are the request's body."""
Opener = Callable[[bytes, bytes, Headers], Start | None]
"""For a request's method, target and headers; None leaves it to the application."""


class StreamingProtocol(HttpToolsProtocol):
    def __init__(self, *args: Any, opener: Opener, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._opener = opener
        self._start: Start | None = None
        self._body = b""

    def on_headers_complete(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self._start = self._opener(self.parser.get_method(), self.url, self.headers)
        if self._start is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._start is None:
            super().on_body(body)
        elif len(self._body) + len(body) > MAX_CONTEXT:
            self.transport.abort()
        else:
            self._body += body

    def on_message_complete(self) -> None:
        if self._start is None:
            super().on_message_complete()
            return
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        self.parser = None  # type: ignore[assignment] # as uvicorn ends it: no cycle is left
        self._start(self.transport, self._body)
