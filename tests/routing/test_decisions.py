"""Decisions that travel with a request."""

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.context import parse_header
from routing.decision import Evaluation
from routing.decisions import CARRIED, MAX_AGE, MAX_SKEW, OVERRIDE, Decisions, read, settle, write
from routing.signing import Keyring
from routing.stages import Stage
from token_issuer import AUDIENCE, ISSUER, jwk, key_set, token

RING = Keyring("decisions", [b"k" * 32])
NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20)
MADE = st.builds(
    Evaluation, st.sampled_from(Stage), st.just(CARRIED), st.integers(0), st.integers(0, 9)
)
OVERRIDDEN = st.builds(Evaluation, st.sampled_from(Stage), st.just(OVERRIDE), st.none())


@given(st.dictionaries(NAMES, MADE | OVERRIDDEN, min_size=1, max_size=20))
def test_they_arrive_as_they_were(evaluations: dict[str, Evaluation]) -> None:
    token = write(Decisions(1000.9, evaluations), RING, b"context")
    assert token is not None
    assert read(token, RING, b"context") == Decisions(1000, evaluations)
    assert read(token, RING, b"another") is None
    assert read(token, Keyring("overrides", [b"k" * 32]), b"context") is None


def test_nothing_to_say_or_too_much() -> None:
    live = Evaluation(Stage.LIVE, "FALLTHROUGH", 7, 3)
    assert write(Decisions(0, {}), RING, b"") is None
    assert write(Decisions(0, {f"capability-{n}": live for n in range(500)}), RING, b"") is None


@pytest.mark.parametrize(
    ("age", "honoured"),
    [
        pytest.param(-MAX_SKEW - 1, False, id="from-the-future"),
        pytest.param(-MAX_SKEW, True, id="another-clock"),
        pytest.param(0.0, True, id="new"),
        pytest.param(MAX_AGE, True, id="old"),
        pytest.param(MAX_AGE + 1, False, id="late"),
    ],
)
def test_age(age: float, honoured: bool) -> None:
    assert Decisions(1000.0, {}).honoured(1000.0 + age) is honoured


@pytest.mark.parametrize(
    ("reason", "counts"),
    [
        pytest.param("FALLTHROUGH", True, id="on"),
        pytest.param("RULE_MATCH", True, id="by-rule"),
        pytest.param("OFF", False, id="killed"),
        pytest.param("PREREQUISITE_FAILED", False, id="service-off"),
        pytest.param("FLAG_NOT_FOUND", False, id="deleted"),
        pytest.param("CLIENT_NOT_READY", False, id="no-flags-here"),
    ],
)
@pytest.mark.parametrize("word", [CARRIED, OVERRIDE])
def test_a_flag_that_is_off_wins(reason: str, counts: bool, word: str) -> None:
    own, told = Evaluation(Stage.OFF, reason, 8), Evaluation(Stage.LIVE, word, 7)
    assert settle(own, told) is (told if counts else own)


Begin = Callable[[], AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Any]


def decided(answer: httpx.Response) -> dict[str, str]:
    pairs = (part.partition("=") for part in answer.headers["x-migrator-decision"].split("; "))
    return {name: value for name, _, value in pairs}


def passed_on(head: bytes, *names: str) -> dict[str, str]:
    """Fields of a request that a service passes on with its own calls."""
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
    lower = {name.lower(): value for name, value in fields.items()}
    return {name: lower[name] for name in names}


def test_one_action_sees_one_version(begin: Begin, wait_until: Until) -> None:
    """Edge, a service, gateway, another service: a flag moves in the middle, then is killed. The
    edge knows the user by a token."""

    async def run() -> None:
        async with begin() as world, httpx.AsyncClient(trust_env=False, timeout=20) as http:
            keys = world.folder / "keys.json"
            keys.write_bytes(key_set(jwk("RS256", "a")))
            rules = {
                "key": [{"claim": "sub"}, {"header": "x-user"}],
                "jwt": {"jwks": str(keys), "issuer": ISSUER, "audience": [AUDIENCE]},
            }
            world.start_proxy(context=rules, decisions={"baggage": True})
            await world.ready(http)
            await world.stage(http, "live")
            theirs = {
                "authorization": f"Bearer {token(exp=4_000_000_000).decode()}",
                "baggage": "a=1,migrator-context=eve, b=2;p",
            }
            first = decided(await http.get(f"{world.edge}/articles/1", headers=theirs))
            (head,) = world.new.seen
            explicit = passed_on(head, "x-migrator-context", "x-migrator-decisions")
            implicit = passed_on(head, "baggage")
            assert implicit["baggage"].startswith("a=1, b=2;p,migrator-context=ey")
            context = parse_header(explicit["x-migrator-context"].encode())
            assert context == {"kind": "user", "key": "alice"}

            await world.stage(http, "off")
            url = f"{world.gateway}/articles/2"
            for fields in (explicit, implicit):
                second = decided(await http.get(url, headers=fields))
                assert second["stage"] == first["stage"] == "live"
                assert second["version"] == first["version"]
                assert second["reason"] == "CARRIED"
                third = passed_on(world.new.seen[-1], *fields)
                assert third == fields, "the hop after this one is told the same"
            fresh = {"x-user": "alice"}
            assert decided(await http.get(url, headers=fresh))["stage"] == "off"
            forged = {**explicit, "x-migrator-context": "eyJraW5kIjoidXNlciIsImtleSI6ImV2ZSJ9"}
            assert decided(await http.get(url, headers=forged))["stage"] == "off"
            at_edge = decided(await http.get(f"{world.edge}/articles/3", headers=explicit))
            assert at_edge["stage"] == "off", "nobody brings decisions from outside"

            await world.turn_off(http)

            async def killed() -> bool:
                answers = [await http.get(url, headers=explicit) for _ in range(8)]
                return all(decided(answer)["reason"] == "OFF" for answer in answers)

            await wait_until(killed)

            async def counted() -> bool:
                text = (await http.get(f"{world.admin}/metrics")).text
                found = re.findall(r'carried_decisions_total\{outcome="(.+)"\} (\d+)', text)
                counts = {name: int(count) for name, count in found}
                return counts["honoured"] >= 2 and counts["forged"] == 1 <= counts["flag_off"]

            await wait_until(counted)

    asyncio.run(run())
