"""Runs an application until SIGTERM or Ctrl-C, on loopback."""

import logging
import signal
from collections.abc import Callable, Iterable
from types import FrameType

from flask import Flask
from waitress.server import create_server

THREADS = 24
"""Some of them wait in the feeds of other programs."""


def run(app: Flask, port: int, stop: Iterable[Callable[[], None]]) -> None:
    """`stop`: called at the end, before the server waits for its last requests."""
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("httpx", "waitress.queue", "ldclient.util"):
        logging.getLogger(chatty).setLevel("WARNING")
    server = create_server(
        app, host="127.0.0.1", port=port, threads=THREADS, ident="cms", channel_timeout=60
    )

    def end(_signal: int, _frame: FrameType | None) -> None:
        for step in stop:
            step()
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    server.run()
