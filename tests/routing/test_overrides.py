"""Testers' overrides."""

import asyncio
import json
import signal
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.overrides import (
    COOKIE,
    HEADER,
    Override,
    find_token,
    read_override,
    without_cookie,
    write_override,
)
from routing.signing import Keyring
from routing.stages import Stage

RING = Keyring("overrides", [b"k" * 32])
LIVE = Override(2000, "alice", {"publishing": Stage.LIVE})
TOKEN = write_override(LIVE, RING)


@given(
    st.integers(0, 2**40),
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=20), st.sampled_from(Stage), max_size=5),
)
def test_it_arrives_as_it_was(until: int, who: str, stages: dict[str, Stage]) -> None:
    override = Override(until, who, stages)
    assert read_override(write_override(override, RING), RING) == override


def test_decisions_are_no_overrides() -> None:
    """The same key in both files makes no difference."""
    assert read_override(TOKEN, Keyring("decisions", [b"k" * 32])) is None


@pytest.mark.parametrize(
    ("fields", "token"),
    [
        pytest.param({HEADER: b"t"}, b"t", id="field"),
        pytest.param({b"cookie": b"a=b; migrator_override=t"}, b"t", id="cookie"),
        pytest.param({HEADER: b"t", b"cookie": b"migrator_override=u"}, b"t", id="both"),
        pytest.param({b"cookie": b"xmigrator_override=t"}, None, id="another-cookie"),
        pytest.param({}, None, id="none"),
    ],
)
def test_where_it_is(fields: dict[bytes, bytes], token: bytes | None) -> None:
    assert find_token(fields) == token


@pytest.mark.parametrize(
    ("lines", "rest"),
    [
        pytest.param(b"Cookie: a=b; migrator_override=t; c=d", b"Cookie: a=b; c=d", id="between"),
        pytest.param(b"cookie:migrator_override=t", b"", id="alone"),
        pytest.param(
            b"Cookie: a=migrator_override=t", b"Cookie: a=migrator_override=t", id="value"
        ),
        pytest.param(
            b"X-Cookie: migrator_override=t", b"X-Cookie: migrator_override=t", id="field"
        ),
        pytest.param(b"Cookie: a=b;c=d", b"Cookie: a=b;c=d", id="untouched"),
    ],
)
def test_origins_never_see_it(lines: bytes, rest: bytes) -> None:
    def block(lines: bytes) -> bytes:
        return b"GET / HTTP/1.1\r\n" + (lines + b"\r\n" if lines else b"") + b"Host: a\r\n"

    assert without_cookie(block(lines)) == block(rest)


@given(st.binary(max_size=100))
def test_arbitrary_bytes(value: bytes) -> None:
    token = find_token({b"cookie": COOKIE.encode() + b"=" + value})
    assert token is None or read_override(token, RING) is None


Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Any]


def test_a_tester_is_ahead_of_everybody(begin: Begin, wait_until: Until) -> None:
    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            key = world.folder / "overrides.key"
            key.write_text("k" * 32)
            settings = {"overrides": {"key_file": str(key)}}
            everybody = {"networks": ["127.0.0.1/32"]}
            world.start_proxy(**settings, expose_decision=everybody)
            await world.ready(http)
            await world.stage(http, "dualwrite")
            url = f"{world.edge}/articles/1"

            def cookie(until: float) -> dict[str, str]:
                token = write_override(Override(until, "alice", LIVE.stages), RING)
                return {"cookie": f"uid=alice; {COOKIE}={token.decode()}"}

            tester = cookie(time.time() + 600)
            answer = await http.get(url, headers=tester)
            assert answer.text == "new 0"
            assert (
                "stage=live; origin=new; reason=OVERRIDE" in answer.headers["x-migrator-decision"]
            )
            (head,) = world.new.seen
            assert b"Cookie: uid=alice\r\n" in head
            assert b"override" not in head.lower()
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
            carried = {name: fields[f"X-Migrator-{name}"] for name in ("Context", "Decisions")}
            passed_on = {f"X-Migrator-{name}": value for name, value in carried.items()}
            answer = await http.get(f"{world.gateway}/articles/1", headers=passed_on)
            assert (
                "stage=live; origin=new; reason=OVERRIDE" in answer.headers["x-migrator-decision"]
            )
            for nobody in (cookie(time.time() - 1), {"cookie": tester["cookie"][:-1]}, {}):
                assert (await http.get(url, headers=nobody)).text == "old 0"

            async def honoured() -> bool:
                answers = [await http.get(url, headers=tester) for _ in range(8)]
                return all(each.text == "new 0" for each in answers)

            async def ignored() -> bool:
                answers = [await http.get(url, headers=tester) for _ in range(8)]
                return all(each.text == "old 0" for each in answers)

            # Another key ends all overrides; nobody needs to say that the file has changed.
            key.write_text("n" * 32)
            await wait_until(ignored)
            key.write_text("n" * 32 + "\n" + "k" * 32)
            await wait_until(honoured)

            limited = world.config(**settings, expose_decision={"overrides": True})
            (world.folder / "routes.json").write_text(json.dumps(limited))
            world.process.send_signal(signal.SIGHUP)

            async def hidden() -> bool:
                answers = [await http.get(url) for _ in range(8)]
                return not any("x-migrator-decision" in each.headers for each in answers)

            await wait_until(hidden)
            await world.turn_off(http)

            async def killed() -> bool:
                answers = [await http.get(url, headers=tester) for _ in range(8)]
                return all("reason=OFF" in each.headers["x-migrator-decision"] for each in answers)

            await wait_until(killed)

    asyncio.run(run())
