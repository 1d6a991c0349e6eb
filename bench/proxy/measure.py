"""One proxy under one load after another, and what it used meanwhile."""

import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

import httpx

from bench.flags.errors import BenchError
from bench.proxy import wrk
from bench.proxy.peers.peer import Started
from bench.proxy.upstream import LARGE_PATH, Upstream
from bench.proxy.wrk import Load

SMALL: Final = Load(name="small GET", connections=64)
ALONE: Final = Load(name="one connection", connections=1)
LARGE_GET: Final = Load(name="64 KiB GET", connections=64, path=LARGE_PATH)
LARGE_POST: Final = Load(name="64 KiB POST", connections=64, method="POST", body=wrk.LARGE)
ROUNDS: Final = 5
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
    """Microseconds over 64 connections, as are all of these."""
    p99: float
    busy_added_p50: float
    """Beyond those of the upstream alone at 64 connections."""
    busy_added_p99: float
    rate_large: float
    p50_large: float
    p99_large: float
    rate_post: float
    p50_post: float
    p99_post: float
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """The upstream without a proxy."""

    alone: wrk.Answered
    busy: wrk.Answered


def measure_direct(upstream: Upstream, seconds: int) -> Direct:
    """Raises `BenchError`."""
    return Direct(
        alone=wrk.run(ALONE, upstream.old, seconds), busy=wrk.run(SMALL, upstream.old, seconds)
    )


def measure_round(started: Started, direct: Direct, seconds: int) -> Round:
    """Raises `BenchError`."""
    wrk.run(SMALL, started.port, 1)  # connections to the upstream, caches
    small, cpu_small = _loaded(started, SMALL, 2 * seconds)
    alone, _ = _loaded(started, ALONE, seconds)
    large, cpu_large = _loaded(started, LARGE_GET, seconds)
    post, cpu_post = _loaded(started, LARGE_POST, seconds)
    return Round(
        cpu_small=cpu_small,
        cpu_large=cpu_large,
        cpu_post=cpu_post,
        rate=small.rate,
        p50=small.p50,
        p99=small.p99,
        busy_added_p50=small.p50 - direct.busy.p50,
        busy_added_p99=small.p99 - direct.busy.p99,
        rate_large=large.rate,
        p50_large=large.p50,
        p99_large=large.p99,
        rate_post=post.rate,
        p50_post=post.p50,
        p99_post=post.p99,
        added_p50=alone.p50 - direct.alone.p50,
        added_p99=alone.p99 - direct.alone.p99,
        memory=started.private_memory() / 1e6,
    )


def _loaded(started: Started, load: Load, seconds: int) -> tuple[wrk.Answered, float]:
    """What was answered, and microseconds of CPU time per request."""
    before = started.cpu_time()
    answered = wrk.run(load, started.port, seconds)
    return answered, (started.cpu_time() - before) / answered.requests * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best of some rounds of small GETs."""

    cpu: float
    """Microseconds for each."""
    rate: float
    """Per second."""


def best_in_turns(proxies: Sequence[Started], seconds: int) -> list[Best]:
    """Of `ROUNDS`; after other programs' noise the best says most. Raises `BenchError`.

    Each worker has as many connections, because what many share in one turn of the event loop costs
    each of them less.
    """
    rounds = []
    for _ in range(ROUNDS):
        turn = []
        for started in proxies:
            load = replace(SMALL, connections=SMALL.connections * len(started.usages))
            wrk.run(load, started.port, 1)
            answered, cpu = _loaded(started, load, seconds)
            turn.append(Best(cpu=cpu, rate=answered.rate))
        rounds.append(turn)
    return [
        Best(cpu=min(each.cpu for each in turns), rate=max(each.rate for each in turns))
        for turns in zip(*rounds, strict=True)
    ]


def counted(started: Started) -> list[int]:
    """Requests of each worker of our own proxy so far. Raises `BenchError`."""
    time.sleep(1)  # workers report every quarter second
    try:
        answer = httpx.get(f"http://127.0.0.1:{started.admin}/stats", trust_env=False)
        return [worker["requests"] for worker in answer.raise_for_status().json()["workers"]]
    except httpx.HTTPError as error:
        raise BenchError(f"the figures cannot be read: {error!r}") from None


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
