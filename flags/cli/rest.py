"""A client of the REST API, ours or LaunchDarkly's, for commands."""

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any, Final, Self

import httpx
import typer

from flags.errors import FlagsError

TOKEN: Final = "FLAGS_TOKEN"  # noqa: S105 - the name of the variable
Server = Annotated[
    str, typer.Option(envvar="FLAGS_SERVER", help="Address of the flag server.", metavar="URL")
]
DEFAULT_SERVER: Final = "http://127.0.0.1:8765"
_PAGE: Final = 50
_ATTEMPTS: Final = 5
_LONGEST_WAIT: Final = 30.0
"""Seconds that one refusal for too many requests may ask for."""


class RestClient:
    """Errors are `FlagsError`s that name the request and what to do."""

    def __init__(self, server: str, token: str | None, *, variable: str = TOKEN) -> None:
        if not token:
            raise FlagsError(
                f"no API token: ${variable} is not set", hint=f"export {variable}=api-…"
            )
        self._variable = variable
        self._http = httpx.Client(
            base_url=server,
            headers={"Authorization": token, "LD-API-Version": "20240415"},
            timeout=60,
            trust_env=variable != TOKEN,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A successful answer. Too many requests (429) wait as long as the server asks for."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = self._http.request(method, path, **options)
            except httpx.TransportError as error:
                raise FlagsError(
                    f"{self._http.base_url}: {error or type(error).__name__}",
                    hint="is the flag server running there?",
                ) from None
            if answer.status_code != 429 or attempt == _ATTEMPTS:
                break
            time.sleep(_wait(answer))
        if answer.is_success:
            return answer
        raise FlagsError(f"{method} {path}: {_problem(answer)}", hint=self._hint(answer))

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """The items of a list, all of them."""
        offset = 0
        while True:
            given: dict[str, str | int] = {**query, "limit": _PAGE, "offset": offset}
            items = self.ask("GET", path, params=given).json().get("items") or []
            yield from items
            if len(items) < _PAGE:
                return
            offset += len(items)

    def _hint(self, answer: httpx.Response) -> str:
        return {
            401: f"the token in ${self._variable} is wrong or was revoked",
            403: f"the token in ${self._variable} needs another role: Writer to import",
            404: "check the keys of project and environment",
        }.get(answer.status_code, "nothing was changed")


def _wait(answer: httpx.Response) -> float:
    """Seconds, from `Retry-After` or LaunchDarkly's `X-Ratelimit-Reset` (epoch milliseconds)."""
    try:
        if "x-ratelimit-reset" in answer.headers:
            wanted = int(answer.headers["x-ratelimit-reset"]) / 1000 - time.time()
        else:
            wanted = float(answer.headers.get("retry-after", 1))
    except ValueError:
        wanted = 1.0
    return min(max(wanted, 0.1), _LONGEST_WAIT)


def _problem(answer: httpx.Response) -> str:
    try:
        return f"{answer.status_code} {answer.json()['message']}"[:500]
    except (json.JSONDecodeError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"
