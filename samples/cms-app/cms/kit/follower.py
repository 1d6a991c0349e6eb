"""Follows the feed of another store, in a thread, whatever happens to the other side."""

import logging
import threading
import time
from typing import Any

import httpx

from cms.kit.store import Store, parse_change

LONG_POLL = 5.0
"""Seconds that the other side may wait before it says that nothing changed."""
PAGE = 200
RETRY = 0.2
CATCH_UP = 1.0
"""Seconds that a reader may wait for news from the other side."""

logger = logging.getLogger(__name__)


class Follower:
    """`caught_up` is set once everything that the peer had at the start is here."""

    def __init__(
        self, store: Store, peer: str, origin: str, kinds: tuple[str, ...], token: str
    ) -> None:
        self._store = store
        self._peer = peer
        self._kinds = kinds
        self._http = httpx.Client(
            base_url=origin,
            headers={"X-Internal-Token": token},
            timeout=LONG_POLL + 5,
            trust_env=False,
        )
        self._stop = threading.Event()
        self.caught_up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def catch_up(self) -> bool:
        """Follow up to the peer's present end, so that a user who changes sides sees their own
        writes. Gives up quietly, with False: what is not known is not found."""
        deadline = time.monotonic() + CATCH_UP
        try:
            while time.monotonic() < deadline:
                if not self._page(wait=0, timeout=CATCH_UP):
                    return True
        except (httpx.HTTPError, ValueError, KeyError) as error:
            logger.info("feed.catch_up.failed peer=%s %r", self._peer, error)
        return False

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                wait = LONG_POLL if self.caught_up.is_set() else 0.0
                if self._page(wait=wait, timeout=wait + 5) < PAGE:
                    self.caught_up.set()
            except (httpx.HTTPError, ValueError, KeyError) as error:
                logger.debug("feed.failed peer=%s %r", self._peer, error)
                self._stop.wait(RETRY)

    def _page(self, *, wait: float, timeout: float) -> int:
        """Take over one page; how many changes it had."""
        feed, position = self._store.position(self._peer)
        answer = self._http.get(
            "/internal/changes",
            params={
                "feed": feed,
                "after": position,
                "wait": wait,
                "limit": PAGE,
                "kinds": ",".join(self._kinds),
            },
            timeout=timeout,
        )
        answer.raise_for_status()
        page: dict[str, Any] = answer.json()
        changes = [parse_change(change) for change in page["changes"]]
        for change in changes:
            sha256 = change.doc.get("sha256") if change.doc else None
            if sha256 and self._store.blob(sha256) is None:
                blob = self._http.get(f"/internal/blobs/{sha256}", timeout=5)
                blob.raise_for_status()
                self._store.save_blob(sha256, blob.content)
        if changes or page["feed"] != feed:
            self._store.apply(self._peer, page["feed"], changes[-1].seq if changes else 0, changes)
        return len(changes)
