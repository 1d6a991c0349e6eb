"""Misbehaviour on demand, for demonstrations and tests. Exists only with CMS_FAULT_INJECTION=1."""

import json
import os
import random
import re
import threading
from dataclasses import dataclass, fields, replace
from typing import Any

from flask import Blueprint, Flask, Response, abort, jsonify, request

from cms.kit.settings import Settings


@dataclass(frozen=True, slots=True)
class Faults:
    error_rate: float = 0.0
    """Share of requests that are answered with 500."""
    latency_ms: float = 0.0
    slow_share: float = 1.0
    """Share of requests that wait `latency_ms` before they are handled."""
    wrong_answers: float = 0.0
    """Share of JSON and HTML answers with other contents."""
    crash: bool = False
    """The next request ends the process."""
    memory_mb_per_request: float = 0.0


_LIMITS = {"error_rate": 1.0, "latency_ms": 30_000.0, "slow_share": 1.0, "wrong_answers": 1.0}
_LIMITS["memory_mb_per_request"] = 64.0
_MAX_LEAK_MB = 1024
_TEXT = re.compile(r">([^<>]+)<")


class Injector:
    """The faults in force, and what they have leaked."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._leak: list[bytes] = []
        self._random = random.Random()  # noqa: S311 - not for secrets
        self._pause = threading.Event()

    def before(self) -> None:
        """Misbehave, perhaps, before a request is handled."""
        faults = self.faults
        if faults.crash:
            os._exit(1)
        if faults.memory_mb_per_request:
            size = int(faults.memory_mb_per_request * 1024 * 1024)
            if sum(map(len, self._leak)) + size <= _MAX_LEAK_MB * 1024 * 1024:
                self._leak.append(b"\x01" * size)
        if faults.latency_ms and self._random.random() < faults.slow_share:
            self._pause.wait(faults.latency_ms / 1000)
        if self._random.random() < faults.error_rate:
            abort(500, "injected fault")

    def after(self, response: Response) -> Response:
        faults = self.faults
        if self._random.random() < faults.wrong_answers:
            if response.is_json:
                response.set_data(json.dumps(_wrong(response.get_json())))
            elif response.mimetype == "text/html":
                page = response.get_data(as_text=True)
                response.set_data(_TEXT.sub(lambda text: f">{text[1][::-1]}<", page))
        return response

    def change(self, faults: Faults) -> None:
        self.faults = faults
        if not faults.memory_mb_per_request:
            self._leak.clear()


def install(app: Flask, settings: Settings, internal: Blueprint) -> None:
    """Add the admin endpoint to `internal` and the faults to every other request of `app`."""
    injector = Injector()

    @app.before_request
    def before() -> None:
        if not _exempt(request.path):
            injector.before()

    @app.after_request
    def after(response: Response) -> Response:
        return response if _exempt(request.path) else injector.after(response)

    @internal.get("/faults")
    def show() -> Response:
        return jsonify(_json(injector.faults))

    @internal.post("/faults")
    def change() -> Response:
        injector.change(_parse(injector.faults, request.get_json()))
        return jsonify(_json(injector.faults))

    @internal.delete("/faults")
    def clear() -> Response:
        injector.change(Faults())
        return jsonify(_json(injector.faults))


def _exempt(path: str) -> bool:
    return path in ("/healthz", "/readyz") or path.startswith("/internal/")


def _json(faults: Faults) -> dict[str, Any]:
    return {field.name: getattr(faults, field.name) for field in fields(Faults)}


def _parse(faults: Faults, given: object) -> Faults:
    known = [field.name for field in fields(Faults)]
    if not isinstance(given, dict) or not given.keys() <= set(known):
        abort(400, f"expected an object with some of: {', '.join(known)}")
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name == "crash":
            changes[name] = bool(value)
        elif isinstance(value, int | float) and 0 <= value <= _LIMITS[name]:
            changes[name] = float(value)
        else:
            abort(400, f"{name}: {value!r} is not a number from 0 to {_LIMITS[name]:g}")
    return replace(faults, **changes)


def _wrong(value: Any) -> Any:
    """The same shape with other contents."""
    if isinstance(value, dict):
        return {key: _wrong(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_wrong(item) for item in value]
    return value[::-1] if isinstance(value, str) else value
