"""The client against our own flag server with LaunchDarkly's manners; real HTTP."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flag_server import READER_TOKEN
from ld_stand_in import served
from migrator.errors import InvalidInput, MigratorError, Unavailable
from migrator.flagclient import FlagClient, FlagNotFound, Forbidden, NotSupported, RetryPolicy
from migrator.flagclient.target import Target
from migrator.plan.model import Stage

if TYPE_CHECKING:
    from tests.migrator.flagclient.conftest import There

Begin = Callable[[], AbstractAsyncContextManager["There"]]
STAGES: dict[str, Any] = {
    "key": "shop",
    "name": "shop",
    "purpose": "migration",
    "migrationSettings": {"contextKind": "user", "stageCount": 6},
}
OPS: dict[str, Any] = {"key": "cart-service", "name": "cart"}
HALF = ((Stage.SHADOW, 50_000), (Stage.LIVE, 50_000))
LONG = {"Retry-After": "60"}


def play(there: Begin, act: Callable[["There", FlagClient], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with there() as world, world.client() as client:
            await act(world, client)

    asyncio.run(run())


def test_a_flags_whole_life(there: Begin) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        made = await client.create(STAGES)
        assert (made.key, made.on, set(made.environments)) == ("shop", False, {"production"})
        assert await client.create(STAGES) == await client.get("shop"), "it is there already"
        shown = await client.set_shares(made, HALF, context_kind="user", comment="half")
        assert (shown.on, shown.weights()) == (True, HALF)
        assert (await client.list_flags())["shop"] == shown
        off = await client.turn("shop", on=False, comment="leaks")
        assert (off.on, off.version) == (False, shown.version + 1)
        newest, before, *_ = await client.audit("shop")
        assert (newest.by, newest.comment, before.comment) == ("alice", "leaks", "half")
        with pytest.raises(FlagNotFound, match="no flag shop2"):
            await client.get("shop2")
        with pytest.raises(FlagNotFound, match="no flag shop2"):
            await client.turn("shop2", on=True, comment="")

    play(there, act)


def test_one_share_is_one_variation(there: Begin) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        flag = await client.create(STAGES)
        whole = ((Stage.LIVE, 100_000),)
        flag = await client.set_shares(flag, whole, context_kind="user", comment="")
        assert flag.environment.fallthrough.variation == 3
        assert flag.environment.fallthrough.rollout is None

    play(there, act)


def test_all_pages_are_read(there: Begin) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        keys = {f"flag-{number:03}" for number in range(101)}
        for key in sorted(keys):
            await client.create({"key": key, "name": key})
        world.stand_in.asked.clear()
        assert (await client.list_flags()).keys() == keys
        assert len(world.stand_in.asked) == 2

    play(there, act)


def test_a_few_flags_of_many_are_read_one_by_one(there: Begin) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        for number in range(101):
            await client.create({"key": f"flag-{number:03}", "name": "one of many"})
        wanted = ("flag-007",)
        await client.list_flags(wanted)
        world.stand_in.asked.clear()
        assert (await client.list_flags(wanted)).keys() == {"flag-007"}
        assert world.stand_in.asked == [("GET", "/api/v2/flags/cms/flag-007", 200)]
        async with world.client() as other:
            assert "missing" not in await other.list_flags(("missing",))

    play(there, act)


@pytest.mark.parametrize(
    ("refusals", "requests"),
    [
        pytest.param([(429, {})] * 3, 4, id="limited-without-a-time"),
        pytest.param([(429, {"Retry-After": "0"})] * 7, 8, id="limited"),
        pytest.param([(409, {})] * 5, 6, id="conflicts"),
        pytest.param([(503, {}), (409, {}), (429, {})], 4, id="of-all-kinds"),
        pytest.param([(502, {})], 2, id="away-for-a-moment"),
    ],
)
def test_what_passes_is_waited_for(
    there: Begin, refusals: list[tuple[int, dict[str, str]]], requests: int
) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        await client.create(OPS)
        world.stand_in.asked.clear()
        world.stand_in.manners.refuse.extend(refusals)
        assert (await client.turn("cart-service", on=True, comment="")).on
        assert len(world.stand_in.asked) == requests

    play(there, act)


@pytest.mark.parametrize(
    ("status", "requests", "words"),
    [
        pytest.param(429, 8, "limits the rate", id="limited"),
        pytest.param(409, 8, "somebody else changes the same", id="conflict"),
        pytest.param(503, 3, "does not answer: 503", id="away"),
    ],
)
def test_but_not_for_ever(there: Begin, status: int, requests: int, words: str) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        await client.create(OPS)
        world.stand_in.asked.clear()
        world.stand_in.manners.refuse.extend([(status, {})] * 100)
        with pytest.raises(Unavailable, match=words) as found:
            await client.turn("cart-service", on=True, comment="")
        assert found.value.hint
        assert len(world.stand_in.asked) == requests

    play(there, act)


def test_a_time_that_the_server_names_is_kept(there: Begin) -> None:
    """A minute is longer than this client may wait: it says so, and does not even ask before."""

    async def act(world: "There", client: FlagClient) -> None:
        await client.create(OPS)
        world.stand_in.asked.clear()
        world.stand_in.manners.refuse.append((429, LONG))
        for _ in range(3):
            with pytest.raises(Unavailable, match=r"asks to wait (60|59) s"):
                await client.turn("cart-service", on=True, comment="")
        assert world.stand_in.statuses("PATCH") == [429]
        assert (await client.get("cart-service")).on is False, "other routes are not limited"

    play(there, act)


def test_a_list_that_is_limited_is_the_one_of_before(there: Begin) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        await client.create(OPS)
        before = await client.list_flags()
        world.stand_in.asked.clear()
        world.stand_in.manners.refuse.append((429, LONG))
        for _ in range(3):
            assert await client.list_flags() == before
        assert world.stand_in.statuses("GET") == [429]
        changed = await client.turn("cart-service", on=True, comment="")
        assert await client.list_flags() == {"cart-service": changed}, "our own changes are known"

    play(there, act)


def test_without_any_list_a_limit_is_an_error(there: Begin) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        world.stand_in.manners.refuse.append((429, LONG))
        with pytest.raises(Unavailable, match="limits the rate"):
            await client.list_flags()

    play(there, act)


def test_lists_are_asked_for_as_often_as_the_limit_allows(there: Begin) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        world.stand_in.manners.limit, world.stand_in.manners.window = 10, 1000.0
        for _ in range(20):
            await client.list_flags()
        assert world.stand_in.statuses("GET") == [200]
        world.stand_in.manners.limit = 0

    play(there, act)


@pytest.mark.parametrize("status", [400, 403, 405])
def test_an_account_without_migration_flags(there: Begin, status: int) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        world.stand_in.manners.migration_flags = status
        with pytest.raises((NotSupported, Forbidden), match=str(status)):
            await client.create(STAGES)
        assert world.stand_in.statuses("POST") == [status], "asked once"

    play(there, act)


def test_tokens(there: Begin) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        async with world.client(world.target("api-unknown-5511")) as stranger:
            with pytest.raises(InvalidInput, match="does not know the access token") as found:
                await stranger.list_flags()
        assert "5511" not in f"{found.value} {found.value.hint}"
        async with world.client(world.target(READER_TOKEN)) as reader:
            assert await reader.list_flags() == {}
            with pytest.raises(Forbidden, match="lacks a role") as refused:
                await reader.create(OPS)
        assert "Writer" in str(refused.value.hint)

    play(there, act)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"project": "cmz"}, "no project 'cmz'"),
        ({"environment": "prod"}, "project 'cms' of LaunchDarkly has no environment 'prod'"),
    ],
)
def test_wrong_names(there: Begin, change: dict[str, str], words: str) -> None:
    async def act(world: "There", client: FlagClient) -> None:
        assert (await client.environment()).key == "production"
        changed: Target = replace(world.target(), **change)  # type: ignore[arg-type] # only texts
        async with world.client(changed) as other:
            with pytest.raises(InvalidInput, match=words):
                await other.environment()
            with pytest.raises(InvalidInput, match="that this token may see"):
                await other.list_flags()

    play(there, act)


def test_the_plain_name_of_who_shares_no_token(there: Begin) -> None:
    """Unsigned changes are those of the token's owner, through the API."""

    async def act(world: "There", client: FlagClient) -> None:
        await client.create(OPS)
        async with world.client(world.target(author=None)) as plain:
            await plain.turn("cart-service", on=True, comment="why")
        newest = (await client.audit("cart-service", limit=1))[0]
        assert (newest.by, newest.via, newest.comment) == ("alice", "api", "why")

    play(there, act)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        pytest.param(b"<html>", 200, "GET /api/v2/flags/cms", id="no-json"),
        pytest.param(b'{"items": [{"key": 1}]}', 200, r"items\.0\.", id="other-json"),
        pytest.param(b"<html>", 404, "no project 'cms'", id="not-an-api"),
        pytest.param(b"", 302, "302", id="redirect"),
    ],
)
def test_answers_of_something_else(body: bytes, status: int, words: str) -> None:
    async def run() -> None:
        async def answer(_: Request) -> Response:
            return Response(body, status)

        async with served(Starlette(routes=[Route("/{path:path}", answer)])) as address:
            target = Target(address=address, token="t", project="cms", environment="production")
            async with FlagClient(target) as client:
                with pytest.raises(MigratorError, match=words):
                    await client.list_flags()

    asyncio.run(run())


def test_nobody_there() -> None:
    async def run() -> None:
        target = Target(
            address="http://127.0.0.1:1", token="t", project="cms", environment="production"
        )
        async with FlagClient(target, policy=RetryPolicy(first=0.001)) as client:
            with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 does not answer"):
                await client.list_flags()

    asyncio.run(run())
