"""The dashboard's pages, by subject. Changes go through the store like everybody's."""

from flask import Blueprint

from flags.dashboard.live import Live
from flags.dashboard.pages import (
    environments,
    flag,
    flags,
    history,
    rules,
    schedule,
    sdks,
    segment,
    segments,
    settings,
    tokens,
)
from flags.dashboard.pages.site import Site, prepare
from flags.store import Store


def pages(store: Store, live: Live) -> Blueprint:
    """The blueprint of `/`. `session.install` must be called on the same application."""
    ui = Blueprint(
        "dashboard",
        "flags.dashboard",
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )
    site = Site(store, live)
    prepare(ui, site)
    for subject in (
        flags,
        flag,
        rules,
        schedule,
        settings,
        history,
        segments,
        segment,
        sdks,
        environments,
        tokens,
    ):
        subject.add(ui, site)
    return ui


__all__ = ["pages"]
