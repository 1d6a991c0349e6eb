"""One proxy under one load after another, and what it used meanwhile."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import httpx

from bench.flags.errors import BenchError
from bench.proxy import wrk
from bench.proxy.peers.peer import Started
from bench.proxy.upstream import LARGE_PATH
from bench.proxy.wrk import Load

SMALL: Final = Load(name="small GET", connections=64)
ALONE: Final = Load(name="one connection", connections=1)
LARGE_GET: Final = Load(name="64 KiB GET", connections=64, path=LARGE_PATH)
LARGE_POST: Final = Load(name="64 KiB POST", connections=64, method="POST", body=wrk.LARGE)
IDLE: Final = 1000
"""Connections that have been used once and are kept."""
USERS: Final = 400
"""Asked once each to see whether about half of them are at the new side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one proxy did in one round. CPU times are in microseconds per request."""

    cpu_small: float
    cpu_large: float
    cpu_post: float
    rate: float
    """Small requests per second over 64 connections."""
    p50: float
    """Microseconds over 64 connections, as is `p99`."""
    p99: float
    added_p50: float
    """Microseconds over one connection, beyond those of the upstream alone; as is `added_p99`."""
    added_p99: float
    memory: float
    """MB (10^6 bytes) that no other process shares, after the load."""


def check_split(port: int) -> None:
    """Raises `BenchError` unless a fair half of users gets each side's answer."""
    sides = {"old": 0, "new": 0}
    try:
        with httpx.Client(trust_env=False, timeout=10) as http:
            for user in range(USERS):
                headers = {"x-user": f"user-{user:05}"}
                answer = http.get(f"http://127.0.0.1:{port}/articles/1", headers=headers)
                sides[answer.raise_for_status().text[:3]] += 1
    except (httpx.HTTPError, KeyError) as error:
        raise BenchError(f"gave a wrong answer: {error!r}") from None
    if not 0.35 <= sides["new"] / USERS <= 0.65:
        raise BenchError(f"split {USERS} users by {sides['old']} to {sides['new']}")


def measure_round(started: Started, upstream: wrk.Answered, seconds: int) -> Round:
    """`upstream` is `ALONE` without a proxy. Raises `BenchError`."""
    wrk.run(SMALL, started.port, 1)  # connections to the upstream, caches
    small, cpu_small = _loaded(started, SMALL, 2 * seconds)
    alone, _ = _loaded(started, ALONE, seconds)
    _, cpu_large = _loaded(started, LARGE_GET, seconds)
    _, cpu_post = _loaded(started, LARGE_POST, seconds)
    return Round(
        cpu_small=cpu_small,
        cpu_large=cpu_large,
        cpu_post=cpu_post,
        rate=small.rate,
        p50=small.p50,
        p99=small.p99,
        added_p50=alone.p50 - upstream.p50,
        added_p99=alone.p99 - upstream.p99,
        memory=started.private_memory() / 1e6,
    )


def _loaded(started: Started, load: Load, seconds: int) -> tuple[wrk.Answered, float]:
    """What was answered, and microseconds of CPU time per request."""
    before = started.cpu_time()
    answered = wrk.run(load, started.port, seconds)
    return answered, (started.cpu_time() - before) / answered.requests * 1e6


def memory_with_idle_connections(started: Started) -> float:
    """MB (10^6 bytes) while `IDLE` clients are connected. Raises `BenchError`."""
    request = b"GET /articles/1 HTTP/1.1\r\nHost: localhost\r\nX-User: user-00001\r\n\r\n"
    try:
        with ExitStack() as opened:
            for _ in range(IDLE):
                place = ("127.0.0.1", started.port)
                client = opened.enter_context(socket.create_connection(place, timeout=10))
                client.sendall(request)
                if not client.recv(65536).startswith(b"HTTP/1.1 200"):
                    raise BenchError("an idle connection's request failed")
            return started.private_memory() / 1e6
    except OSError as error:
        raise BenchError(f"{IDLE} connections could not be kept: {error}") from None
