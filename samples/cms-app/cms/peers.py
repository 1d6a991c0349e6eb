"""What a domain needs of the others: inside the monolith a function call, in a service a request.

This is the seam along which the monolith comes apart.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from cms.kit.gateway import Gateway, GatewayError
from cms.kit.store import Document, Store
from cms.publishing import enqueue


class Peers(Protocol):
    def names(self, users: Iterable[str]) -> dict[str, str]:
        """Names for people by user id; the id where it cannot be found out."""
        ...

    def article(self, id: str) -> Document | None: ...

    def comments(self, article: str) -> list[Document]: ...

    def announce(self, announcement: Document) -> None:
        """Have a published article posted to the social network. Raises GatewayError."""
        ...


class Inside:
    """All domains in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self, users: Iterable[str]) -> dict[str, str]:
        found = {user: self._store.get("user", user) for user in users}
        return {user: doc["display_name"] if doc else user for user, doc in found.items()}

    def article(self, id: str) -> Document | None:
        return self._store.get("article", id)

    def comments(self, article: str) -> list[Document]:
        return self._store.find("comment", article=article, limit=100)

    def announce(self, announcement: Document) -> None:
        enqueue(self._store, announcement)


class Outside:
    """Other domains are other programs, behind the gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def names(self, users: Iterable[str]) -> dict[str, str]:
        wanted = dict.fromkeys(users)
        found = self._ask("/api/users", {"ids": ",".join(wanted)})
        known = {user["id"]: user["display_name"] for user in found["users"]} if found else {}
        return {user: known.get(user, user) for user in wanted}

    def article(self, id: str) -> Document | None:
        found: Document | None = self._ask(f"/api/articles/{id}")
        return found

    def comments(self, article: str) -> list[Document]:
        found = self._ask(f"/api/articles/{article}/comments")
        return list(found["comments"]) if found else []

    def announce(self, announcement: Document) -> None:
        headers = {k: v for k, v in announcement["headers"].items() if v}
        self._gateway.post("/api/posts", announcement, headers)

    def _ask(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """A page without its comments is better than no page."""
        try:
            return self._gateway.get(path, params)
        except GatewayError:
            return None
