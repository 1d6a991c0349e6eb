"""Puts a program together: store, feeds, pages, and for services the flags."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Blueprint, Response, request

from cms.kit import app as web
from cms.kit import copies, server
from cms.kit.flags import Flags
from cms.kit.follower import Follower
from cms.kit.gateway import Gateway
from cms.kit.settings import Settings, from_environment
from cms.kit.store import APPLIED, Index, Store


@dataclass(slots=True)
class Program:
    """Everything the domains' routes work with."""

    settings: Settings
    store: Store
    gateway: Gateway
    flags: Flags | None
    followers: list[Follower] = field(default_factory=list)

    def catch_up(self) -> None:
        """Take over what the other sides have, before saying that something does not exist."""
        for follower in self.followers:
            follower.catch_up()

    def secret(self) -> str:
        return self.settings.session_secret


def monolith(kinds_of: dict[str, tuple[str, ...]], index: Index) -> Program:
    """The monolith follows every service for the kinds of documents that it owns there."""
    settings = from_environment("monolith", os.environ)
    store = Store(
        settings.data / "cms.db", "monolith", relay=True, index=index, request_id=copies.request_id
    )
    program = Program(settings, store, Gateway(settings.gateway), None)
    program.followers = [
        Follower(store, name, origin, (*kinds_of[name], APPLIED), settings.internal_token)
        for name, origin in settings.services.items()
        if name in kinds_of
    ]
    return program


def service(name: str, kinds: tuple[str, ...], index: Index | None = None) -> Program:
    """A service follows the monolith."""
    settings = from_environment(name, os.environ)
    store = Store(settings.data / f"{name}.db", name, index=index, request_id=copies.request_id)
    program = Program(settings, store, Gateway(settings.gateway), Flags(settings))
    program.followers = [
        Follower(store, "monolith", settings.monolith, (*kinds, APPLIED), settings.internal_token)
    ]
    return program


def run(
    program: Program,
    blueprints: list[Blueprint],
    *,
    capability: str | None = None,
    background: tuple[Callable[[], None], ...] = (),
) -> None:
    """Serve until stopped. `capability`: its stage, as this program's own SDK sees it, is told in
    the header X-CMS-Stage."""

    def awaited() -> str:
        if program.flags is not None and not program.flags.ready:
            return "waiting for flags"
        # The monolith is ready alone: the services copy from it first.
        behind = program.flags is not None and not all(
            follower.caught_up.is_set() for follower in program.followers
        )
        return "copying from the monolith" if behind else ""

    flask = web.create(program.settings, program.store, awaited)
    copies.install(flask, program.store, program.followers)
    for blueprint in blueprints:
        flask.register_blueprint(blueprint)
    flags = program.flags
    if flags is not None and capability is not None:
        name = capability

        @flask.after_request
        def tell_stage(response: Response) -> Response:
            if not request.path.startswith(("/internal/", "/healthz", "/readyz")):
                response.headers["X-CMS-Stage"] = f"{name}={flags.stage(name, request)}"
            return response

    for follower in program.followers:
        follower.start()
    for start in background:
        start()
    stops = [*(follower.stop for follower in program.followers), program.store.close]
    server.run(flask, program.settings.port, stops)
