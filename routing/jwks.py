"""Follows the JSON Web Key Set (RFC 7517) that users' tokens are verified with.

Off the path of requests: they use the keys that are known, and a token of an unknown key only asks
for an early look. Keys that were known stay in force while the place cannot be read, also on disk
for the next start.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic, time
from typing import TYPE_CHECKING, Final

import httpx

from routing.config import ContextRules, JwtRules
from routing.config.urls import is_url, shown_url
from routing.errors import InvalidConfig
from routing.flag_cache import write_atomically
from routing.outcomes import Outcomes
from routing.sources import claims_of

if TYPE_CHECKING:
    from routing.tokens import TokenVerifier

FILE: Final = "jwks.json"
"""Its name in the proxy's state folder."""
REFRESH_EVERY: Final = 300.0
AFTER_FAILURE: Final = 10.0
ASK_EVERY: Final = 30.0
"""Seconds between two looks because of unknown keys."""
FIRST_KEYS: Final = 5.0
"""Seconds to wait for keys before serving without any: claims are absent until they come."""
TIMEOUT: Final = 3.0
"""Seconds without a byte."""
WHOLE: Final = 10.0
"""Seconds for the whole key set: an issuer that dribbles must not keep the next one away."""
MAX_BYTES: Final = 256 * 1024

logger = logging.getLogger(__name__)


class KeySets:
    """One worker's. `run` is to run as long as requests come."""

    def __init__(self, state: Path, outcomes: Outcomes) -> None:
        self._state = state
        self._outcomes = outcomes
        self._verifier: TokenVerifier | None = None
        self._looked_at = 0.0
        self._wake = asyncio.Event()
        self._known = asyncio.Event()

    def prepare(self, rules: ContextRules) -> "TokenVerifier | None":
        """The verifier for a new configuration, with the keys that are known for it so far."""
        return known_verifier(rules, self._state, self._outcomes, self._unknown_key)

    def follow(self, verifier: "TokenVerifier | None") -> None:
        """Read keys for `verifier`, of `prepare`, from now on."""
        self._verifier = verifier
        if verifier is None or verifier.has_keys:
            self._known.set()
        self._wake.set()

    async def first(self) -> None:
        """Wait until keys are known, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_KEYS):
                await self._known.wait()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        # What is not encrypted stays on this machine: no forward proxy of the environment gets it.
        async with httpx.AsyncClient(timeout=TIMEOUT, mounts={"http://": None}) as http:
            while True:
                self._wake.clear()
                pause = await self._look(http)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    def _unknown_key(self) -> None:
        if monotonic() - self._looked_at >= ASK_EVERY:
            self._wake.set()

    async def _look(self, http: httpx.AsyncClient) -> float:
        """Read the key set; the seconds until the next time."""
        verifier = self._verifier
        if verifier is None:
            return REFRESH_EVERY
        place = verifier.rules.jwks
        self._looked_at = monotonic()
        try:
            text = await _read(http, place)
            changed = verifier.use(text)
            if changed and is_url(place):
                kept = json.dumps({"place": place, "jwks": text.decode()}).encode()
                await asyncio.to_thread(write_atomically, self._state / FILE, kept)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            logger.warning("jwks.not_read %s: %s", shown_url(place), why)
            return AFTER_FAILURE
        self._known.set()
        return REFRESH_EVERY


def known_verifier(
    rules: ContextRules, state: Path, outcomes: Outcomes, on_unknown_key: Callable[[], object]
) -> "TokenVerifier | None":
    """With the keys of its file, or those that a proxy kept in `state`; None without `jwt`."""
    if rules.jwt is None:
        return None
    from routing.tokens import TokenVerifier

    verifier = TokenVerifier(rules.jwt, claims_of(rules), time, outcomes, on_unknown_key)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        if not is_url(rules.jwt.jwks):
            verifier.use(Path(rules.jwt.jwks).read_bytes())
        else:
            kept = json.loads((state / FILE).read_bytes())
            if kept["place"] == rules.jwt.jwks:
                verifier.use(kept["jwks"].encode())
    return verifier


def check_key_file(rules: JwtRules | None) -> None:
    """Raise InvalidConfig if the keys are to be in a file and are not."""
    if rules is None or is_url(rules.jwks):
        return
    from routing.tokens import parse_keys

    try:
        parse_keys(Path(rules.jwks).read_bytes(), rules)
    except (OSError, ValueError) as error:
        raise InvalidConfig(f"context.jwt.jwks: {rules.jwks}: {error}") from None


async def _read(http: httpx.AsyncClient, place: str) -> bytes:
    """Raises OSError, httpx.HTTPError, httpx.InvalidURL, ValueError."""
    if not is_url(place):
        return await asyncio.to_thread(Path(place).read_bytes)
    content = b""
    # Nothing compressed: a few bytes could become more than fits before they are counted.
    fields = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with asyncio.timeout(WHOLE), http.stream("GET", place, headers=fields) as answer:
        if answer.status_code != 200:
            raise ValueError(f"status {answer.status_code}, expected 200")
        async for part in answer.aiter_raw():
            content += part
            if len(content) > MAX_BYTES:
                raise ValueError(f"longer than {MAX_BYTES} bytes")
    return content
