"""Pages in Debian's Chromium, served from an origin of their own, with LaunchDarkly's SDK."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Error, Page, Request, Response, sync_playwright

CHROMIUM: Final = Path("/usr/bin/chromium")
ARGUMENTS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
PATIENCE: Final = 30.0
"""Seconds that anything on a page may take on a loaded machine."""
_PAGE: Final = b"""<!doctype html>
<title>page</title>
<script type="module">
  import { createClient } from '/sdk.js';
  window.begin = async (id, context, options, start) => {
    window.changes = [];
    window.client = createClient(id, context, options);
    const listen = () => client.on('change', (_, keys) => changes.push(...keys));
    if (options.streaming !== false) listen();
    const result = await client.start({ timeout: 20, ...start });
    return result.status;
  };
  window.loaded = true;
</script>
"""


class SdkPage:
    """A page with the SDK, and what it asked the server."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.requests: list[Request] = []
        self.answers: list[Response] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request))
        page.on("response", lambda answer: self.answers.append(answer))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._said)
        page.goto(origin)
        page.wait_for_function("window.loaded")

    def begin(
        self,
        server: str,
        client_side_id: str,
        context: Mapping[str, Any],
        start: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """`complete` once the SDK has its flags; `start` are options of that call."""
        uris = dict.fromkeys(("baseUri", "streamUri", "eventsUri"), server)
        arguments = [client_side_id, context, {**uris, **options}, start or {}]
        return str(self.page.evaluate("(given) => begin(...given)", arguments))

    def flags(self) -> Any:
        return self.page.evaluate("client.allFlags()")

    def variation(self, key: str, default: object = None) -> Any:
        return self.page.evaluate("(given) => client.variation(...given)", [key, default])

    def run(self, script: str) -> Any:
        """Waits for a promise."""
        return self.page.evaluate(script)

    def wait_for(self, key: str, value: object) -> None:
        """Until the SDK gives this value; None is no flag."""
        self.page.wait_for_function(
            "([key, value]) => (client.allFlags()[key] ?? null) === value",
            arg=[key, value],
            timeout=PATIENCE * 1000,
        )

    def asked(self, method: str, path: str) -> list[Request]:
        """Requests whose path begins so."""
        return [
            r
            for r in self.requests
            if r.method == method and r.url.split("/", 3)[3].startswith(path.lstrip("/"))
        ]

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Import it in a conftest.py to use it. While it lives, nothing else can use asyncio."""
    assert CHROMIUM.exists(), f"{CHROMIUM} is not there: install Debian's package chromium"
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=list(ARGUMENTS), headless=True
            )
        except Error as error:
            raise AssertionError(f"{CHROMIUM} does not start: {error}") from None
        with browser:
            yield browser


@contextmanager
def page_server(bundle: Path) -> Iterator[str]:
    """Another origin than the flag server's: browsers ask that one for permission."""
    script = bundle.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            known = {"/": ("text/html", _PAGE), "/sdk.js": ("text/javascript", script)}
            kind, body = known.get(self.path, ("text/plain", b""))
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nowhere."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/"
        finally:
            http.shutdown()
            thread.join()


def posted(request: Request) -> list[Mapping[str, Any]]:
    """Events of one post."""
    found = json.loads(request.post_data or "[]")
    return found if isinstance(found, list) else [found]
